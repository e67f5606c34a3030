"""What public senders send: bodies found in code and pages, written anew with invented values.

Each says what becomes of it, worked out by hand from the rules. None may be refused that AppsFlyer
would record, and none sent that it would lose.

A line holds `id`, `source` and `expect` with a `why`, and one of three things:

- `kind`, `app_id`, `event` (or `event_text`) and `arrival`: an event. Expected are `verdict` and
  `rules`, those of its findings (of a rejected event those of its rejects; with `more` there may
  be others); `sent` are fields of the payload, `left_out` names that it does not have.
- `entry` `queue`: a message's `body`. Expected is the `outcome`; how many messages are put back
  (`count`), and how many dead letters there are beside them (`dead`).
- `entry` `http`: a request's `body`, or its bytes as `base64`. Expected is the status as `outcome`,
  and how many events are queued (`count`).
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from relay.domain.findings import Severity
from relay.domain.kinds import App, Kind, Surface
from relay.exact_json import InvalidJsonError, NameTwiceError, loads, loads_once
from relay.rules.prepare import Prepared, prepare
from tests.support.builders import MOBILE_APP, WEB_APP, Json, make_http_event
from tests.support.harnesses import AcceptHarness, ForwarderHarness, HttpResponse

_DATA = Path(__file__).parents[1] / "data"
_BODIES = [loads(line) for line in (_DATA / "public_bodies.ndjson").read_bytes().splitlines()]
_EVENTS = [body for body in _BODIES if "entry" not in body]
_QUEUED = [body for body in _BODIES if body.get("entry") == "queue"]
_POSTED = [body for body in _BODIES if body.get("entry") == "http"]

_STRINGIFIED = ("eventValue", "custom_data")
_ROUTES: Mapping[str, Json] = {
    "mobile_event": {"route": "POST /v1/mobile/{app_id}/events", "app_id": MOBILE_APP},
    "web_event": {"route": "POST /v1/web/{app_id}/events", "app_id": WEB_APP},
}

Body = Mapping[str, Any]


def test_public_bodies_become_what_the_contract_says() -> None:
    violations = [
        *(line for body in _EVENTS for line in _wrong_event(body)),
        *(line for body in _QUEUED for line in _wrong_message(body)),
        *(line for body in _POSTED for line in _wrong_request(body)),
    ]

    assert violations == [], "\n".join(["", *violations])


def test_public_bodies_are_many_and_each_has_a_source_and_a_reason() -> None:
    assert len(_EVENTS) >= 400
    assert len({body["id"] for body in _BODIES}) == len(_BODIES)
    assert [body["id"] for body in _BODIES if not (body["source"] and body["expect"]["why"])] == []


# Events


def _wrong_event(body: Body) -> Iterator[str]:
    expected = body["expect"]
    prepared = _prepared(body, _event(body))
    found = _rules(prepared)
    if prepared.verdict != expected["verdict"]:
        yield f"{body['id']}: {prepared.verdict}, for {_told(prepared)}; but {expected['why']}"
        return
    wanted = set(expected["rules"])
    if not (found >= wanted if expected.get("more") else found == wanted):
        yield f"{body['id']}: {_told(prepared)}, but {sorted(wanted)}: {expected['why']}"
    if prepared.body is not None:
        yield from _wrong_payload(body, prepared)


def _wrong_payload(body: Body, prepared: Prepared) -> Iterator[str]:
    payload = _parsed(prepared.body or b"")
    for name, value in body["expect"].get("sent", {}).items():
        if payload.get(name) != value:
            yield f"{body['id']}: {name} is not sent as expected: {body['expect']['why']}"
    for name in body["expect"].get("left_out", ()):
        if name in payload:
            yield f"{body['id']}: {name} is sent: {body['expect']['why']}"
    again = _prepared(body, loads(prepared.body or b""))
    if again.body != prepared.body or Severity.REPAIR in {f.severity for f in again.findings}:
        yield f"{body['id']}: prepared again it is another"


def _event(body: Body) -> Any:
    """The event; of one that is told as its text, what a reader of that makes of it."""
    if "event_text" not in body:
        return body["event"]
    try:
        return loads_once(body["event_text"])
    except NameTwiceError as error:
        return error.rest
    except InvalidJsonError:
        return None


def _prepared(body: Body, event: Any) -> Prepared:
    app = App(body["app_id"], body.get("time_zone", "UTC"), body.get("phone_region"))
    arrival = datetime.fromisoformat(body["arrival"])
    return prepare(Kind(body["kind"]), app, event, arrival, body.get("event_id"))


def _rules(prepared: Prepared) -> set[str]:
    """The rules of the findings; of a rejected event those of its rejects alone."""
    return {
        finding.rule
        for finding in prepared.findings
        if prepared.body is not None or finding.severity is Severity.REJECT
    }


def _told(prepared: Prepared) -> str:
    """What `prepare` says, in the order in which it says it."""
    told = [f"{f.severity.value} {f.rule} {f.field}: {f.message}" for f in prepared.findings]
    return " | ".join(told) or "nothing"


def _parsed(payload: bytes) -> dict[str, Any]:
    """The payload with its stringified fields parsed, as the bodies show it."""
    return {
        name: loads(value) if name in _STRINGIFIED and value else value
        for name, value in loads(payload).items()
    }


# Messages on the queues


def _wrong_message(body: Body) -> Iterator[str]:
    expected = body["expect"]
    harness = ForwarderHarness(Surface(body.get("surface", "mobile")))
    failed = asyncio.run(harness.forward(body["body"]))
    sent, waiting, dead = harness.appsflyer.bodies, harness.waiting, harness.dead
    outcome = (
        ("failed" if failed else "")
        or ("sent" if sent else "")
        or ("requeued" if waiting else "")
        or ("dead_letter" if dead else "settled")
    )
    if outcome != expected["outcome"]:
        said = "; ".join(str(letter.get("message")) for letter in dead)
        yield f"{body['id']}: {outcome} ({said}), but {expected['outcome']}: {expected['why']}"
        return
    if len(waiting) != expected.get("count", 0):
        yield f"{body['id']}: {len(waiting)} put back: {expected['why']}"
    if len(dead) != expected.get("dead", int(outcome == "dead_letter")):
        yield f"{body['id']}: {len(dead)} dead letters: {expected['why']}"
    for name, value in expected.get("sent", {}).items():
        if sent[0].get(name) != value:
            yield f"{body['id']}: {name} is not sent as expected: {expected['why']}"


# Requests to the HTTP API


def _wrong_request(body: Body) -> Iterator[str]:
    expected = body["expect"]
    harness = AcceptHarness()
    answer = _answer(harness, body)
    if answer.status != expected["outcome"]:
        wanted = f"{expected['outcome']}: {expected['why']}"
        yield f"{body['id']}: {answer.status} {answer.text}, but {wanted}"
    elif harness.queued != expected.get("count", 0):
        yield f"{body['id']}: {harness.queued} queued: {expected['why']}"


def _answer(harness: AcceptHarness, body: Body) -> HttpResponse:
    route = _ROUTES[body.get("route", "mobile_event")]
    text = body.get("base64", body["body"])
    given: Json = {"headers": body.get("headers"), "query": body.get("query")}
    event = make_http_event(text, **route, **given)
    return harness.handle({**event, "isBase64Encoded": "base64" in body})
