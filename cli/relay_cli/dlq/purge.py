"""Deletes dead letters for good: the selected ones, and no others."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Final

from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.filter import Filter
from relay_cli.dlq.reader import DeadLetterReader, OnProgress

_CLOCK_SKEW: Final = timedelta(seconds=2)
"""How far SQS's clock may be behind ours."""


@dataclass(slots=True)
class PurgeResult:
    """What happened to the dead letters of one run."""

    by_reason: Counter[str] = field(default_factory=Counter)
    """How many were deleted."""
    skipped: int = 0
    """Did not match the filter."""
    newer: int = 0
    """Arrived after the confirmation, or after the run began."""
    not_deleted: int = 0
    """Selected, but SQS did not delete them."""
    not_found: int = 0
    """Confirmed, but not found again: another consumer has received them."""
    interrupted: bool = False
    truncated: bool = False
    """Whether the queue may hold more than one run can read."""

    @property
    def is_complete(self) -> bool:
        """Whether everything selected is gone."""
        return not (self.not_deleted or self.not_found or self.interrupted or self.truncated)


@dataclass(slots=True)
class Purger:
    """Deletes the dead letters that match the filter.

    `confirmed_ids`: the message ids that the user agreed to delete; others stay. None: all that
    were in the queue at `now`, when the run began. `stop` ends the run between two calls.
    """

    reader: DeadLetterReader
    filter: Filter
    now: datetime
    confirmed_ids: AbstractSet[str] | None = None
    stop: Event = field(default_factory=Event)

    def run(self, on_progress: OnProgress) -> PurgeResult:
        """Deletes until nothing is left to delete; raises `CliError`."""
        result = PurgeResult()
        with self.reader:
            for dead_letters in self.reader.batches():
                self._delete(
                    [one for one in dead_letters if self._is_selected(one, result)], result
                )
                on_progress(len(dead_letters))
                if self.stop.is_set():
                    result.interrupted = True
                    break
        result.truncated = self.reader.truncated
        if self.confirmed_ids is not None and not result.interrupted:
            gone = result.by_reason.total() + result.not_deleted
            result.not_found = len(self.confirmed_ids) - gone
        return result

    def _delete(self, dead_letters: Sequence[DeadLetter], result: PurgeResult) -> None:
        if not dead_letters:
            return
        remaining = self.reader.delete(list(dead_letters))
        result.not_deleted += len(remaining)
        result.by_reason.update(
            one.reason for one in dead_letters if one.message_id not in remaining
        )

    def _is_selected(self, dead_letter: DeadLetter, result: PurgeResult) -> bool:
        if not self.filter.matches(dead_letter):
            result.skipped += 1
        elif self._is_newer(dead_letter):
            result.newer += 1
        else:
            return True
        return False

    def _is_newer(self, dead_letter: DeadLetter) -> bool:
        if self.confirmed_ids is not None:
            return dead_letter.message_id not in self.confirmed_ids
        return dead_letter.sent_at > self.now + _CLOCK_SKEW
