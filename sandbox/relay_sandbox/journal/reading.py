"""What the journal keeps of an event: hashed forms, and no e-mail address wherever it stands."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from relay.domain.kinds import App, Kind
from relay.exact_json import InvalidJsonError, UnwritableError, dumps, loads
from relay.instants import Recorded
from relay.messages.arrival import prepare_arrival
from relay.messages.envelope import Envelope, money_without_id, stamped
from relay.rules.prepare import Prepared

_LARGEST_KEPT: Final = 32 * 1024
_LONGEST_TEXT: Final = 255
_EMAIL: Final = re.compile(
    r"[^\s@\"'<>,;:/?&=(){}\[\]\\]+@[^\s@\"'<>,;:/?&=(){}\[\]\\]+\.[A-Za-z]{2,}"
)
_HIDDEN: Final = "(an e-mail address)"


@dataclass(frozen=True, slots=True)
class Reading:
    """An event as a forwarder reads it."""

    kind: Kind
    app_id: str
    event_id: str | None
    prepared: Prepared
    findings: tuple[dict[str, str], ...]
    stamp: Mapping[str, Any]
    """The time field as the relay stamps it, if its sender gave none."""

    @property
    def name(self) -> str | None:
        """Its name, as far as it can be shown."""
        name = self.prepared.content.name
        return shown(name) if isinstance(name, str) else None

    @property
    def revenue(self) -> str | None:
        """Its revenue as an exact decimal."""
        revenue = self.prepared.content.revenue
        return None if revenue is None else shown(str(revenue))

    @property
    def own_time(self) -> datetime | None:
        """The event's own time: of one without, when it came in."""
        return self.prepared.content.time

    @property
    def recorded(self) -> Recorded | None:
        """What AppsFlyer would record."""
        return self.prepared.recorded

    @property
    def event(self) -> str | None:
        """The event as it may be kept, as JSON; None if it is too large."""
        try:
            text = dumps(_without(self.prepared.event, self.stamp)).decode()
        except UnwritableError:
            return None
        return without_emails(text) if len(text) <= _LARGEST_KEPT else None

    @property
    def payload(self) -> str | None:
        """What would be sent; None if it is rejected."""
        body = self.prepared.body
        if body is None or len(body) > _LARGEST_KEPT:
            return None
        return without_emails(body.decode())

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """The fields that hold a hash."""
        return tuple(name for name in self.prepared.event if name.endswith("_hashed"))


def read_event(
    envelope: Envelope,
    zone: str,
    came_in: datetime,
    now: datetime,
    *,
    appsflyer_id: str | None = None,
) -> Reading:
    """Read an event as a forwarder would at the moment `now`."""
    app = App(envelope.app_id, zone)
    first_seen = envelope.first_seen or came_in
    prepared = prepare_arrival(
        envelope.kind, app, envelope.event, first_seen, now, envelope.event_id, appsflyer_id
    )
    findings = [finding.as_dict() for finding in prepared.findings]
    if prepared.has_revenue and envelope.event_id is None:
        findings.append(money_without_id().as_dict())
    stamp = stamped(envelope.kind, {}, first_seen)
    app_id, event_id = envelope.app_id, envelope.event_id
    return Reading(envelope.kind, app_id, event_id, prepared, tuple(findings), stamp)


def _without(event: Mapping[str, Any], stamp: Mapping[str, Any]) -> dict[str, Any]:
    """The event without a time that the relay gave it: sent again, it gets a new one."""
    return {name: one for name, one in event.items() if name not in stamp or stamp[name] != one}


def payload_object(text: str | bytes) -> Mapping[str, Any]:
    """A payload's fields; none if it is no JSON object."""
    try:
        value = loads(text)
    except InvalidJsonError:
        return {}
    return value if isinstance(value, dict) else {}


def without_emails(text: str) -> str:
    """The text with a sign in place of each e-mail address in it."""
    return _EMAIL.sub(_HIDDEN, text) if "@" in text else text


def shown(text: str) -> str:
    """A sender's text as it may be kept and shown: short, printable, without an e-mail address."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return without_emails(printable[:_LONGEST_TEXT])


def shown_id(event_id: str) -> str:
    """An event id as it may be kept: one that holds an e-mail address stands as its hash."""
    kept = shown(event_id)
    if kept == event_id:
        return kept
    return f"sha256:{hashlib.sha256(event_id.encode('utf-8', 'replace')).hexdigest()}"


def parse_line(line: str) -> Mapping[str, Any]:
    """A line of a function's log as an object; empty if it is none."""
    if not line.startswith("{"):
        return {}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
