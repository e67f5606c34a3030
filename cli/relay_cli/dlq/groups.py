"""Groups dead letters by reason and app. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from relay.instants import iso_form
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.facts import rejections, rules_of


@dataclass(slots=True)
class Group:
    """Dead letters with the same reason and app."""

    reason: str
    app_id: str
    count: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    min_attempts: int | None = None
    max_attempts: int | None = None
    in_time: int = 0
    """How many can still keep their own time."""
    next_deadline: datetime | None = None
    """The earliest deadline that has not passed."""
    missed: int = 0
    """How many have missed their deadline."""

    def add(self, dead_letter: DeadLetter, now: datetime) -> None:
        """Counts a dead letter."""
        self.count += 1
        self.oldest = min(self.oldest or dead_letter.dead_since, dead_letter.dead_since)
        self.newest = max(self.newest or dead_letter.dead_since, dead_letter.dead_since)
        self._add_attempts(dead_letter.attempts)
        self._add_deadline(dead_letter.deadline, now)

    @property
    def without_deadline(self) -> int:
        """How many have no deadline, or an unknown one."""
        return self.count - self.in_time - self.missed

    def _add_attempts(self, attempts: int | None) -> None:
        if attempts is None:
            return
        fewest, most = self.min_attempts, self.max_attempts
        self.min_attempts = attempts if fewest is None else min(fewest, attempts)
        self.max_attempts = attempts if most is None else max(most, attempts)

    def _add_deadline(self, deadline: datetime | None, now: datetime) -> None:
        if deadline is None:
            return
        if deadline < now:
            self.missed += 1
        else:
            self.in_time += 1
            self.next_deadline = min(self.next_deadline or deadline, deadline)


@dataclass(slots=True)
class Groups:
    """All groups of a queue, built one dead letter at a time, so that none is kept in memory."""

    now: datetime
    by_rule: Counter[str] = field(default_factory=Counter)
    """How many letters each rule rejected."""
    fields: dict[str, set[str]] = field(default_factory=dict)
    """The fields in which, by rule."""
    _groups: dict[tuple[str, str], Group] = field(default_factory=dict)

    def add(self, dead_letter: DeadLetter) -> None:
        """Counts a dead letter."""
        key = (dead_letter.reason, dead_letter.app_id)
        self._groups.setdefault(key, Group(*key)).add(dead_letter, self.now)
        self.by_rule.update(rules_of(dead_letter))
        for one in rejections(dead_letter):
            self.fields.setdefault(one.rule, set()).add(one.field)

    def largest_first(self) -> list[Group]:
        """The groups, largest first."""
        return sorted(self._groups.values(), key=lambda one: (-one.count, one.reason, one.app_id))


def facts_of_groups(queue: str, groups: Groups) -> dict[str, Any]:
    """What `relay dlq list --json` says of a queue."""
    found = groups.largest_first()
    return {
        "queue": queue,
        "dead_letters": sum(one.count for one in found),
        "rules": dict(groups.by_rule),
        "groups": [_facts(one) for one in found],
    }


def _facts(group: Group) -> dict[str, Any]:
    return {
        "reason": group.reason,
        "app_id": group.app_id or None,
        "count": group.count,
        "oldest": _iso(group.oldest),
        "newest": _iso(group.newest),
        "in_time": group.in_time,
        "next_deadline": _iso(group.next_deadline),
        "missed": group.missed,
    }


def _iso(moment: datetime | None) -> str | None:
    return iso_form(moment) if moment else None
