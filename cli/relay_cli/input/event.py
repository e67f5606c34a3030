"""One event to check or send, with its context."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from relay import instants
from relay.domain.findings import Finding, Findings
from relay.domain.kinds import App, Kind
from relay.exact_json import InvalidJsonError, NameTwiceError, loads_once
from relay.messages.arrival import prepare_arrival
from relay.rules.identity_lookup import customer_to_look_up, will_be_looked_up
from relay.rules.prepare import Prepared, prepare

LINE_FIELDS: Final = frozenset({"id", "arrival", "time_zone", "phone_region", "event_text"})
"""Fields of an NDJSON line that no envelope has."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for what the input does not say."""

    time_zone: str = "UTC"
    phone_region: str | None = None
    arrival: datetime | None = None
    """None: when the input says that it came in, or the time of the check."""

    def now(self, came_in: datetime | None = None) -> datetime:
        """The moment at which an event would reach AppsFlyer."""
        return self.arrival or came_in or instants.utc_now()


@dataclass(frozen=True, slots=True)
class BareEvent:
    """Kind and app of an event without an envelope."""

    kind: Kind
    app_id: str


@dataclass(frozen=True, slots=True)
class InputEvent:
    """One event, ready to be checked."""

    app: App
    kind: Kind
    event: Any
    arrival: datetime
    event_id: str | None = None
    body: str | None = None
    """The envelope that it came in, exactly as in the file."""
    came_in: datetime | None = None
    """When its queue or the HTTP API took it, if the input says so; None: at `arrival`."""
    entry_id: str | None = None
    """The id by which its entry knows it, also where the sender gave none: that of the message, or,
    over HTTP, one with the name of the producer. None: that of a message which is still to come."""
    is_http: bool = False
    """Whether it came as a request to the HTTP API."""
    found: tuple[Finding, ...] = ()
    """What was found when its envelope or its request was read."""
    has_own_id: bool = True
    """Whether its sender gave it an event id, where it comes in an envelope or a request."""

    def prepare(self) -> Prepared:
        """Applies every rule to the event as it is. Stamps nothing and looks nothing up."""
        event_id = (self.entry_id or self.event_id) if self.has_own_id else None
        return prepare(self.kind, self.app, self.event, self.arrival, event_id)

    def prepare_stamped(self) -> Prepared:
        """What its entry makes of it: with the time of its coming where it has none, and an id.

        An AppsFlyer id that is looked up before it is sent has a stand-in of the greatest length;
        a warning (M1) says so.
        """
        event_id = self.entry_id or self.event_id or str(uuid4())
        prepared = prepare_arrival(
            self.kind, self.app, self.event, self.came_in or self.arrival, self.arrival, event_id
        )
        if not self.is_looked_up:
            return prepared
        return prepared._replace(findings=(*prepared.findings, will_be_looked_up()))

    @property
    def is_looked_up(self) -> bool:
        """Whether its AppsFlyer id is looked up before it is sent (M1)."""
        return customer_to_look_up(self.kind, self.event) is not None


@dataclass(frozen=True, slots=True)
class InvalidInput:
    """Input that is not an event, with the reasons as findings."""

    findings: tuple[Finding, ...]

    @classmethod
    def with_reason(cls, rule: str, field: str, message: str) -> "InvalidInput":
        """Invalid input for a single reason."""
        findings = Findings()
        findings.reject(rule, field, message)
        return cls(findings.as_tuple())


def from_line(line: Mapping[str, Any], defaults: Defaults) -> InputEvent | InvalidInput:
    """Parses an NDJSON line. Reports all its problems at once.

    The line has `kind`, `app_id` and `event`, and optionally `arrival`, `time_zone`,
    `phone_region` and `event_id`, the envelope's (W11). `event_text` in place of `event` is the
    event as its text, which may be no JSON.
    """
    findings = Findings()
    kind = _kind(line.get("kind"), findings)
    app_id = _text(line, "app_id", "E8", findings)
    if line.get("app_id") is None:
        findings.reject("E8", "app_id", "is missing: which AppsFlyer app is the event of?")
    event_text = _text(line, "event_text", "E3", findings)
    if "event" not in line and event_text is None:
        findings.reject("E3", "event", "is missing: a JSON object with AppsFlyer's field names")
    event_id = _text(line, "event_id", "W11", findings)
    zone = _zone(line, defaults, findings)
    region = _text(line, "phone_region", "H5", findings) or defaults.phone_region
    arrival = _moment(line, "arrival", findings) or defaults.now()
    if findings.rejected or kind is None or app_id is None:
        return InvalidInput(findings.as_tuple())
    event = line["event"] if event_text is None else _parsed(event_text)
    return InputEvent(
        App(app_id, zone, region), kind, event, arrival, event_id, came_in=_first_seen(line)
    )


def _first_seen(line: Mapping[str, Any]) -> datetime | None:
    """When an exported dead letter first came in: later attempts are stamped with that."""
    text = line.get("first_seen")
    return instants.parse_iso(text, needs_offset=True) if isinstance(text, str) else None


def _parsed(event_text: str) -> Any:
    """What a text holds; None, which is no event, if it is no JSON."""
    try:
        return loads_once(event_text)
    except NameTwiceError as error:
        return error.rest
    except InvalidJsonError:
        return None


def _kind(value: object, findings: Findings) -> Kind | None:
    if isinstance(value, str) and value in _KINDS:
        return Kind(value)
    findings.reject("E1", "kind", f"must be one of {', '.join(_KINDS)}")
    return None


_KINDS: Final = tuple(kind.value for kind in Kind)


def _text(line: Mapping[str, Any], field: str, rule: str, findings: Findings) -> str | None:
    value = line.get(field)
    if value is None or isinstance(value, str):
        return value
    findings.reject(rule, field, "must be a string")
    return None


def _zone(line: Mapping[str, Any], defaults: Defaults, findings: Findings) -> str:
    name = _text(line, "time_zone", "T10", findings) or defaults.time_zone
    try:
        instants.time_zone(name)
    except ValueError as error:
        findings.reject("T10", "time_zone", f"is {error}")
    return name


def _moment(line: Mapping[str, Any], field: str, findings: Findings) -> datetime | None:
    text = _text(line, field, "T1", findings)
    if text is None:
        return None
    moment = instants.parse_iso(text, needs_offset=False)
    if moment is None:
        findings.reject("T1", field, "must be an ISO 8601 time, as in 2026-11-22T12:00:00Z")
    return moment
