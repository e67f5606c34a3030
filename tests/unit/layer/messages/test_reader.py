"""What senders really put on a queue, and how it is read (section 8 of the contract: Q1 to Q7)."""

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.findings import Finding
from relay.errors import NotAnEnvelopeError
from relay.messages.items import Item
from relay.messages.reader import FEW_ELEMENTS, parse_envelope, read_body, read_content
from tests.support.builders import NOW, Json, make_envelope, make_event
from tests.support.every import every

Found = list[tuple[str, str, str]]
SNS_ID = "1fa2a1b2-5f9e-5a5e-9a5e-1b2c3d4e5f60"
EVENTBRIDGE_ID = "7bf73129-1428-4cd3-a780-95db273d1602"


def text(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content)


def sns(content: object, **more: Any) -> Json:
    return {"Type": "Notification", "MessageId": SNS_ID, "Message": text(content), **more}


def eventbridge(content: Json, **more: Any) -> Json:
    around = {"version": "0", "id": EVENTBRIDGE_ID, "detail-type": "purchase", "source": "shop"}
    return {**around, "detail": content, **more}


def cloudevent(content: object, **more: Any) -> Json:
    return {"specversion": "1.0", "id": "c-1", "type": "purchase", "data": content, **more}


def twice(content: object) -> str:
    return json.dumps(text(content))


def without(*names: str, **more: Any) -> Json:
    return {name: value for name, value in make_envelope().items() if name not in names} | more


def changed(name: str, value: str) -> str:
    """An envelope with this very JSON text as the value of a field."""
    return json.dumps(make_envelope(**{name: "PLACE"})).replace('"PLACE"', value)


def named(found: tuple[Finding, ...]) -> Found:
    return [(one.severity.value, one.rule, one.field) for one in found]


def read_one(body: object) -> Item:
    [item] = read_body(text(body), NOW, "m-1")
    return item


OPENED = ("repair", "Q2", "body")
GOOD: list[tuple[object, Found]] = [
    # around it (Q1)
    (make_envelope(), []),
    ("\ufeff" + text(make_envelope()), []),
    (" \r\n\u200b" + text(make_envelope()) + "\u00a0\u2060\n", []),
    # Q2: wrappers, in every order, and up to four of them
    (twice(make_envelope()), [OPENED]),
    (twice(twice(make_envelope())), [OPENED] * 2),
    (sns(make_envelope()), [OPENED]),
    (sns(make_envelope(), TopicArn="arn:aws:sns:eu-west-1:123456789012:shop"), [OPENED]),
    (sns(twice(make_envelope())), [OPENED] * 2),
    (twice(sns(make_envelope())), [OPENED] * 2),
    (eventbridge(make_envelope()), [OPENED]),
    (sns(eventbridge(make_envelope())), [OPENED] * 2),
    (sns(sns(eventbridge(cloudevent(make_envelope())))), [OPENED] * 4),
    (cloudevent(make_envelope()), [OPENED]),
    (cloudevent(text(make_envelope())), [OPENED] * 2),
    # the three names are enough, whatever else stands there
    (make_envelope(Type="Notification", Message="{}"), [("warn", "Q5", "Type"),
                                                        ("warn", "Q5", "Message")]),
    (make_envelope(detail={}, source=None, specversion="1.0"), [("warn", "Q5", "detail"),
                                                                ("warn", "Q5", "specversion")]),
    # its id (Q4)
    (make_envelope(event_id=1001), [("repair", "Q4", "event_id")]),
    (changed("event_id", "1e3"), [("repair", "Q4", "event_id")]),
    (changed("event_id", "-0.0"), [("warn", "Q4", "event_id")]),
    (make_envelope(event_id=" order-1\u200b"), [("repair", "Q4", "event_id")]),
    (make_envelope(event_id="N/A"), [("warn", "Q4", "event_id")]),
    (make_envelope(event_id="0000-00"), [("warn", "Q4", "event_id")]),
    (make_envelope(event_id=""), [("warn", "Q4", "event_id")]),
    (make_envelope(event_id=" \ufeff"), [("warn", "Q4", "event_id")]),
    (make_envelope(event_id=None), []),
    (make_envelope(event_id="x" * 256), []),
    (make_envelope(event_id=f" {'x' * 256} "), [("repair", "Q4", "event_id")]),
    (changed("event_id", '"a\\ud800"'), []),
    (make_envelope(event_id="Bestellung-\u00e4"), []),
    # Q5: other keys
    (make_envelope(not_before="2026-03-02T13:00:00+01:00"), []),
    (make_envelope(not_before="2026-03-02 13:00"), [("repair", "Q5", "not_before")]),
    (make_envelope(not_before="2026-03-02T13:00:00 UTC"), [("repair", "Q5", "not_before")]),
    (make_envelope(not_before=" 2026-03-02T13:00:00Z"), [("repair", "Q5", "not_before")]),
    (make_envelope(not_before=1772456400000), []),
    (make_envelope(not_before=1772456400), []),
    (make_envelope(not_before="1772456400"), [("repair", "Q5", "not_before")]),
    (make_envelope(not_before=None), []),
    (make_envelope(not_before=" "), []),
    (make_envelope(not_before="2026-03-16T12:00:00Z"), []),
    (make_envelope(event=text(make_event())), [("repair", "Q5", "event")]),
    (make_envelope(event="x"), []),
    (make_envelope(event="[]"), []),
    (make_envelope(event=None), []),
    (make_envelope(event=[]), []),
    (make_envelope(trace="abc", tenant=None, note=" "), [("warn", "Q5", "trace")]),
    (make_envelope(**{"jane@example.com": 1}),
     [("warn", "Q5", "(a field whose name cannot be shown)")]),
    (make_envelope(**{"x" * 65: 1}), [("warn", "Q5", "(a field whose name cannot be shown)")]),
    (make_envelope(**{f"key{number}": 1 for number in range(22)}),
     [*(("warn", "Q5", f"key{number}") for number in range(20)), ("warn", "Q5", "body")]),
    (make_envelope(eventId="order-2"), [("warn", "Q5", "eventId")]),
    (without("event_id", event_id=5, eventId="6"),
     [("repair", "Q4", "event_id"), ("warn", "Q5", "eventId")]),
    (make_envelope(reason="x", status=500, dead_since="x", sha256="x"), []),
    *((make_envelope(**{name: value}), [("warn", "Q5", name)]) for name, value in {
        "attempts": 1001, "first_seen": "2026-03-02T12:00:00", "held_since": {},
        "source": "jane@example.com", "resend": "x", "content_sha256": "0", "findings": "x",
    }.items()),
    *((changed("attempts", value), [("warn", "Q5", "attempts")]) for value in ("-1", '"3"', "true",
                                                                              "1e999999999999")),
    (changed("first_seen", "1e400"), [("warn", "Q5", "first_seen")]),
    (make_envelope(findings=[1] * 10_000), [("warn", "Q5", "findings")]),
    (make_envelope(attempts=None, first_seen=None, findings=None), []),
]  # fmt: skip


def test_read_body_of_what_can_be_read_in_one_way_is_that_and_says_so() -> None:
    wrong = []
    for body, found in GOOD:
        item = read_one(body)
        if item.fault is not None or named(item.findings) != found:
            wrong.append(
                (text(body)[:200], named(item.findings), item.fault and item.fault.finding)
            )
    assert not wrong, wrong


IDS: list[tuple[object, str | None, bool]] = [
    (make_envelope(), "order-1", True),
    (make_envelope(event_id=1001), "1001", True),
    (changed("event_id", "1001.0"), "1001", True),
    (make_envelope(event_id=" order-1\u200b"), "order-1", True),
    (changed("event_id", '"a\\ud800"'), "a\ufffd", True),
    (make_envelope(event_id="null"), None, False),
    (without("event_id"), None, False),
    (sns(make_envelope()), "order-1", True),
    (sns(without("event_id")), SNS_ID, False),
    (sns(make_envelope(event_id="undefined")), SNS_ID, False),
    (eventbridge(without("event_id")), EVENTBRIDGE_ID, False),
    (sns(eventbridge(without("event_id"))), EVENTBRIDGE_ID, False),
    (sns(cloudevent(without("event_id"))), SNS_ID, False),
    (cloudevent(without("event_id")), None, False),
    (eventbridge(without("event_id"), id=5), None, False),
    (sns(eventbridge(without("event_id"), id="")), SNS_ID, False),
    (sns(without("event_id"), MessageId="x" * 129), None, False),
]


def test_read_body_gives_each_event_the_id_that_stays_when_it_is_told_twice() -> None:
    """Q4: its sender's, else that of the innermost SNS or EventBridge wrapper."""
    read = [(body, read_one(body)) for body, _, _ in IDS]

    assert [(body, item.envelope.event_id, item.has_own_id) for body, item in read] == IDS


def test_read_body_reads_the_event_in_a_text_and_a_moment_in_utc() -> None:
    item = read_one(make_envelope(event=text(make_event()), not_before="2026-03-02 13:00 +05:30"))

    assert item.envelope.event == make_event()
    assert item.envelope.not_before == datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


HELD = make_event()
BASE64 = base64.b64encode(json.dumps(make_envelope()).encode()).decode()
ODD_IDS: list[object] = [True, 1.5, -1, [], {}, "x" * 257]
ODD_MOMENTS: list[object] = [
    *("x", "2026-11-22", True, [], 978307200000, "9999-12-31T23:59:59-01:00"),
]
ODD_KINDS: list[object] = [None, 5, "fax", [], "jane@example.com"]
ODD_APPS: list[object] = [None, 5, True, [], "x" * 256]
BAD: list[tuple[object, str, str, str, bool]] = [
    # a body, the fault's rule and field, what its message says, and whether the event is kept
    ("", "E3", "body", "not JSON", False),
    ("\ufeff", "E3", "body", "not JSON", False),
    ("jane@example.com", "E3", "body", "not JSON", False),
    ("[" * 100_000, "E3", "body", "nested too deeply", False),
    ("1e99999999999999999999", "E3", "body", "not JSON", False),
    ("[" + "1," * 100_000 + "1]", "E3", "body", "more names and values", False),
    *((body, "Q2", "body", "no envelope", False) for body in ("null", "5", '"x"', "{}")),
    ("[]", "Q3", "body", "an empty array", False),
    (sns([]), "Q3", "body", "an empty array", False),
    ([1] * (FEW_ELEMENTS + 1), "Q3", "body", "an array of more and shorter", False),
    # named, and not opened
    ({"requestContext": {}, "responsePayload": {}}, "Q2", "body", "Lambda destination", False),
    ({"Records": [{"s3": {}}]}, "Q2", "body", "an S3 notification", False),
    ({"Records": [{"eventSource": "aws:s3"}]}, "Q2", "body", "an S3 notification", False),
    (sns({"Records": [{"s3": {}}]}), "Q2", "body", "an S3 notification", False),
    ({"Records": []}, "Q2", "body", "a whole Lambda event", False),
    ({"Records": [{"body": text(make_envelope())}]}, "Q2", "body", "a whole Lambda event", False),
    ({"eventSource": "aws:sqs", "body": "{}"}, "Q2", "body", "Pipes", False),
    ({"job": "Send", "data": {}}, "Q2", "body", "task queue", False),
    ({"job_class": "SendJob"}, "Q2", "body", "task queue", False),
    ({"headers": {}, "properties": {}, "body": ""}, "Q2", "body", "task queue", False),
    (BASE64, "Q2", "body", "base64", False),
    (json.dumps(BASE64), "Q2", "body", "base64", False),
    (base64.b64encode(gzip.compress(b"{}")).decode(), "Q2", "body", "base64", False),
    (base64.b64encode(gzip.compress(b"{" * 9, 0) * 3_000).decode(), "Q2", "body", "base64", False),
    (base64.b64encode(b"{}" * 60_000).decode(), "Q2", "body", "base64", False),
    (base64.b64encode(b"no object, this").decode(), "E3", "body", "not JSON", False),
    ("abcdefghijklmnopqrs=", "E3", "body", "not JSON", False),
    ("abcdefghijklmnopq", "E3", "body", "not JSON", False),
    ('{"app_id":"id1","kind":"mobile_even\\ud800","event":{}}', "Q6", "kind", "mean", True),
    (sns(sns(sns(sns(sns(make_envelope()))))), "Q2", "body", "wrapped too deep", False),
    (twice(twice(twice(twice(twice(make_envelope()))))), "Q2", "body", "wrapped too deep", False),
    (sns("x"), "Q2", "body", "no envelope", False),
    (cloudevent("x"), "Q2", "body", "no envelope", False),
    (eventbridge(make_event()), "Q2", "body", "put it under event", True),
    # Q7: where there is an event, it is kept
    (make_event(), "Q2", "body", "put it under event", True),
    (without("app_id"), "Q2", "body", "without app_id", True),
    (without("app_id", appId="id1"), "Q2", "body", "did you mean app_id by appId?", True),
    (without("kind", Kind="mobile_event"), "Q2", "body", "did you mean kind by Kind?", True),
    (without("kind", event=text(HELD)), "Q2", "body", "without kind", True),
    (without("event", **HELD), "Q2", "body", "without event", True),
    (without("event", events=[HELD]), "Q2", "body", "did you mean event by events?", False),
    ({"user_id": {"customer_user_id": "u"}}, "Q2", "body", "put it under event", True),
    (without("app_id", event=5), "Q2", "body", "without app_id", False),
    # Q4, Q5: an id that would not be used is no envelope
    *((make_envelope(event_id=value), "Q4", "event_id", "no envelope", True)
      for value in ODD_IDS),
    *((without("event_id", **{name: "o-1"}), "Q5", name, "did you mean event_id?", True)
      for name in ("eventId", "event-id", "EventID", "event_ids", "eventid", "evnt_id")),
    (without("event_id", event_id="null", eventId="o-1"), "Q5", "eventId", "event_id?", True),
    (make_envelope(notBefore="x"), "Q5", "notBefore", "did you mean not_before?", True),
    # a moment that is none
    *((make_envelope(not_before=value), "Q5", "not_before", "no time", True)
      for value in ODD_MOMENTS),
    (make_envelope(not_before="2026-03-16T12:00:00.001Z"), "Q5", "not_before", "14 days", True),
    # Q6
    *((make_envelope(kind=value), "Q6", "kind", "did you mean mobile_event?", True)
      for value in ("mobile", "MOBILE_EVENT", " mobile_event", "mobile-event", "inapp")),
    (make_envelope(kind="web"), "Q6", "kind", "did you mean web_event?", True),
    (make_envelope(kind="visit"), "Q6", "kind", "did you mean web_visit?", True),
    *((make_envelope(kind=value), "Q6", "kind", "must be one of", True)
      for value in ODD_KINDS),
    *((make_envelope(app_id=value), "Q6", "app_id", "app id", True)
      for value in ODD_APPS),
    (make_envelope(app_id=""), "E8", "app_id", "app id", True),
    # G5
    ('{"app_id":"id1","app_id":"id2","kind":"mobile_event","event":{"eventName":"x"}}',
     "E3", "app_id", "stands twice", True),
    ('{"app_id":"id1","kind":"mobile_event","event":{},"event":{}}', "E3", "event", "twice", False),
    ('{"app_id":"id1","kind":"mobile_event","event":{},"x":{"a":[{"b":1,"b":2}]}}',
     "E3", "b", "stands twice", True),
    ('{"app_id":"id1","kind":"mobile_event","event":{},"j@example.com":1,"j@example.com":2}',
     "E3", "(a field whose name cannot be shown)", "stands twice", True),
    (text(sns(make_envelope()))[:-1] + ',"Subject":1,"Subject":2}', "E3", "Subject", "twice", True),
    (text(sns(make_envelope()))[:-1] + ',"Message":"{}"}', "E3", "Message", "twice", False),
]  # fmt: skip


def test_read_body_of_what_cannot_be_handled_names_the_fault_and_holds_the_event() -> None:
    wrong = []
    for body, rule, field, says, keeps in BAD:
        item = read_one(body)
        fault = item.fault
        assert fault is not None, body
        said = (fault.finding.rule, fault.finding.field, says in fault.finding.message)
        if said != (rule, field, True) or (fault.event is not None) is not keeps:
            wrong.append((text(body)[:120], fault))
        assert "jane" not in fault.finding.message, body
        assert item.envelope.event is None
    assert not wrong, wrong


def test_read_body_of_an_event_whose_name_stands_twice_leaves_that_to_the_rules() -> None:
    """E3 of the event, and nothing of its envelope."""
    item = read_one(changed("event", '{"eventName":"a","eventName":"b","os":"17"}'))

    assert item.fault is None
    assert dict(item.envelope.event) == {"os": "17"}


def test_read_body_keeps_of_a_fault_what_is_in_its_form() -> None:
    item = read_one(make_envelope(kind="mobile", event_id=7, not_before="2026-03-02T13:00:00Z"))

    assert item.fault is not None
    assert item.fault.fields == {
        "app_id": "id123456789",
        "kind": "mobile",
        "event_id": "7",
        "not_before": "2026-03-02T13:00:00.000Z",
    }
    odd = read_one(make_envelope(app_id="jane@example.com", kind="+12025550142", event_id={}))
    assert odd.fault is not None
    assert odd.fault.fields == {}


def test_read_body_of_an_event_alone_takes_nothing_of_an_envelope_into_it() -> None:
    item = read_one({"app_id": "id1", "event_id": "7", **make_event()})

    assert item.fault is not None
    assert item.fault.event == make_event()
    assert item.fault.fields == {"app_id": "id1", "event_id": "7"}


@every("around", [lambda body: body, sns])
def test_read_body_of_s3s_test_message_is_nothing(around: Any) -> None:
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shop"}

    assert list(read_body(text(around(told)), NOW, "m-1")) == []


def test_read_body_of_an_array_is_its_elements_with_ids_of_their_place() -> None:
    """Q3: wrapped elements are not opened."""
    elements = [
        make_envelope(),
        without("event_id"),
        sns(make_envelope()),
        make_event(),
        5,
        make_envelope(event_id="none"),
    ]
    for body, base, opening in ((elements, "m-1", []), (sns(elements), SNS_ID, [OPENED])):
        items = read_body(text(body), NOW, "m-1")
        assert len(read_content(body, NOW)) == len(items)

        said = ("warn", "Q3", "body")
        assert [item.position for item in items] == [0, 1, 2, 3, 4, 5]
        assert [item.fault is None for item in items] == [True, True, False, False, False, True]
        assert items[0].envelope.event_id == "order-1"
        assert items[1].envelope.event_id == f"{base}:1"
        assert items[5].envelope.event_id == f"{base}:5"
        assert named(items[1].findings) == [*opening, said]
        assert named(items[5].findings) == [*opening, ("warn", "Q4", "event_id"), said]


@pytest.mark.untraced  # as much as may come
def test_read_body_of_an_array_of_as_many_envelopes_as_a_message_holds_is_all_of_them() -> None:
    event = {"appsflyer_id": "1-1", "eventName": "af_opened_it"}
    least = {"app_id": "id1", "kind": "mobile_event", "event": event}
    items = read_body(text([least] * 9_000), NOW, "m-1")

    assert len(items) == 9_000
    assert all(item.fault is None for item in items)


def test_read_body_of_what_is_nested_deeply_in_an_array_is_its_elements() -> None:
    [item] = read_body("[" * 900 + "]" * 900, NOW, "m-1")

    assert item.fault is not None


@every("body", [[make_envelope()], {"Service": "Amazon S3"}, {}, ""])
def test_parse_envelope_of_what_is_not_one_envelope_raises(body: object) -> None:
    with pytest.raises(NotAnEnvelopeError):
        parse_envelope(text(body))
