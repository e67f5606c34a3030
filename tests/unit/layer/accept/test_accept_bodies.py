"""What real senders put into a request (section 8 of the contract: X1 to X6)."""

import base64
import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest

from relay.accept.bodies import MAX_BODY_BYTES, MAX_EVENTS
from relay.accept.requests import digest_of
from relay.exact_json import loads
from tests.support.builders import Json, make_envelope, make_event, make_http_event
from tests.support.harnesses import AcceptHarness, HttpResponse

PREVIEW = {"query": {"preview": "true"}}


@pytest.fixture
def harness() -> AcceptHarness:
    return AcceptHarness()


def post_bytes(harness: AcceptHarness, body: bytes, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    event = make_http_event(base64.b64encode(body).decode(), headers=named)
    return harness.handle(event | {"isBase64Encoded": True})


def written(content: object) -> bytes:
    return json.dumps(content).encode()


EVENT = written(make_event())
BOM = b"\xef\xbb\xbf"
PACKED = gzip.compress(EVENT)
TOO_MUCH = gzip.compress(b" " * (MAX_BODY_BYTES + 1))
BODIES: list[tuple[bytes, dict[str, str], int, str]] = [
    # X1
    (BOM + EVENT, {}, 202, ""),
    (BOM + BOM + EVENT, {}, 400, "not JSON"),
    (EVENT, {"content_type": "application/json; charset=utf-16"}, 202, ""),
    (EVENT, {"content_type": "Application/JSON;x=y"}, 202, ""),
    *((EVENT, {"content_type": other}, 415, "application/json")
      for other in ("", "text/plain", "application/cloudevents+json", "application/x-ndjson")),
    (EVENT.decode().encode("utf-16"), {}, 400, "not UTF-8"),
    ("é".encode("latin-1"), {}, 400, "not UTF-8"),
    (EVENT[:-1] + b',"os":"17"}', {}, 400, "breaks a rule"),
    # X2
    (PACKED, {}, 202, ""),
    (PACKED, {"content_encoding": "gzip"}, 202, ""),
    (PACKED, {"content_encoding": "deflate"}, 202, ""),
    (EVENT, {"content_encoding": "gzip"}, 202, ""),
    (EVENT, {"content_encoding": "GZIP, identity"}, 202, ""),
    (EVENT, {"content_encoding": "br"}, 202, ""),
    (gzip.compress(BOM + EVENT), {}, 202, ""),
    (gzip.compress(EVENT[:50]) + gzip.compress(EVENT[50:]), {}, 202, ""),
    (b"".join(gzip.compress(EVENT[at : at + 1]) for at in range(len(EVENT))), {}, 202, ""),
    (PACKED + b"\0", {}, 400, "gzip"),
    (PACKED + b"\x1f", {}, 400, "gzip"),
    (PACKED + EVENT, {}, 400, "gzip"),
    (PACKED[:-1], {}, 400, "gzip"),
    (PACKED[:-9] + b"\0" * 9, {}, 400, "gzip"),
    (b"\x1f\x8b", {}, 400, "gzip"),
    (gzip.compress(PACKED), {}, 400, "not UTF-8"),
    (gzip.compress(b" " * (MAX_BODY_BYTES - len(EVENT)) + EVENT), {}, 202, ""),
    (TOO_MUCH, {}, 413, str(MAX_BODY_BYTES)),
    (gzip.compress(b" " * (MAX_BODY_BYTES // 2)) * 3, {}, 413, str(MAX_BODY_BYTES)),
    (zlib.compress(EVENT), {"content_encoding": "deflate"}, 415, "gzip"),
    (b"\x8b\x00\x80", {"content_encoding": "br"}, 415, "gzip"),
    (zlib.compress(EVENT), {}, 400, "not UTF-8"),
    # X4, X5
    (written(make_envelope()), {}, 400, "over HTTP send the event alone"),
    (written({"event": make_event(), "app_id": "id1"}), {}, 400, "over HTTP send the event alone"),
    (written({"event": "x", "kind": "mobile_event"}), {}, 400, "over HTTP send the event alone"),
    (written({"event": make_event()}), {}, 400, "over HTTP send the event alone"),
    (written({"event": {}, "event_id": "x"}), {}, 400, "over HTTP send the event alone"),
    (written(make_event(event={})), {}, 202, ""),
    (written(make_event(event=None, kind="x")), {}, 202, ""),
    (written({"events": [make_event()]}), {}, 400, "send the array itself"),
    (written({"batch": [], "app": 1}), {}, 400, "send the array itself"),
    (written(make_event(events=[])), {}, 202, ""),
    (written({"events": {}}), {}, 400, "breaks a rule"),
    (b"[]", {}, 400, "an array of events"),
    (b'"x"', {}, 400, "an array of events"),
    (written([{}] * (MAX_EVENTS + 1)), {}, 413, str(MAX_EVENTS)),
]  # fmt: skip


def test_handle_body_is_read_or_refused_in_a_sentence() -> None:
    wrong = []
    for body, headers, status, says in BODIES:
        harness = AcceptHarness()
        answer = post_bytes(harness, body, **headers)
        said = answer.content.get("detail", "")
        if (answer.status, says in said, harness.queued) != (status, True, int(status == 202)):
            wrong.append((body[:80], headers, answer.status, said))
    assert not wrong, wrong


def test_handle_bomb_is_refused_before_it_has_grown(harness: AcceptHarness) -> None:
    """X2: a few kilobytes that would be 160 MB."""
    bomb = gzip.compress(bytes(8_000_000)) * 20
    tracemalloc.start()
    try:
        assert post_bytes(harness, bomb).status == 413
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BODY_BYTES
    finally:
        tracemalloc.stop()


def test_handle_envelope_and_bad_event_in_an_array_stand_alone(harness: AcceptHarness) -> None:
    """X1, X4."""
    twice = json.dumps(make_event())[:-1] + ',"os":"17"}'
    body = f"[{json.dumps(make_envelope())},{json.dumps(make_event())},{twice}]"

    answer = harness.post(body)

    assert answer.status == 207
    assert answer.statuses == ["rejected", "queued", "rejected"]
    findings = [event["findings"] for event in answer.content["events"]]
    assert [one["rule"] for one in (findings[0][0], findings[2][0])] == ["X4", "E3"]
    assert [len(findings[0]), len(findings[2])] == [1, 1]


# X3

ASKED: list[tuple[dict[str, str] | None, int]] = [
    (None, 202),
    *(({"preview": value}, 200) for value in ("", "true", "TRUE", "1", "yes", "Yes")),
    *(({"preview": value}, 202) for value in ("false", "0", "no", "NO")),
    *(({"preview": value}, 400) for value in ("on", "2", " ", "true,true", "true,false", ",")),
]


def test_handle_preview_is_asked_for_in_each_of_its_forms() -> None:
    for query, status in ASKED:
        harness = AcceptHarness()

        assert harness.post(make_event(), query=query).status == status, query
        assert harness.queued == int(status == 202), query


# X6

KEYS: list[tuple[str | None, str | None]] = [
    ("order-1", "order-1"),
    ('"order-1"', "order-1"),
    (' "order-1" ', "order-1"),
    ('" order-1\u200b"', "order-1"),
    ("\u200border-1", "order-1"),
    ('"a,b"', "a,b"),
    ('"', '"'),
    ("x" * 256, "x" * 256),
    (f'"{"x" * 256}"', "x" * 256),
    *((none, None) for none in (None, "", " ", '""', '" "', "null", '"N/A"', "0000-00")),
]


def test_handle_key_is_read_without_quotes_and_edges_or_is_none() -> None:
    for header, key in KEYS:
        harness = AcceptHarness()
        headers = {} if header is None else {"idempotency-key": header}

        answer = harness.post([make_event()], headers=headers)

        [event] = answer.content["events"]
        [message] = harness.mobile
        found = {one["rule"]: one["field"] for one in event["findings"]}
        is_placeholder = header is not None and header.strip('"') in {"null", "N/A", "0000-00"}
        assert message.content["event_id"] == event["event_id"]
        assert found == {
            **({"X6": "Idempotency-Key"} if is_placeholder else {}),
            **({"S6": "Idempotency-Key"} if key is None else {}),
        }, header
        if key is not None and len(key) < 200:
            assert event["event_id"].startswith("@shop/array:"), header
            assert event["event_id"].endswith(":0"), header
            assert key in event["event_id"], header


def test_handle_event_without_a_key_has_a_fresh_id_each_time(harness: AcceptHarness) -> None:
    """W11: AppsFlyer drops by it what SQS delivers twice, and nothing that was sent anew."""
    ids = {harness.post(make_event()).content["events"][0]["event_id"] for _ in range(3)}

    assert len(ids) == 3
    assert {message.content["event_id"] for message in harness.mobile} == ids


# Q8


def test_handle_queues_the_event_as_it_will_be_sent_and_what_was_found(
    harness: AcceptHarness,
) -> None:
    mail = "quill7@example.com"
    event: Json = make_event(
        eventName=" af_purchase", ip=mail, EventCurrency="usd", eventCurrency=None, email=mail,
        **{mail: 1, "note": mail, "eventTime": "x"},
    )  # fmt: skip

    answer = harness.post(event, headers={"idempotency-key": "order-1"})

    [message] = harness.mobile
    told: list[Any] = message.content["findings"]
    assert told == answer.content["events"][0]["findings"]
    assert {one["rule"] for one in told} == {"M2", "M5", "M6", "M7", "M21"}
    assert message.content["event"].keys() == {*make_event(), "email_hashed"}
    assert (message.content["event"]["eventName"], message.content["event"]["eventCurrency"]) == (
        "af_purchase",
        "USD",
    )
    assert message.content["event"]["eventTime"] == "2026-03-02 12:00:00.000"
    assert "quill7" not in message.body


def test_digest_of_what_no_digest_can_be_made_of_is_empty() -> None:
    """Of an event with a number of thousands of digits; it is sent without, or rejected."""
    assert digest_of({"note": loads(f"1e{5_000}")}) == b""
    assert digest_of({"note": 1}) != b""
