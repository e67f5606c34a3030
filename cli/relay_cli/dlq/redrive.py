"""Our own mover: from a dead-letter queue back to where its events came from.

SQS's own (StartMessageMoveTask) takes all or nothing, leaves the marks of a dead letter on the
message, and knows no letter that was put there by us.

Each step is safe to be stopped after, and to be done twice: a letter is deleted only when its
event is on the queue again, and the event keeps its id, so a second copy can be told from a second
event.
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
"""How far SQS's clock may be from ours; a letter younger than that is the next run's."""


@dataclass(slots=True)
class RedriveResult:
    """What became of the letters of one run."""

    sent: int = 0
    missed: int = 0
    """Of those sent, how many had missed their deadline."""
    skipped: int = 0
    """Not meant by the choice."""
    no_event: int = 0
    """Without an event that could be sent again."""
    newer: int = 0
    """Came in while we were at it: an event may well fail again at once."""
    duplicated: int = 0
    """Sent, but not deleted: they are on both queues."""
    failures: dict[str, int] = field(default_factory=dict)
    """How many SQS did not take, by what it said."""
    interrupted: bool = False
    truncated: bool = False
    """Whether there may be more letters than one run can look at."""

    @property
    def failed(self) -> int:
        """How many letters were meant, and are still where they were."""
        return sum(self.failures.values())


@dataclass(slots=True)
class Redriver:
    """Moves what `choice` takes from a mailbox to the queue at `target`.

    `rate` is the most letters a second; None is as fast as it goes. `stop` ends the run between
    two calls. `now` is when the run began.
    """

    reader: DeadLetterReader
    sqs: "SQSClient"
    target: str
    filter: Filter
    now: datetime
    rate: float | None = None
    stop: Event = field(default_factory=Event)
    _redriven_ids: set[tuple[str, str]] = field(default_factory=set, init=False)
    """App and event id of what was sent: an event that fails again at once comes back so."""

    def run(self, on_progress: OnProgress) -> RedriveResult:
        """Moves until there is nothing left to move; raises `CliError`."""
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
            self.stop.set()  # the queue takes nothing: the others need not be tried

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
        # In the seconds in which the clocks do not tell, its id does.
        is_redriven = (dead_letter.app_id, dead_letter.event_id) in self._redriven_ids
        return is_redriven and dead_letter.sent_at > self.now - _CLOCK_SKEW

    def _batch_size(self) -> int:
        return _BATCH_SIZE if self.rate is None else max(1, min(_BATCH_SIZE, int(self.rate)))

    def _pause(self, result: RedriveResult, began: float) -> float:
        """Seconds by which the run is ahead of its rate."""
        if self.rate is None:
            return 0.0
        return max(0.0, result.sent / self.rate - (time.monotonic() - began))
