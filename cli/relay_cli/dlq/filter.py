"""The filter for dead letters, and counts of what it selects. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from relay_cli.dlq.dead_letter import DeadLetter


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters to act on; all of them without any condition."""

    reason: str | None = None
    app_id: str | None = None
    id: str | None = None

    @property
    def matches_all(self) -> bool:
        """Whether there is no condition."""
        return self == Filter()

    def matches(self, dead_letter: DeadLetter) -> bool:
        """Whether a dead letter matches; a reason also without its detail after the colon."""
        return (
            (self.reason in (None, dead_letter.reason, dead_letter.reason.partition(":")[0]))
            and (self.app_id in (None, dead_letter.app_id))
            and (self.id in (None, dead_letter.message_id, dead_letter.event_id))
        )


@dataclass(slots=True)
class Selection:
    """The matching dead letters of a queue, counted before any action."""

    now: datetime
    ids: set[str] = field(default_factory=set)
    """Their message ids."""
    by_reason: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    """How many have missed their deadline."""

    def add(self, dead_letter: DeadLetter) -> None:
        """Counts a dead letter."""
        self.ids.add(dead_letter.message_id)
        self.by_reason[dead_letter.reason] += 1
        self.missed += dead_letter.has_missed(self.now)
