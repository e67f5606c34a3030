"""Turns an event into a payload: checks every rule, collects all findings, sends nothing.

Pure: the current moment is an argument; nothing is read from the environment, nothing is kept.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from relay import instants
from relay.domain.findings import Finding, Findings
from relay.domain.kinds import ENDPOINTS, App, Kind, Surface
from relay.exact_json import DoubledObject, without_lone_surrogates
from relay.instants import Recorded
from relay.rules import mobile, web
from relay.rules.app_ids import check_app_id
from relay.rules.fields import reject_name_twice
from relay.rules.identity_fields import IDENTITY_FIELDS
from relay.rules.kept import kept_event, kept_form
from relay.rules.payload import CheckedEvent, Content


class Prepared(NamedTuple):
    """What would be sent for one event, and all findings about it."""

    kind: Kind
    app_id: str
    path: str
    """Percent-encoded path of the request (E1, E8)."""
    body: bytes | None
    """The exact bytes of the payload; None if the event is rejected."""
    findings: tuple[Finding, ...]
    recorded: Recorded | None
    """T12: the time that AppsFlyer records, or would, if the payload arrives now; None only if
    there is no event to read (E3)."""
    deadline: datetime | None
    """T11: the last moment at which AppsFlyer keeps the event's own time; None if it has none."""
    has_revenue: bool
    """Whether it carries revenue, and is counted once only (M4, W3)."""
    content: Content
    event: dict[str, Any]
    """The only form that may be queued and kept: as it is sent (Q8), or, of a rejected event, as it
    came, hashed and without what may be a person's (Q7)."""
    hashes: Mapping[str, str]
    """The hashed identity fields that are sent, or would be."""

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

    `event` is any JSON value, parsed with `exact_json.loads`, or with `loads_once`: an object that
    holds a name twice is rejected (G5). `now` is the moment at which the payload would arrive
    (aware, UTC); `event_id` is the sender's id of the event, which web events carry as
    `customer_dedup_id` (W11). Never raises, whatever the event contains.
    """
    if not isinstance(event, dict) or isinstance(event, DoubledObject):
        return _no_event(kind, app, event)
    findings = Findings()
    check_app_id(Surface.of(kind), app.id, findings)
    checked = _check(kind, app, event, event_id, findings)
    recorded, deadline = _times(kind, app, checked.content.time, now, findings)
    is_sent = not findings.rejected
    return Prepared(
        kind=kind,
        app_id=app.id,
        path=_path(kind, app.id),
        body=checked.body if is_sent else None,
        findings=findings.as_tuple(),
        recorded=recorded,
        deadline=deadline,
        has_revenue=checked.has_revenue,
        content=checked.content,
        event=_storable(event, checked, event_id, findings),
        hashes=checked.hashes,
    )


def _no_event(kind: Kind, app: App, event: object) -> Prepared:
    """E3 of the event itself: nothing else is looked at."""
    findings = Findings()
    kept: dict[str, Any] = {}
    if isinstance(event, DoubledObject):
        reject_name_twice(event.name, "event", findings)
        kept = kept_event(kind, event, app.phone_region).event
    else:
        findings.reject("E3", "event", "must be a JSON object with AppsFlyer's field names")
    return Prepared(
        kind=kind,
        app_id=app.id,
        path=_path(kind, app.id),
        body=None,
        findings=findings.as_tuple(),
        recorded=None,
        deadline=None,
        has_revenue=False,
        content=_NO_CONTENT,
        event=kept,
        hashes={},
    )


def _check(
    kind: Kind, app: App, event: dict[str, Any], event_id: str | None, findings: Findings
) -> CheckedEvent:
    if kind is Kind.MOBILE_EVENT:
        return mobile.build(app.id, event, app.phone_region, findings)
    return web.build(event, app.phone_region, event_id, findings, is_visit=kind is Kind.WEB_VISIT)


def _path(kind: Kind, app_id: str) -> str:
    """E1, E8."""
    try:
        return ENDPOINTS[kind].path + quote(app_id, safe="")
    except UnicodeEncodeError:
        return ENDPOINTS[kind].path + quote(without_lone_surrogates(app_id), safe="")


def _storable(
    event: dict[str, Any],
    checked: CheckedEvent,
    event_id: str | None,
    findings: Findings,
) -> dict[str, Any]:
    """The event as it may be queued and kept."""
    if findings.rejected:
        return kept_form(event, checked.resolved, checked.sent, checked.hashes)
    has_surrogates = _REPLACEMENT in checked.body
    is_as_it_came = not findings and event is checked.resolved.fields and not has_surrogates
    if is_as_it_came and not event_id and _SENT_IN_ANOTHER_FORM.isdisjoint(event):
        return event
    if not checked.value:
        return dict(checked.sent)
    value = without_lone_surrogates(checked.value) if has_surrogates else checked.value
    return {**checked.sent, "eventValue": value}


_SENT_IN_ANOTHER_FORM: Final = IDENTITY_FIELDS | {"user_id", "consent_data", "app_set_id"}
"""Fields of which not all may be sent although nothing is said of it."""
_REPLACEMENT: Final = "\ufffd".encode()


def _times(
    kind: Kind, app: App, event_time: datetime | None, now: datetime, findings: Findings
) -> tuple[Recorded, datetime | None]:
    """Section 4: the recorded time and the deadline; warns if AppsFlyer records another time."""
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

_TIME_WARNINGS: Final = {
    "T3": "is too old to be kept: AppsFlyer takes it until 02:00 UTC of the next day, and now "
    "records the arrival time",
    "T5": "lies on a later day (UTC): AppsFlyer records the arrival time",
    "T8": "is too old to be kept: AppsFlyer takes it until 00:30 of the next day in the app's "
    "time zone, and now records the arrival time",
    "T9": "lies in the future: AppsFlyer will probably record the arrival time",
}
