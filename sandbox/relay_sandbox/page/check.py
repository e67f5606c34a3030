"""The verdict on what is being typed: the same rules as the relay's, at any moment of arrival."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, dumps
from relay.instants import iso_form
from relay.rules.mobile import MAX_BODY_BYTES
from relay_sandbox.journal.reading import Reading, read_event
from relay_sandbox.journal.trace import Recording
from relay_sandbox.page.repairs import repairs_for
from relay_sandbox.page.surroundings import Surroundings
from relay_sandbox.page.typed import Mistake, Typed, arrival_of, read_typed

PATHS: Final = {
    Kind.MOBILE_EVENT: "/v1/mobile/{}/events",
    Kind.WEB_EVENT: "/v1/web/{}/events",
    Kind.WEB_VISIT: "/v1/web/{}/visits",
}


def check(surroundings: Surroundings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict on `{"text", "kind", "app_id", "event_id", "arrival"}`; raises `PageError`."""
    now = surroundings.observer.clock()
    arrival = arrival_of(asked) or now
    typed = read_typed(asked)
    if isinstance(typed, Mistake):
        return {"verdict": "invalid", "mistake": typed.as_json(), "findings": []}
    zone = surroundings.observer.zone_of(typed.app_id)
    reading = read_event(typed.envelope(), zone, min(now, arrival), arrival)
    return {
        "mistake": None,
        "taken_for": typed.form,
        "events": typed.count,
        "kind": typed.kind.value,
        "app_id": typed.app_id,
        "event_id": typed.event_id,
        **_verdict(typed, reading, arrival, zone),
        "same": same_as(surroundings, typed),
    }


def _verdict(typed: Typed, reading: Reading, arrival: datetime, zone: str) -> dict[str, Any]:
    prepared, recorded = reading.prepared, reading.recorded
    is_mobile = typed.kind is Kind.MOBILE_EVENT
    return {
        "verdict": prepared.verdict,
        "name": reading.name,
        "revenue": reading.revenue,
        "findings": [
            {
                **finding,
                "path": path_of(typed, finding["field"]),
                "repairs": [one.as_json() for one in repairs_for(typed, finding, zone, arrival)],
            }
            for finding in reading.findings
        ],
        "arrival": iso_form(arrival),
        "own_time": _iso(reading.own_time if _has_own_time(typed) else None),
        "deadline": _iso(prepared.deadline if _has_own_time(typed) else None),
        "recorded": (
            Recording(recorded.time, recorded.source, recorded.rule, sure=False).as_json()
            if recorded
            else None
        ),
        "zone": "UTC" if is_mobile else zone,
        "payload": prepared.body.decode() if prepared.body is not None else None,
        "bytes": len(prepared.body) if prepared.body is not None else None,
        "most_bytes": MAX_BODY_BYTES if is_mobile else None,
        "hashed_fields": list(reading.hashed_fields),
    }


def _has_own_time(typed: Typed) -> bool:
    field = "eventTime" if typed.kind is Kind.MOBILE_EVENT else "timestamp"
    return isinstance(typed.event, dict) and typed.event.get(field) is not None


def path_of(typed: Typed, field: str) -> list[str | int]:
    """Where a finding's field stands in what was typed, as far as it is there."""
    if field in {"app_id", "kind", "event_id"}:
        return [*typed.path[:-1], field] if typed.form != "event" else []
    place, path = typed.event, list(typed.path)
    for part in field.split("."):
        if isinstance(place, dict) and part in place:
            place = place[part]
            path.append(part)
        else:
            break
    return path


def same_as(surroundings: Surroundings, typed: Typed) -> dict[str, str]:
    """The same event handed in, or checked, from a terminal."""
    ready = surroundings.ready
    try:
        event = dumps(typed.event).decode()
    except UnwritableError:
        return {}
    envelope = {"app_id": typed.app_id, "kind": typed.kind.value}
    if typed.event_id:
        envelope["event_id"] = typed.event_id
    body = json.dumps(envelope)[:-1] + f', "event": {event}}}'
    path = PATHS[typed.kind].format(quote(typed.app_id, safe=""))
    key = f"  --header {shlex.quote(f'Idempotency-Key: {typed.event_id}')} \\\n"
    queue = "mobile_queue" if typed.kind is Kind.MOBILE_EVENT else "web_queue"
    return {
        "curl": f"curl {ready['api']}{path} \\\n"
        f"  --header 'Authorization: Bearer {ready['producer_token']}' \\\n"
        "  --header 'Content-Type: application/json' \\\n"
        f"{key if typed.event_id else ''}"
        f"  --data-raw {shlex.quote(event)}",
        "aws": "AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox "
        "AWS_DEFAULT_REGION=us-east-1 \\\n"
        f"aws sqs send-message --endpoint-url {ready['aws']} \\\n"
        f"  --queue-url {ready[queue]} \\\n"
        f"  --message-body {shlex.quote(body)}",
        "check": f"printf '%s' {shlex.quote(body)} | relay check -",
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso_form(moment)
