"""Deleting dead letters for good: those that were chosen, and no others."""

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Final

from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.filter import Choice
from relay_cli.dlq.reader import Mailbox

_CLOCKS_APART: Final = timedelta(seconds=2)
"""How far SQS's clock may be behind ours."""

Progress = Callable[[int], None]
"""Told how many more letters have been looked at."""


@dataclass(slots=True)
class Dropped:
    """What became of the letters of one run."""

    by_reason: Counter[str] = field(default_factory=Counter)
    """How many were deleted."""
    left: int = 0
    """Not meant by the choice."""
    newer: int = 0
    """Came in since they were counted, or since the run began."""
    undeleted: int = 0
    """Meant, and still here: SQS did not delete them."""
    unseen: int = 0
    """Counted, and not found again: somebody else has them in hand."""
    interrupted: bool = False
    full: bool = False
    """Whether there may be more letters than one run can look at."""

    @property
    def is_whole(self) -> bool:
        """Whether all that was meant is gone."""
        return not (self.undeleted or self.unseen or self.interrupted or self.full)


@dataclass(slots=True)
class Dropper:
    """Deletes what `choice` takes from a mailbox.

    `counted`: message ids that somebody agreed to; a letter that is none of them stays. None: all
    that were there at `now`, when the run began. `stop` ends the run between two calls.
    """

    mailbox: Mailbox
    choice: Choice
    now: datetime
    counted: AbstractSet[str] | None = None
    stop: Event = field(default_factory=Event)

    def run(self, progress: Progress) -> Dropped:
        """Deletes until there is nothing left to delete; raises `CliError`."""
        dropped = Dropped()
        with self.mailbox:
            for letters in self.mailbox.batches():
                self._drop([one for one in letters if self._is_meant(one, dropped)], dropped)
                progress(len(letters))
                if self.stop.is_set():
                    dropped.interrupted = True
                    break
        dropped.full = self.mailbox.full
        if self.counted is not None and not dropped.interrupted:
            gone = dropped.by_reason.total() + dropped.undeleted
            dropped.unseen = len(self.counted) - gone
        return dropped

    def _drop(self, letters: Sequence[DeadLetter], dropped: Dropped) -> None:
        if not letters:
            return
        left = self.mailbox.delete(list(letters))
        dropped.undeleted += len(left)
        dropped.by_reason.update(one.reason for one in letters if one.message_id not in left)

    def _is_meant(self, letter: DeadLetter, dropped: Dropped) -> bool:
        if not self.choice.takes(letter):
            dropped.left += 1
        elif self._is_new(letter):
            dropped.newer += 1
        else:
            return True
        return False

    def _is_new(self, letter: DeadLetter) -> bool:
        if self.counted is not None:
            return letter.message_id not in self.counted
        return letter.sent_at > self.now + _CLOCKS_APART
