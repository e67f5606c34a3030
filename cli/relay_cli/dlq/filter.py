"""The filter for dead letters, and counts of what it selects. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.facts import rules_of
from relay_cli.dlq.prospects import fails_again, why


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters to act on; all of them without any condition."""

    reason: str | None = None
    app_id: str | None = None
    id: str | None = None
    rule: str | None = None

    @property
    def matches_all(self) -> bool:
        """Whether there is no condition."""
        return self == Filter()

    def matches(self, dead_letter: DeadLetter) -> bool:
        """Whether a dead letter matches.

        A reason also matches by what is before its colon, or after it: `hold_limit` and
        `account_blocked` are both `hold_limit: account_blocked`.
        """
        return (
            (self.reason in (None, dead_letter.reason, *dead_letter.reason.split(": ", 1)))
            and (self.rule is None or self.rule.upper() in rules_of(dead_letter))
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
    failing_again: Counter[str] = field(default_factory=Counter)
    """Those that fail again if they are sent back as they are, by why."""

    def add(self, dead_letter: DeadLetter) -> None:
        """Counts a dead letter."""
        self.ids.add(dead_letter.message_id)
        self.by_reason[dead_letter.reason] += 1
        self.missed += dead_letter.has_missed(self.now)
        if fails_again(dead_letter, self.now):
            self.failing_again[why(dead_letter)] += 1
