"""Checks an event as it comes in: the event, with a time of its own from then on (Q8). Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from relay.domain.kinds import App, Kind
from relay.messages.carried import together
from relay.messages.envelope import TIME_FIELDS, stamped
from relay.rules import mobile, web
from relay.rules.identity_lookup import prepare_with_lookup
from relay.rules.prepare import Prepared

_KNOWN: Final = {
    Kind.MOBILE_EVENT: mobile.KNOWN_FIELDS,
    Kind.WEB_EVENT: web.KNOWN_FIELDS,
    Kind.WEB_VISIT: web.KNOWN_FIELDS,
}


def prepare_arrival(
    kind: Kind,
    app: App,
    event: object,
    came_in: datetime,
    now: datetime,
    event_id: str | None,
    appsflyer_id: str | None = None,
) -> Prepared:
    """Like `prepare_with_lookup`; an event without a time that can be read gets that of its coming.

    Stamped at once where no other name in it can mean its time; otherwise once it is known that
    none does, or that its time was left out (M6).
    """
    complete = event
    if isinstance(event, dict) and event.keys() <= _KNOWN[kind]:
        complete = stamped(kind, event, came_in)
    prepared = prepare_with_lookup(kind, app, complete, now, event_id, appsflyer_id)
    if prepared.body is None or TIME_FIELDS[kind] in prepared.event:
        return prepared
    complete = stamped(kind, prepared.event, came_in)
    again = prepare_with_lookup(kind, app, complete, now, event_id, appsflyer_id)
    return replace(again, findings=together(prepared.findings, again.findings))
