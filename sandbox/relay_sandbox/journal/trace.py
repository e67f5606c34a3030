"""A trace: one event from its entry to its end, step by step. Holds hashed forms only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from relay.instants import iso_form

Sure = Literal["surely", "perhaps", "no"]


class Fate(StrEnum):
    """What became of an event so far, or of a webhook or install."""

    QUEUED = "queued"
    """It is on its queue, or a function has it."""
    DELIVERED = "delivered"
    """AppsFlyer accepted it; of a webhook or install: it was taken."""
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    """It breaks a rule, so it was never sent."""
    REFUSED = "refused"
    """AppsFlyer says that the event is wrong; of a webhook or install: it was not taken."""
    DEAD_LETTER = "dead_letter"
    """It is a dead letter for another reason."""
    WAITING = "waiting"
    """It waits for its next try."""
    HELD = "held"
    """It waits for a person, a fact or a moment, and uses up no try."""
    DROPPED = "dropped"
    """It was a dead letter that somebody deleted."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self not in _UNDER_WAY

    @property
    def waits(self) -> bool:
        """Whether it waits on its queue."""
        return self in {Fate.WAITING, Fate.HELD}


class Mark(StrEnum):
    """What an event is counted by besides its outcome."""

    LATE = "late"
    """AppsFlyer counts it at its arrival, because its own time was too old (T3, T8)."""
    UNCERTAIN = "uncertain"
    """Its sender cannot know whether AppsFlyer has recorded it (E16)."""
    COUNTED_TWICE = "counted_twice"


_LATE: Final = frozenset({"T3", "T8"})
_UNDER_WAY: Final = frozenset({Fate.QUEUED, Fate.WAITING, Fate.HELD})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an event. `kind` is a word for programs, `text` for people.

    `sure`: whether AppsFlyer has recorded the event, as far as its sender can know.
    `wait_seconds`: until its next try here; `waits_in_production_seconds`: by the template's own
    settings, at most.
    """

    at: datetime
    kind: str
    text: str
    status: int | None = None
    sure: Sure | None = None
    wait_seconds: float | None = None
    waits_in_production_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The step for the page."""
        return {
            "at": iso_form(self.at),
            "kind": self.kind,
            "text": self.text,
            "status": self.status,
            "sure": self.sure,
            "wait_seconds": self.wait_seconds,
            "waits_in_production_seconds": self.waits_in_production_seconds,
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """The time that AppsFlyer recorded. Not `sure`: nobody has seen it, the rules say so."""

    time: datetime
    source: str
    rule: str
    sure: bool

    def as_json(self) -> dict[str, Any]:
        """The recorded time for the page."""
        return {
            "time": iso_form(self.time),
            "source": self.source,
            "rule": self.rule,
            "sure": self.sure,
        }


@dataclass(slots=True)
class Attempt:
    """One look of a function at the event: it has received the message `message_id`."""

    message_id: str
    answered: bool = False
    """AppsFlyer accepted it."""
    requeued: bool = False
    dead: bool = False
    began: int = 0
    """How many requests AppsFlyer got for it."""

    @property
    def is_done(self) -> bool:
        """Whether it is known what this look ended with."""
        return self.answered or self.requeued or self.dead


@dataclass(slots=True)
class Trace:
    """What is known of one event. Times are aware, in UTC; amounts are exact decimals as text."""

    key: str
    kind: str
    source: str
    came_in: datetime
    app_id: str = ""
    event_id: str | None = None
    name: str | None = None
    revenue: str | None = None
    currency: str | None = None
    outcome: Fate = Fate.QUEUED
    reason: str | None = None
    rule: str | None = None
    """The rule of the verdict, if there is one."""
    findings: tuple[dict[str, str], ...] = ()
    ended: datetime | None = None
    attempts: int = 0
    own_time: datetime | None = None
    deadline: datetime | None = None
    arrival: datetime | None = None
    next_look: datetime | None = None
    """When it is looked at next, while it waits."""
    recorded: Recording | None = None
    zone: str = "UTC"
    size: int | None = None
    payload: str | None = None
    event: str | None = None
    """The event as it may be kept, as JSON."""
    hashed_fields: tuple[str, ...] = ()
    times_recorded: int = 0
    caused_by: str | None = None
    """The key of the webhook that it was made of."""
    steps: list[Step] = field(default_factory=list)
    left_out: int = 0
    """How many steps are no longer kept."""
    revision: int = 0
    marks: frozenset[Mark] = frozenset()
    # How the messages, requests and lines about it are told from others:
    message_id: str | None = None
    request_id: str | None = None
    lookup: tuple[str, str, str] | None = None
    message_ids: list[str] = field(default_factory=list)
    attempt: Attempt | None = None
    ids: frozenset[str] = field(default=frozenset(), repr=False)
    """Of a webhook: the ids in it, never shown."""
    causes: int = 0
    """Of a webhook: how many events were made of it."""

    @property
    def surface(self) -> str:
        """`mobile` or `web`."""
        return "web" if self.kind.startswith("web_") else "mobile"

    @property
    def rules(self) -> list[str]:
        """The numbers of all rules that have something to say about it."""
        recorded = [self.recorded.rule] if self.recorded else []
        named = [self.rule] if self.rule else []
        return list(dict.fromkeys([one["rule"] for one in self.findings] + named + recorded))

    def current_marks(self) -> frozenset[Mark]:
        """What else is to be counted of it."""
        recorded = self.recorded is not None
        doubtful = not recorded and any(step.sure == "perhaps" for step in self.steps)
        found = {
            Mark.LATE: self.recorded is not None and self.recorded.rule in _LATE,
            Mark.UNCERTAIN: doubtful or (self.times_recorded == 1 and not self.outcome.has_ended),
            Mark.COUNTED_TWICE: self.times_recorded > 1,
        }
        return frozenset(mark for mark, is_so in found.items() if is_so)

    def row(self) -> dict[str, Any]:
        """The trace for a list: all but its steps, its payload and the event."""
        return {
            "key": self.key,
            "event_id": self.event_id,
            "app_id": self.app_id,
            "kind": self.kind,
            "surface": self.surface,
            "source": self.source,
            "name": self.name,
            "revenue": self.revenue,
            "currency": self.currency,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "rules": self.rules,
            "findings": list(self.findings),
            "came_in": iso_form(self.came_in),
            "ended": _iso(self.ended),
            "attempts": self.attempts,
            "own_time": _iso(self.own_time),
            "deadline": _iso(self.deadline),
            "arrival": _iso(self.arrival),
            "next_look": _iso(self.next_look),
            "recorded": self.recorded.as_json() if self.recorded else None,
            "zone": self.zone,
            "bytes": self.size,
            "hashed_fields": list(self.hashed_fields),
            "times_recorded": self.times_recorded,
            "caused_by": self.caused_by,
            "marks": sorted(self.marks),
        }

    def as_json(self) -> dict[str, Any]:
        """All of the trace."""
        return {
            **self.row(),
            "payload": self.payload,
            "event": self.event,
            "steps": [step.as_json() for step in self.steps],
        }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso_form(moment)
