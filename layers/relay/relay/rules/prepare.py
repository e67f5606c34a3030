"""Turns an event into a payload: checks every rule, collects all findings, sends nothing.

Pure: the current moment is an argument; nothing is read from the environment, nothing is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from relay import instants
from relay.domain.findings import Finding, Findings
from relay.domain.kinds import ENDPOINTS, App, Kind
from relay.instants import Recorded
from relay.rules import mobile, web
from relay.rules.fields import without_raw_identity, writable
from relay.rules.hashing import HASHED_FIELDS, PRODUCER_ONLY_FIELDS
from relay.rules.payload import CheckedEvent, Content

_LONGEST_APP_ID: Final = 255


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be sent for one event, and all findings about it."""

    kind: Kind
    app_id: str
    path: str
    """Percent-encoded path of the request (E1, E8)."""
    body: bytes | None
    """The exact bytes of the payload; None if the event is rejected."""
    findings: tuple[Finding, ...]
    recorded: Recorded | None
    """The time that AppsFlyer records if the payload arrives now; None if rejected."""
    deadline: datetime | None
    """T11: the last moment at which AppsFlyer keeps the event's own time; None if it has none."""
    has_revenue: bool
    content: Content
    event: dict[str, Any]
    """The event with its identity hashed: the only form that may be queued or kept."""

    @property
    def verdict(self) -> Literal["send", "reject"]:
        """Whether this event may be sent."""
        return "reject" if self.body is None else "send"

    @property
    def url(self) -> str:
        """The full URL of the request to AppsFlyer."""
        return ENDPOINTS[self.kind].base_url + self.path


def prepare(
    kind: Kind, app: App, event: object, now: datetime, event_id: str | None = None
) -> Prepared:
    """Checks one event against every rule: what would be sent, and what is wrong with it.

    `event` is any JSON value, parsed with `exact_json.loads`; `now` is the moment at which the
    payload would arrive (aware, UTC); `event_id` is the sender's id of the event, which web events
    carry as `customer_dedup_id` (W11). Never raises, whatever the event contains.
    """
    findings = Findings()
    path = _path(kind, app.id, findings)
    if not isinstance(event, dict):
        findings.reject("E3", "event", "must be a JSON object with AppsFlyer's field names")
        event, payload = {}, _NO_PAYLOAD
    else:
        payload = _check(kind, app, event, event_id, findings)
    sendable = not findings.rejected
    storable = _storable(kind, event, payload.hashes, findings)
    recorded, deadline = (
        _times(kind, app, payload.content.time, now, findings) if sendable else (None, None)
    )
    return Prepared(
        kind=kind,
        app_id=app.id,
        path=path,
        body=payload.body if sendable else None,
        findings=findings.as_tuple(),
        recorded=recorded,
        deadline=deadline,
        has_revenue=payload.has_revenue,
        content=payload.content,
        event=storable,
    )


def _check(
    kind: Kind, app: App, event: dict[str, Any], event_id: str | None, findings: Findings
) -> CheckedEvent:
    if kind is Kind.MOBILE_EVENT:
        return mobile.build(app.id, event, app.phone_region, findings)
    return web.build(event, app.phone_region, event_id, findings, is_visit=kind is Kind.WEB_VISIT)


def _path(kind: Kind, app_id: str, findings: Findings) -> str:
    """E1, E8."""
    if kind is Kind.MOBILE_EVENT:
        mobile.check_app_id(app_id, findings)
    # A dot segment would be removed from the path, and the request would go elsewhere.
    if not app_id.strip() or app_id in {".", ".."} or len(app_id) > _LONGEST_APP_ID:
        findings.reject("E8", "app_id", "is no AppsFlyer app id: send it as the dashboard shows it")
        return ""
    try:
        return ENDPOINTS[kind].path + quote(app_id, safe="")
    except UnicodeEncodeError:
        findings.reject("E8", "app_id", "is not valid Unicode text")
        return ""


def _storable(
    kind: Kind, event: dict[str, Any], hashes: Mapping[str, str], findings: Findings
) -> dict[str, Any]:
    """The event as it may be queued and kept (`without_raw_identity`)."""
    known = mobile.KNOWN_FIELDS if kind is Kind.MOBILE_EVENT else web.KNOWN_FIELDS
    is_clean = not findings.as_tuple() and event.keys() <= known
    if is_clean and event.keys().isdisjoint(_IDENTITY_FIELDS):
        return event
    return writable(without_raw_identity(event, known, hashes, is_sent=not findings.rejected))


def _times(
    kind: Kind, app: App, event_time: datetime | None, now: datetime, findings: Findings
) -> tuple[Recorded, datetime | None]:
    """Section T: the recorded time and the deadline; warns if AppsFlyer records another time."""
    if kind is Kind.MOBILE_EVENT:
        recorded = instants.recorded_mobile(event_time, now)
        deadline = instants.mobile_deadline(event_time) if event_time else None
        field = "eventTime"
    else:
        recorded = instants.recorded_web(event_time, now, app.time_zone)
        deadline = instants.web_deadline(event_time, app.time_zone) if event_time else None
        field = "timestamp"
    if recorded.rule in _TIME_WARNINGS:
        findings.warn(recorded.rule, field, _TIME_WARNINGS[recorded.rule])
    return recorded, deadline


_NO_CONTENT: Final = Content(*[None] * len(Content._fields))
_NO_PAYLOAD: Final = CheckedEvent(b"", {}, has_revenue=False, content=_NO_CONTENT)
_IDENTITY_FIELDS: Final = frozenset((*HASHED_FIELDS, *PRODUCER_ONLY_FIELDS))

_TIME_WARNINGS: Final = {
    "T3": "is too old to be kept: AppsFlyer takes it until 02:00 UTC of the next day, and now "
    "records the arrival time",
    "T5": "lies on a later day (UTC): AppsFlyer records the arrival time",
    "T8": "is too old to be kept: AppsFlyer takes it until 00:30 of the next day in the app's "
    "time zone, and now records the arrival time",
    "T9": "lies in the future: what AppsFlyer records is not documented",
}
