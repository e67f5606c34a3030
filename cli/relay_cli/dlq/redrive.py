"""Redrives dead letters: sends their events back to the queue that they came from.

SQS's own redrive (StartMessageMoveTask) moves all or nothing, leaves the fields of a dead letter on
the message, and ignores dead letters that the relay itself sent.

The run may stop after each step, and each step may be repeated: a dead letter is deleted only once
its event is on the queue again. The event keeps its id, so a second copy is recognizable as a
duplicate.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Final

from relay.aws.sqs import Message
from relay_cli.clients.aws import send_messages
from relay_cli.dlq.dead_letter import DeadLetter, redrive_body
from relay_cli.dlq.filter import Filter
from relay_cli.dlq.reader import DeadLetterReader, OnProgress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH_SIZE: Final = 10
_CLOCK_SKEW: Final = timedelta(seconds=2)
"""How far SQS's clock may be from ours. A newer dead letter is left for the next run."""


@dataclass(slots=True)
class RedriveResult:
    """What happened to the dead letters of one run."""

    sent: int = 0
    missed: int = 0
    """How many of those sent had missed their deadline."""
    skipped: int = 0
    """Did not match the filter."""
    no_event: int = 0
    """Had no event that could be sent again."""
    newer: int = 0
    """Arrived during the run: such an event may well fail again at once."""
    duplicated: int = 0
    """Sent, but not deleted: they are on both queues."""
    failures: dict[str, int] = field(default_factory=dict)
    """How many SQS did not accept, by its error."""
    interrupted: bool = False
    truncated: bool = False
    """Whether the queue may hold more than one run can read."""

    @property
    def failed(self) -> int:
        """How many were selected, but not sent."""
        return sum(self.failures.values())


@dataclass(slots=True)
class Redriver:
    """Moves the dead letters that match the filter to the queue at `target`.

    `rate`: the most messages a second; None means no limit. `stop` ends the run between two calls.
    `now` is when the run began.
    """

    reader: DeadLetterReader
    sqs: "SQSClient"
    target: str
    filter: Filter
    now: datetime
    rate: float | None = None
    stop: Event = field(default_factory=Event)
    _redriven_ids: set[tuple[str, str]] = field(default_factory=set, init=False)
    """App and event id of what was sent: an event that fails again at once comes back with them."""

    def run(self, on_progress: OnProgress) -> RedriveResult:
        """Moves until nothing is left to move; raises `CliError`."""
        result, began = RedriveResult(), time.monotonic()
        with self.reader:
            for dead_letters in self.reader.batches(self._batch_size()):
                self._redrive(dead_letters, result)
                on_progress(len(dead_letters))
                if self.stop.wait(self._pause(result, began)):
                    result.interrupted = True
                    break
        result.truncated = self.reader.truncated
        return result

    def _redrive(self, dead_letters: Sequence[DeadLetter], result: RedriveResult) -> None:
        selected = [
            dead_letter for dead_letter in dead_letters if self._is_selected(dead_letter, result)
        ]
        redrivable = [
            (dead_letter, body)
            for dead_letter in selected
            if (body := redrive_body(dead_letter)) is not None
        ]
        result.no_event += len(selected) - len(redrivable)
        messages = [Message(body, dead_letter.app_id) for dead_letter, body in redrivable]
        failed = send_messages(self.sqs, self.target, messages) if messages else {}
        for problem in failed.values():
            result.failures[problem] = result.failures.get(problem, 0) + 1
        sent = [
            dead_letter
            for position, (dead_letter, _) in enumerate(redrivable)
            if position not in failed
        ]
        result.sent += len(sent)
        self._redriven_ids |= {(dead_letter.app_id, dead_letter.event_id) for dead_letter in sent}
        result.missed += sum(dead_letter.has_missed(self.now) for dead_letter in sent)
        if sent:
            result.duplicated += len(self.reader.delete(sent))
        if len(failed) == len(redrivable) and failed:
            self.stop.set()  # the queue accepts nothing, so do not try the others

    def _is_selected(self, dead_letter: DeadLetter, result: RedriveResult) -> bool:
        if self._is_newer(dead_letter):
            result.newer += 1
            return False
        if not self.filter.matches(dead_letter):
            result.skipped += 1
            return False
        return True

    def _is_newer(self, dead_letter: DeadLetter) -> bool:
        if dead_letter.sent_at > self.now + _CLOCK_SKEW:
            return True
        # Within the clock skew, only its id can tell.
        is_redriven = (dead_letter.app_id, dead_letter.event_id) in self._redriven_ids
        return is_redriven and dead_letter.sent_at > self.now - _CLOCK_SKEW

    def _batch_size(self) -> int:
        return _BATCH_SIZE if self.rate is None else max(1, min(_BATCH_SIZE, int(self.rate)))

    def _pause(self, result: RedriveResult, began: float) -> float:
        """Seconds by which the run is ahead of its rate."""
        if self.rate is None:
            return 0.0
        return max(0.0, result.sent / self.rate - (time.monotonic() - began))
