"""Checks an event as it comes in, and what of that stays with it: its time, its digest. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from relay.domain.kinds import App, Kind
from relay.messages.carried import together
from relay.messages.envelope import TIME_FIELDS, Envelope, former_content_digest, stamped
from relay.rules.identity_lookup import prepare_with_lookup
from relay.rules.kept import VOCABULARIES, former_hashed_event
from relay.rules.prepare import Prepared


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
    if isinstance(event, dict) and event.keys() <= VOCABULARIES[kind].known:
        complete = stamped(kind, event, came_in)
    prepared = prepare_with_lookup(kind, app, complete, now, event_id, appsflyer_id)
    if prepared.body is None or prepared.event.get(TIME_FIELDS[kind]) is not None:
        return prepared
    complete = stamped(kind, prepared.event, came_in)
    again = prepare_with_lookup(kind, app, complete, now, event_id, appsflyer_id)
    return again._replace(findings=together(prepared.findings, again.findings))


def former_digest(
    envelope: Envelope, given: Mapping[str, Any], prepared: Prepared, came_in: datetime
) -> str | None:
    """The digest by release 0.1 of the event as it came in (`former_content_digest`).

    None if it can be told from the event as it is queued, which is repaired.
    """

    def digest(event: Mapping[str, Any]) -> str:
        return former_content_digest(envelope, former_hashed_event(event, prepared.hashes), came_in)

    was = digest(given)
    return None if was == digest(prepared.event) else was
