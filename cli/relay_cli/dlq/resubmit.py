"""Sends corrections to their queues, and deletes the dead letters that they replace.

All letters of a queue are looked through first, then what was found is sent in tens. A letter is
deleted only once its replacement is queued, so each step may be repeated: the event keeps its id.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Final, Literal

from relay.aws.sqs import Message
from relay_cli.clients.aws import send_messages
from relay_cli.dlq.correction import Correction, Replacement, replacement
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.reader import DeadLetterReader, OnProgress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Status = Literal["sent", "left", "not_taken", "not_deleted", "no_letter", "hidden", "not_reached"]

SendTo = Callable[[str], "tuple[SQSClient, str]"]
"""Client and URL of a queue, by its name: `mobile`, `web` or `payments`. Raises `CliError`."""

_BATCH_SIZE: Final = 10


@dataclass(slots=True)
class Result:
    """What became of one correction."""

    correction: Correction
    status: Status = "not_reached"
    """`sent`: it is queued, and its letter gone. `left`: nothing was sent, see `replacement`.
    `not_taken`: SQS did not take it. `not_deleted`: it is queued, and its letter still there.
    `no_letter`: it has no letter any more. `hidden`: its letter was not found, and somebody else
    has letters in hand. `not_reached`: the run was stopped before it."""
    problem: str = ""
    replacement: Replacement = field(default_factory=Replacement)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to do for it."""
        return self.status in ("sent", "no_letter")


@dataclass(slots=True)
class Resubmitter:
    """Replaces the letters of one dead-letter queue.

    `send_to` gives client and URL of a queue (`mobile`, `web`, `payments`). With `anyway` letters
    that were not corrected and fail again are sent too, with `without_letter` what has no letter
    any more. `stop` ends the run between two calls.
    """

    reader: DeadLetterReader
    send_to: SendTo
    now: datetime
    anyway: bool = False
    without_letter: bool = False
    stop: Event = field(default_factory=Event)
    _are_hidden: bool = field(default=False, init=False)
    """Whether others have letters in hand."""

    def run(self, results: Sequence[Result], on_progress: OnProgress) -> None:
        """Writes into each result what became of it, also where it raises `CliError` half-way."""
        with self.reader:
            self._are_hidden = self.reader.hidden() > 0
            letters = self._letters([one.correction for one in results], on_progress)
            for start in range(0, len(results), _BATCH_SIZE):
                if self.stop.is_set():
                    break
                self._replace(results[start : start + _BATCH_SIZE], letters)

    def _letters(
        self, corrections: Sequence[Correction], on_progress: OnProgress
    ) -> dict[str, DeadLetter]:
        """The letter of each correction, by the id of that at its export."""
        known = {one.letter_id for one in corrections}
        event_ids = {one.event_id for one in corrections}
        own: dict[str, DeadLetter] = {}
        others: list[DeadLetter] = []
        for batch in self.reader.batches():
            for letter in batch:
                if letter.message_id in known:
                    own[letter.message_id] = letter
                elif letter.event_id in event_ids:
                    others.append(letter)
            on_progress(len(batch))
            if self.stop.is_set():
                break
        return {**dict(_found_again(corrections, own, others)), **own}

    def _replace(self, results: Sequence[Result], letters: Mapping[str, DeadLetter]) -> None:
        for one in results:
            self._prepare(one, letters.get(one.correction.letter_id))
        for surface in ("mobile", "web", "payments"):
            group = [one for one in results if self._is_for(one, surface)]
            if group:
                self._send(surface, group)
        sent = [one for one in results if one.status == "sent"]
        closed = [letters[id_] for one in sent if (id_ := one.correction.letter_id) in letters]
        remaining = self.reader.delete(closed) if closed else set[str]()
        for one in sent:
            letter = letters.get(one.correction.letter_id)
            if letter is not None and letter.message_id in remaining:
                one.status = "not_deleted"

    @staticmethod
    def _is_for(result: Result, surface: str) -> bool:
        return result.status == "not_reached" and result.replacement.surface == surface

    def _prepare(self, result: Result, letter: DeadLetter | None) -> None:
        if letter is None and (self._are_hidden or not self.without_letter):
            result.status = "hidden" if self._are_hidden else "no_letter"
            return
        made = replacement(result.correction, letter, self.now, anyway=self.anyway)
        result.replacement, result.problem = made, made.problem
        if made.body is None:
            result.status = "left"

    def _send(self, surface: str, group: Sequence[Result]) -> None:
        sqs, url = self.send_to(surface)
        messages = [Message(one.replacement.body or "", one.replacement.group) for one in group]
        failed = send_messages(sqs, url, messages)
        for position, one in enumerate(group):
            one.problem = failed.get(position, "")
            one.status = "not_taken" if position in failed else "sent"
        if len(failed) == len(group):
            self.stop.set()  # the queue accepts nothing, so do not try the others


def _found_again(
    corrections: Sequence[Correction],
    own: Mapping[str, DeadLetter],
    others: Sequence[DeadLetter],
) -> Iterator[tuple[str, DeadLetter]]:
    """Letters of events that were sent back after their export, and came back."""
    missing: dict[str, list[Correction]] = {}
    for one in corrections:
        if one.letter_id not in own:
            missing.setdefault(one.event_id, []).append(one)
    for letter in others:
        for one in missing.get(letter.event_id, ()):
            if one.is_of(letter):
                yield one.letter_id, letter
