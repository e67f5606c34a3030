"""`relay check FILE` shows the bytes that the entries send: compared with the real ones."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from relay.domain.findings import Finding
from relay.domain.kinds import Kind, Surface
from relay_cli.check.answer import described
from relay_cli.check.ndjson import answer, check_streams
from relay_cli.check.run import check_item
from relay_cli.input.event import BareEvent, Defaults, InputEvent
from relay_cli.input.files import read_items
from relay_cli.terminal.errors import CliError
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_http_event,
    make_sqs_event,
    make_web_event,
    make_web_visit,
)
from tests.support.harnesses import AcceptHarness, ForwarderHarness

PATHS = {
    "mobile_event": f"/v1/mobile/{MOBILE_APP}/events",
    "web_event": f"/v1/web/{WEB_APP}/events",
    "web_visit": f"/v1/web/{WEB_APP}/visits",
}
ROUTES = {
    "mobile_event": "POST /v1/mobile/{app_id}/events",
    "web_event": "POST /v1/web/{app_id}/events",
    "web_visit": "POST /v1/web/{app_id}/visits",
}
AS_MILLISECONDS = int(NOW.timestamp() * 1000)
DEFAULTS = Defaults(arrival=NOW)
_LONGEST_BODY = 1_024  # M14


def _told(tmp_path: Path, content: Any, defaults: Defaults = DEFAULTS) -> list[Json]:
    """What `relay check --json` says of the events of a file."""
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content))
    told = []
    for item in read_items(path, defaults):
        result = check_item(item)
        assert result.prepared is not None
        told.append({**described(result.prepared, result.findings), "size": _size(result.prepared)})
    return told


def _size(prepared: Any) -> int:
    return len(prepared.body or b"")


def _of_size(size: int, **more: Any) -> Json:
    """A mobile event without a time, whose payload is of `size` bytes as it is."""
    event = make_event(**more)
    event.pop("eventTime", None)
    event["eventValue"] = {"af_content": ""}
    shortest = json.loads(answer(_line(event), DEFAULTS))["body"]
    event["eventValue"]["af_content"] = "x" * (size - len(shortest.encode()))
    return event


def _line(event: Json) -> bytes:
    return json.dumps({"kind": "mobile_event", "app_id": MOBILE_APP, "event": event}).encode()


def _previewed(kind: str, body: Any, **request: Any) -> list[Json]:
    harness = AcceptHarness()
    harness.add_producer("producer")
    response = harness.post(
        body,
        route=ROUTES[kind],
        app_id=MOBILE_APP if kind == "mobile_event" else WEB_APP,
        token="producer-token",
        query={"preview": "true"},
        **request,
    )
    previews: list[Json] = response.content["events"]
    return previews


@pytest.mark.parametrize("size", [900, 985, 986, 987, 1_001, 1_023, 1_024])
def test_check_size_and_verdict_agree_with_the_preview_of_the_real_accept(
    size: int, tmp_path: Path
) -> None:
    event = _of_size(size)
    envelope = {"app_id": MOBILE_APP, "kind": "mobile_event", "event": event, "event_id": "o-1"}

    (told,) = _told(tmp_path, envelope)
    (preview,) = _previewed("mobile_event", event)

    assert (told["verdict"], told["body"]) == (preview["status"], preview.get("body"))
    assert told["verdict"] == ("send" if size + 38 <= _LONGEST_BODY else "reject")
    assert told["size"] in (0, size + 38)  # "eventTime":"2026-03-02 12:00:00.000",


EVENTS = {
    "mobile_event": {
        "with a time": make_event(),
        "without one": {**make_event(), "eventTime": None},
        "with one that cannot be read": make_event(eventTime="tomorrow"),
        "to be repaired": make_event(eventCurrency=" usd ", email="ada@example.com"),
        "too old": make_event(eventTime="2026-02-01 12:00:00.000"),
        "rejected": make_event(appsflyer_id=None),
        "to be looked up": make_event(appsflyer_id=None, customer_user_id="u-1"),
    },
    "web_event": {
        "with a time": make_web_event(),
        "without one": {**make_web_event(), "timestamp": None},
        "with an id": make_web_event(customer_dedup_id="own-1"),
    },
    "web_visit": {"without a time": {**make_web_visit(), "timestamp": None}},
}
CASES = [(kind, name) for kind, events in EVENTS.items() for name in events]


@pytest.mark.parametrize(("kind", "name"), CASES)
@pytest.mark.parametrize("key", ["order-1", None])
def test_check_request_is_told_as_the_preview_tells_it(
    kind: str, name: str, key: str | None, tmp_path: Path
) -> None:
    event = EVENTS[kind][name]
    headers = {"idempotency-key": key} if key else {}
    app_id = MOBILE_APP if kind == "mobile_event" else WEB_APP
    request = make_http_event(event, route=ROUTES[kind], app_id=app_id, headers=headers)

    (told,) = _told(tmp_path, request, Defaults())
    (preview,) = _previewed(kind, event, headers=headers)

    assert _comparable(told) == _comparable({**preview, "verdict": preview["status"]})


def _comparable(told: Json) -> Json:
    """Without what a fresh id makes different, and with the findings in one order."""
    return {
        "verdict": told["verdict"],
        "url": told.get("url"),
        "body": re.sub("@producer:[0-9a-f]{32}", "@producer:fresh", told.get("body") or ""),
        "recorded": told.get("recorded"),
        "deadline": told.get("deadline"),
        "findings": sorted(json.dumps(one) for one in told["findings"]),
    }


@pytest.mark.parametrize("kind", ["mobile_event", "web_event"])
async def test_check_record_of_lambda_shows_the_bytes_that_the_forwarder_sends(
    kind: str, tmp_path: Path
) -> None:
    event = {**EVENTS[kind]["with a time"], "eventTime": None, "timestamp": None}
    app_id = MOBILE_APP if kind == "mobile_event" else WEB_APP
    harness = ForwarderHarness(Surface.MOBILE if kind == "mobile_event" else Surface.WEB)
    batch = make_sqs_event({"app_id": app_id, "kind": kind, "event": event})

    (told,) = _told(tmp_path, batch, Defaults())
    await harness.forwarder.forward(batch["Records"], lambda: 90.0)

    assert [request.content.decode() for request in harness.appsflyer.requests] == [told["body"]]


# What stands in front of a function


def _rest_api(kind: str, event: Json, **more: Any) -> Json:
    return {
        "resource": "/v1/{proxy+}",
        "path": PATHS[kind],
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "Idempotency-Key": "order-1"},
        "multiValueHeaders": None,
        "queryStringParameters": None,
        "pathParameters": {"proxy": "whatever"},
        "requestContext": {"requestTimeEpoch": AS_MILLISECONDS, "stage": "prod"},
        "body": json.dumps(event),
        "isBase64Encoded": False,
        **more,
    }


def _load_balancer(kind: str, event: Json) -> Json:
    multi = {"content-type": ["application/json"], "idempotency-key": ["order-1"]}
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn"}},
        "httpMethod": "POST",
        "path": PATHS[kind],
        "multiValueHeaders": multi,
        "body": json.dumps(event),
        "isBase64Encoded": False,
    }


def _function_url(kind: str, event: Json) -> Json:
    request = make_http_event(event, headers={"idempotency-key": "order-1"}, route="$default")
    context = {"timeEpoch": AS_MILLISECONDS, "http": {"method": "POST"}}
    return {**request, "rawPath": PATHS[kind], "requestContext": context, "pathParameters": None}


@pytest.mark.parametrize("kind", ["mobile_event", "web_event", "web_visit"])
@pytest.mark.parametrize("form", [_rest_api, _load_balancer, _function_url])
def test_check_reads_requests_of_every_entry_as_the_same_request(
    kind: str, form: Any, tmp_path: Path
) -> None:
    event = next(iter(EVENTS[kind].values()))
    (preview,) = _previewed(kind, event, headers={"idempotency-key": "order-1"})

    (told,) = _told(tmp_path, form(kind, event))

    assert told["body"] == preview["body"]


def _notification(envelope: Json) -> Json:
    return {"Type": "Notification", "MessageId": "n-1", "Message": json.dumps(envelope)}


ENVELOPE = make_envelope(event={**make_event(), "eventTime": None}, event_id="order-1")
WRAPPED: dict[str, Any] = {
    "SNS, on a queue": {"Records": [{"body": json.dumps(_notification(ENVELOPE))}]},
    "SNS, to Lambda": {"Records": [{"EventSource": "aws:sns", "Sns": _notification(ENVELOPE)}]},
    "EventBridge": {"id": "1", "source": "shop", "detail-type": "sale", "detail": ENVELOPE},
    "aws sqs receive-message": {"Messages": [{"MessageId": "m", "Body": json.dumps(ENVELOPE)}]},
}


def test_check_finds_the_envelope_in_what_services_hand_to_lambda(tmp_path: Path) -> None:
    (plain,) = _told(tmp_path, ENVELOPE)

    told = {name: _told(tmp_path, content)[0]["body"] for name, content in WRAPPED.items()}

    assert told == dict.fromkeys(WRAPPED, plain["body"])


def test_check_request_to_another_route_needs_kind_and_app(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(_rest_api("mobile_event", make_event(), path="/hooks/sale")))

    with pytest.raises(CliError, match="--kind and --app-id"):
        read_items(path, DEFAULTS)
    bare = BareEvent(Kind.MOBILE_EVENT, MOBILE_APP)
    (item,) = read_items(path, DEFAULTS, bare)

    assert isinstance(item.content, InputEvent)
    assert item.content.app.id == MOBILE_APP


NO_REQUESTS: dict[str, Json] = {
    "a header without a value": {"headers": {"content-type": None}},
    "an app that is no text": {"pathParameters": {"app_id": []}},
    "no parameters at all": {"pathParameters": 1},
    "a time beyond all": {"requestContext": {"timeEpoch": 10**30}},
}


@pytest.mark.parametrize("changes", list(NO_REQUESTS.values()), ids=list(NO_REQUESTS))
def test_check_request_that_api_gateway_never_sends_is_none(changes: Json, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps({**make_http_event(make_event()), **changes}))

    with pytest.raises(CliError, match="is no request of"):
        read_items(path, DEFAULTS)


def test_check_as_is_shows_the_event_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(ENVELOPE))
    (item,) = read_items(path, DEFAULTS)

    as_is = check_item(item, as_is=True).prepared
    stamped = check_item(item).prepared

    assert as_is is not None
    assert stamped is not None
    assert b"eventTime" not in (as_is.body or b"eventTime")
    assert b'"eventTime":"2026-03-02 12:00:00.000"' in (stamped.body or b"")


# NDJSON


def test_ndjson_stamps_only_if_told(tmp_path: Path, capfdbinary: Any) -> None:
    line = {"id": 1, "kind": "mobile_event", "app_id": MOBILE_APP, "event": ENVELOPE["event"]}
    path = tmp_path / "lines"
    path.write_text(
        json.dumps(line) + "\n" + json.dumps({**line, "first_seen": "2026-03-01T00:00Z"})
    )

    check_streams([path], DEFAULTS, stamped=False, fails=False)
    check_streams([path], DEFAULTS, stamped=True, fails=False)

    bodies = [json.loads(one)["body"] for one in capfdbinary.readouterr().out.splitlines()]
    assert ["eventTime" in one for one in bodies] == [False, False, True, True]
    assert '"eventTime":"2026-03-02 12:00:00.000"' in bodies[2]
    assert '"eventTime":"2026-03-01 00:00:00.000"' in bodies[3]


def test_ndjson_fails_on_a_reject_only_if_told_and_goes_on_behind_a_missing_file(
    tmp_path: Path, capfdbinary: Any
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(_line(make_event()))
    bad.write_bytes(b"[]\n")
    missing = tmp_path / "missing"

    codes = [
        int(check_streams(paths, DEFAULTS, stamped=False, fails=fails))
        for paths, fails in (
            ([bad], False),
            ([bad], True),
            ([good], True),
            ([good, bad], True),
            ([missing, good], True),
        )
    ]

    assert codes == [0, 1, 0, 1, 2]
    out, err = capfdbinary.readouterr()
    assert len(out.splitlines()) == 6
    assert err.count(b"missing cannot be read") == 1


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({}, None),
        ({"id": 1}, 1),
        ({"event_id": "order-1"}, "order-1"),
        ({"id": None, "event_id": "order-1"}, "order-1"),
        ({"id": "a", "event_id": "order-1"}, "a"),
        ({"event_id": ["order-1"]}, None),
    ],
)
def test_ndjson_id_falls_back_to_the_event_id(ids: Json, expected: object) -> None:
    line = {"kind": "mobile_event", "app_id": MOBILE_APP, "event": make_event(), **ids}

    assert json.loads(answer(json.dumps(line).encode(), DEFAULTS))["id"] == expected


def test_check_warns_of_a_look_up_as_accept_does(tmp_path: Path) -> None:
    event = make_event(appsflyer_id=None, customer_user_id="u-1")
    (told,) = _told(tmp_path, make_envelope(event=event))

    found = [Finding(**one) for one in told["findings"] if one["rule"] == "M1"]

    assert [one.severity for one in found] == ["warn"]
