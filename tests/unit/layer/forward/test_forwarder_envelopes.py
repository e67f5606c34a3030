"""What becomes of the bodies that real senders put on a queue (section 8: Q2 to Q8)."""

import json
from typing import Any

import pytest

from relay.domain.kinds import Surface
from relay.exact_json import dumps
from tests.support.builders import (
    MOBILE_APP,
    Json,
    make_envelope,
    make_event,
    make_sqs_event,
    make_web_envelope,
    make_web_event,
)
from tests.support.fakes import OK, Says
from tests.support.harnesses import ForwarderHarness

SNS_ID = "1fa2a1b2-5f9e-5a5e-9a5e-1b2c3d4e5f60"
PERSON = {"email": "quill7@example.com", "phone": "+1 202 555 0142", "first_name": "Ada"}
PLANTED = ("quill7@example.com", "202 555 0142", "2025550142", "Ada", "Quill")


def sns(content: object) -> Json:
    return {"Type": "Notification", "MessageId": SNS_ID, "Message": json.dumps(content)}


def rules_of(findings: Any) -> list[tuple[str, str]]:
    return [(one["rule"], one["field"]) for one in findings]


def sent(harness: ForwarderHarness) -> list[Json]:
    return [json.loads(request.content) for request in harness.appsflyer.requests]


async def test_wrapped_message_that_is_delivered_twice_is_recorded_once() -> None:
    """SNS delivers at least once, each time in another SQS message."""
    harness = ForwarderHarness(deduplicate="money")

    for _ in range(2):
        await harness.forward(sns(make_envelope(event_id=None)))

    assert (len(sent(harness)), harness.waiting, harness.dead) == (1, [], [])


async def test_test_message_of_s3_is_done_without_a_word_to_anybody() -> None:
    harness = ForwarderHarness()
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shop"}

    assert await harness.forward(told, sns(told), make_envelope()) == []

    assert (len(sent(harness)), harness.waiting, harness.dead) == (1, [], [])


# Arrays


def two() -> list[Json]:
    return [make_envelope(event_id=None), make_envelope(event_id="order-2")]


async def test_array_is_put_back_element_by_element_and_then_delivered() -> None:
    harness = ForwarderHarness()

    assert await harness.forward([*two(), make_event(), 5]) == []

    assert sent(harness) == []
    assert [message.content["event_id"] for message in harness.waiting] == ["m-0:0", "order-2"]
    assert [rules_of(message.content["findings"]) for message in harness.waiting] == [
        [("Q3", "body"), ("S6", "event_id")],
        [("Q3", "body")],
    ]
    assert [letter["message"].partition(":")[0] for letter in harness.dead] == [
        "element 2 of an array",
        "element 3 of an array",
    ]
    assert harness.dead[0]["event"] == make_event()
    assert harness.dead[1].keys() >= {"message_id", "bytes", "sha256"}

    await harness.next_round()

    assert (len(sent(harness)), harness.waiting, len(harness.dead)) == (2, [], 2)


async def test_array_comes_again_whole_if_one_element_could_not_be_put_back() -> None:
    """And each of its events is recorded once all the same, in every mode."""
    harness = ForwarderHarness(deduplicate="none")
    quiet = make_event(eventValue=None, eventCurrency=None)
    array = [make_envelope(event=quiet, event_id=None) for _ in range(12)]
    harness.sqs.refuses = lambda entry: entry["Id"] == "11"

    assert await harness.forward(array) == ["m-0"]
    assert len(harness.waiting) == 11
    harness.sqs.refuses = lambda entry: False
    assert await harness.forward(array) == []
    while harness.waiting:  # those told twice at once wait for each other
        await harness.next_round()

    assert (len(sent(harness)), harness.waiting, harness.dead) == (12, [], [])


async def test_array_in_a_wrapper_that_is_delivered_twice_is_recorded_once() -> None:
    harness = ForwarderHarness(deduplicate="none")

    for _ in range(2):
        await harness.forward(sns([make_envelope(event_id=None)] * 2))
        await harness.next_round()

    assert len(sent(harness)) == 2


async def test_array_is_hashed_and_stamped_before_it_waits() -> None:
    harness = ForwarderHarness()
    event = make_event(**PERSON, eventTime=None)

    await harness.forward([make_envelope(event=event)])

    [message] = harness.waiting
    assert message.content["event"]["eventTime"] == "2026-03-02 11:59:55.000"
    assert [planted for planted in PLANTED if planted in message.body] == []


async def test_array_of_rejected_and_of_unknown_and_of_later_events_waits_only_for_the_last() -> (
    None
):
    harness = ForwarderHarness()

    await harness.forward(
        [
            make_envelope(event=make_event(eventName=None)),
            make_envelope(app_id="id1"),
            make_envelope(not_before="2026-03-02T12:10:00Z"),
            make_envelope(event=make_event(appsflyer_id=None)),
        ]
    )

    assert [letter["reason"] for letter in harness.dead] == ["rejected", "unknown_app"]
    assert [message.delay_seconds for message in harness.waiting] == [600, 0]


async def test_array_for_which_no_time_is_left_comes_again() -> None:
    harness = ForwarderHarness()
    records = make_sqs_event(json.dumps(two()))["Records"]

    assert await harness.forwarder.forward(records, lambda: 9.0) == ["m-0"]

    assert (harness.waiting, harness.dead) == ([], [])


# What is kept of it

NO_REGION = {"phone": "(202) 555-0142", "email": "quill7@example.com"}
KEPT: list[tuple[Json, str, list[tuple[str, str]]]] = [
    (make_envelope(app_id="id1"), "unknown_app", [("Q6", "app_id"), ("H5", "phone")]),
    (make_envelope(app_id="id 1"), "rejected", [("E8", "app_id"), ("H5", "phone")]),
    (make_web_envelope(event=make_web_event()), "wrong_queue", [("Q6", "kind"), ("H5", "phone")]),
    (make_envelope(kind="mobile"), "rejected", [("Q6", "kind"), ("H5", "phone")]),
    (make_envelope(kind=5), "rejected", [("Q6", "kind"), ("H5", "phone")]),
    (make_envelope(not_before="x"), "rejected", [("Q5", "not_before"), ("H5", "phone")]),
    (make_envelope(event_id=[]), "not_an_envelope", [("Q4", "event_id"), ("H5", "phone")]),
    (make_envelope(notBefore="x"), "not_an_envelope", [("Q5", "notBefore"), ("H5", "phone")]),
    ({"event": make_event()}, "not_an_envelope", [("Q2", "body"), ("H5", "phone")]),
    (sns({"event": make_event()}), "not_an_envelope",
     [("Q2", "body"), ("Q2", "body"), ("H5", "phone")]),
]  # fmt: skip


def with_person(body: Json) -> Json:
    if "Message" in body:
        return sns(with_person(json.loads(body["Message"])))
    return {**body, "event": {**body["event"], **NO_REGION}}


async def test_event_of_what_cannot_be_handled_is_kept_hashed_with_the_fault() -> None:
    wrong = []
    for body, reason, findings in KEPT:
        harness = ForwarderHarness()
        await harness.forward(with_person(body))

        [letter] = harness.dead
        found = [one for one in rules_of(letter["findings"]) if one[0][0] != "M"]
        text = json.dumps(letter)
        if (
            (letter["reason"], found) != (reason, findings)
            or "email_hashed" not in letter["event"]
            or any(planted in text for planted in PLANTED)
        ):
            wrong.append((body, letter))
    assert not wrong, wrong


async def test_event_of_an_envelope_with_a_wrong_kind_is_hashed_with_its_apps_region() -> None:
    harness = ForwarderHarness()
    harness.ssm.parameters[f"/relay/apps/mobile/{MOBILE_APP}"] = '{"phone_region": "US"}'

    await harness.forward(with_person(make_envelope(kind="mobile")))

    [letter] = harness.dead
    assert letter["event"].keys() >= {"phone_number_hashed", "email_hashed"}
    assert (letter["kind"], letter["event_id"]) == ("mobile", "order-1")


async def test_dead_letter_that_is_too_long_loses_findings_first_and_then_its_event() -> None:
    room = 1_048_576
    for spare, keeps_event in ((4_000, True), (1_000, True), (100, False)):
        harness = ForwarderHarness()
        value = {"note": "x" * (room - spare - 400)}
        body = make_envelope(app_id="id1", event=make_event(eventValue=value, os=None, ip="x"))

        await harness.forward(body)

        [letter] = harness.dead
        assert bool(letter["event"]) is keeps_event, spare
        assert ("sha256" in letter) is not keeps_event
        assert len(dumps(letter)) <= room


async def test_event_of_no_envelope_that_is_too_long_to_keep_leaves_its_digest() -> None:
    harness = ForwarderHarness()
    value = {"note": "x" * (1_048_576 - 500)}

    await harness.forward({"event": make_event(eventValue=value), "app_id": "id1"})

    [letter] = harness.dead
    assert letter.keys() >= {"message_id", "bytes", "sha256"}
    assert "event" not in letter


async def test_message_with_a_fault_for_which_no_time_is_left_goes_back_as_it_came() -> None:
    harness = ForwarderHarness()
    body = json.dumps({"event": make_event()})
    records = make_sqs_event(body)["Records"]

    assert await harness.forwarder.forward(records, lambda: 9.0) == []

    assert [message.body for message in harness.waiting] == [body]


async def test_message_with_a_fault_is_a_dead_letter_also_where_no_setting_can_work() -> None:
    """It does not wait for a person: nothing would become of it."""
    harness = ForwarderHarness(requests_a_second=0.01)

    await harness.forward({"event": make_event()}, make_envelope())

    assert [letter["reason"] for letter in harness.dead] == ["not_an_envelope"]
    assert len(harness.waiting) == 1


# What travels (Q8)


async def test_findings_of_the_first_handling_are_told_in_the_dead_letter_of_the_last() -> None:
    harness = ForwarderHarness(retry_schedule_seconds=(10,))
    harness.appsflyer.says(Says(503), Says(400, "Bad request"))
    event = make_event(eventName=" af_purchase ", ip="quill7@example.com", eventTime="x")

    await harness.forward(sns(make_envelope(event=event, event_id=7)))
    [message] = harness.waiting
    assert "quill7" not in message.body
    await harness.next_round()

    [letter] = harness.dead
    assert [*rules_of(letter["findings"])] == [
        *(("Q2", "body"), ("Q4", "event_id"), ("M2", "eventName"), ("M6", "eventTime")),
        ("M7", "ip"),
    ]
    assert letter["event"]["eventName"] == "af_purchase"
    assert sent(harness)[0] == sent(harness)[1]


async def test_warnings_about_time_are_reckoned_anew() -> None:
    harness = ForwarderHarness(retry_schedule_seconds=(10, 100))
    harness.appsflyer.says(Says(503), OK)
    late = {"rule": "T3", "severity": "warn", "field": "eventTime", "message": "is too old"}

    await harness.forward(make_envelope(findings=[late], first_seen="2026-03-02T11:00:00Z"))

    [message] = harness.waiting
    assert "findings" not in message.content


FORGED: list[Json] = [
    {"rule": "M7", "severity": "warn", "field": "ip", "message": "of quill7@example.com"},
    {"rule": "M7", "severity": "warn", "field": "ip", "message": "call +1 202 555 0142"},
    {"rule": "quill7@example.com", "severity": "warn", "field": "ip", "message": "is wrong"},
    {"rule": "M7", "severity": "quill7", "field": "ip", "message": "is wrong"},
    {"rule": "M7", "severity": "warn", "field": "quill7@example.com", "message": "is wrong"},
    {"rule": "M7", "severity": "reject", "field": "ip", "message": "is wrong"},
    {"rule": "M7", "severity": "warn", "field": "", "message": "is wrong"},
    {"rule": "M7", "severity": "warn", "field": "ip", "message": "x" * 601},
    {"rule": "M7"},
]


async def test_findings_that_are_none_of_the_relays_form_are_not_taken() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))

    await harness.forward(make_envelope(findings=FORGED))

    [message] = harness.waiting
    assert "findings" not in message.content


# How many there were


async def test_findings_are_counted_by_rule_in_the_log_and_by_severity_where_events_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(OK, OK, Says(503))
    repaired = make_event(eventName=" af_purchase ", os=None)

    await harness.forward(
        make_envelope(event=repaired, event_id="1"),
        make_envelope(event=repaired, event_id="2"),
        make_envelope(event=repaired, event_id="3"),
        make_envelope(event=make_event(eventName=None), event_id="4"),
    )

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [batch] = [line for line in lines if line.get("message") == "batch"]
    assert batch["findings"] == {"M12": 2, "M2": 3}
    [metrics] = [line for line in lines if "FindingsWarn" in line and "app_class" in line]
    assert (metrics["FindingsWarn"], metrics["FindingsRepair"]) == ([2.0], [2.0])
    assert metrics["FindingsReject"] == [1.0]


@pytest.mark.parametrize("surface", list(Surface))
async def test_what_was_planted_in_every_wrapper_key_and_value_is_in_no_queue_log_or_metric(
    surface: Surface, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of what is left out, ignored or not understood is kept."""
    mail = "quill7@example.com"
    is_mobile = surface is Surface.MOBILE
    good = make_envelope() if is_mobile else make_web_envelope()
    event = {**good["event"], "ip": mail, "Notiz": mail, mail: 1, **PERSON}
    bad = make_envelope(event=event) if is_mobile else make_web_envelope(event=event)
    around = {"Subject": mail, "MessageAttributes": {mail: {"Type": "String", "Value": mail}}}
    bodies: list[object] = [
        bad,
        {**bad, "note": mail, mail: 1, "source": mail, "findings": FORGED, "first_seen": mail},
        {**bad, "app_id": mail},
        {**bad, "app_id": "Ada Quill"},
        {**bad, "kind": mail},
        {**bad, "not_before": mail},
        {**bad, "event_id": {mail: mail}},
        {**bad, "eventId": mail, "event_id": None},
        {"event": event, mail: mail, "note": "Ada"},
        event,
        {**sns(bad), **around},
        sns(sns({"event": event, **around})),
        {"specversion": "1.0", "data": bad, "subject": mail, mail: mail},
        {"detail-type": mail, "source": mail, "detail": bad, "account": mail},
        {"Records": [{"body": mail, "s3": mail}]},
        {"eventSource": "aws:sqs", "body": mail},
        {"requestContext": mail, "responsePayload": event},
        mail,
        [mail, event, bad, {mail: mail}, None],
    ]
    harness = ForwarderHarness(surface)
    harness.appsflyer.says(Says(503))

    for body in bodies:
        assert await harness.forward(json.dumps(body)) == []

    kept = [message.body for queue in harness.sqs.queues.values() for message in queue]
    assert len(kept) >= len(bodies)
    told = "\n".join([*kept, capsys.readouterr().out])
    assert [planted for planted in PLANTED if planted in told] == []
