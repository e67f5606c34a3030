import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.accept import accept, requests
from relay.accept.bodies import MAX_BODY_BYTES, MAX_EVENTS, MAX_VALUES
from relay.config.producers import token_digest
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_event,
    make_http_event,
    make_web_event,
    make_web_visit,
)
from tests.support.every import every
from tests.support.fakes import aws_error
from tests.support.harnesses import AcceptHarness, HttpResponse

WEB_EVENTS: Json = {"route": "POST /v1/web/{app_id}/events", "app_id": WEB_APP}
WEB_VISITS: Json = {"route": "POST /v1/web/{app_id}/visits", "app_id": WEB_APP}
INVALID = make_event(appsflyer_id=None, customer_user_id=None)
MEBIBYTE = 1_048_576


@pytest.fixture
def harness() -> AcceptHarness:
    return AcceptHarness()


def keyed(key: str) -> Json:
    return {"headers": {"idempotency-key": key}}


def assert_problem(answer: HttpResponse, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.content["status"] == status
    assert answer.content.keys() >= {"type", "title", "detail"}


# Taken


def test_handle_valid_event_is_queued(harness: AcceptHarness) -> None:
    answer = harness.post(make_event())

    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.content["queued"] == 1
    assert len(harness.mobile) == 1


def test_handle_queued_message_is_the_forwarders_envelope(harness: AcceptHarness) -> None:
    harness.post(make_event(), **keyed("order-1"))

    [message] = harness.mobile
    assert message.group == MOBILE_APP
    assert message.delay_seconds == 0
    assert message.content == {
        "app_id": MOBILE_APP,
        "kind": "mobile_event",
        "event": make_event(),
        "event_id": "@shop:order-1",
        "first_seen": "2026-03-02T12:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("event", "request_", "kind"),
    [(make_web_event(), WEB_EVENTS, "web_event"), (make_web_visit(), WEB_VISITS, "web_visit")],
    ids=["event", "visit"],
)
def test_handle_web_kinds_go_to_the_web_queue(
    harness: AcceptHarness, event: Json, request_: Json, kind: str
) -> None:
    assert harness.post(event, **request_).status == 202

    assert [message.content["kind"] for message in harness.web] == [kind]
    assert harness.mobile == []


def test_handle_event_is_queued_in_its_hashed_form(harness: AcceptHarness) -> None:
    """The digest is that of `printf %s john@example.com | sha256sum`."""
    harness.post(make_event(email="John@example.com", phone="(202) 555-0123", last_name="Doe"))

    [message] = harness.mobile
    assert message.content["event"]["email_hashed"] == (
        "855f96e983f1f8e8be944692b6f719fd54329826cb62e98015efee8e2e071dd4"
    )
    for raw in ("John", "john", "555-0123", "2025550123", "Doe"):
        assert raw not in message.body


def test_handle_event_without_a_time_is_stamped_with_the_moment_it_came_in(
    harness: AcceptHarness,
) -> None:
    harness.post(make_event(eventTime=None))

    assert harness.mobile[0].content["event"]["eventTime"] == "2026-03-02 12:00:00.000"


def test_handle_answer_tells_recorded_time_and_deadline(harness: AcceptHarness) -> None:
    """T2, T11."""
    [event] = harness.post(make_event()).content["events"]

    assert event["recorded"] == {
        "time": "2026-03-02T11:59:00.000Z",
        "source": "event",
        "rule": "T2",
    }
    assert event["deadline"] == "2026-03-03T01:59:59.999Z"


def test_handle_answer_tells_warnings(harness: AcceptHarness) -> None:
    answer = harness.post(make_event(os=None), **keyed("order-1"))

    assert [found["rule"] for found in answer.content["events"][0]["findings"]] == ["M12"]


@pytest.mark.parametrize(
    ("event", "headers", "warned"),
    [
        (make_event(), {}, True),
        (make_event(), {"idempotency-key": "order-1"}, False),
        (make_event(eventValue=None, eventCurrency=None), {}, False),
    ],
)
def test_handle_money_without_a_key_is_warned_about(
    harness: AcceptHarness,
    event: Json,
    headers: dict[str, str],
    warned: bool,  # noqa: FBT001 - a column
) -> None:
    """S6: in the answer, and on the queue."""
    answer = harness.post(event, headers=headers)

    in_answer = [found["rule"] for found in answer.content["events"][0]["findings"]]
    in_queue = [found["rule"] for found in harness.mobile[0].content.get("findings", [])]
    assert ("S6" in in_answer, "S6" in in_queue) == (warned, warned)


def test_handle_event_whose_time_is_left_out_is_queued_with_that_of_its_coming(
    harness: AcceptHarness,
) -> None:
    """Q8: a time left out (M6) is as one that never was, so that waiting does not shift it."""
    body = json.dumps(make_event()).replace('"2026-03-02 11:59:00.000"', "1e999")

    assert harness.post(body).status == 202

    assert harness.mobile[0].content["event"]["eventTime"] == "2026-03-02 12:00:00.000"
    assert [found["rule"] for found in harness.mobile[0].content["findings"]] == ["M6", "S6"]


def test_handle_body_as_base64_is_queued(harness: AcceptHarness) -> None:
    body = base64.b64encode(json.dumps(make_event()).encode()).decode()

    assert harness.handle(make_http_event(body) | {"isBase64Encoded": True}).status == 202


# Arrays


def test_handle_array_queues_each_event_with_an_id_of_its_own(harness: AcceptHarness) -> None:
    answer = harness.post([make_event(), make_event()], **keyed("batch-7"))

    assert answer.status == 202
    assert answer.statuses == ["queued", "queued"]
    ids = ["@shop/array:batch-7:0", "@shop/array:batch-7:1"]
    assert [event["event_id"] for event in answer.content["events"]] == ids
    assert [message.content["event_id"] for message in harness.mobile] == ids


def test_handle_array_of_one_has_an_indexed_id_too(harness: AcceptHarness) -> None:
    harness.post([make_event()], **keyed("batch-7"))

    assert harness.mobile[0].content["event_id"] == "@shop/array:batch-7:0"


def test_handle_array_in_part_valid_says_which(harness: AcceptHarness) -> None:
    answer = harness.post([make_event(), INVALID, make_event()])

    assert answer.status == 207
    assert answer.content["queued"] == 2
    assert answer.statuses == ["queued", "rejected", "queued"]
    assert [event["index"] for event in answer.content["events"]] == [0, 1, 2]
    assert answer.content["events"][1]["findings"][0]["rule"] == "M1"
    assert len(harness.mobile) == 2


def test_handle_array_of_as_many_as_allowed_is_queued(harness: AcceptHarness) -> None:
    assert harness.post([make_event()] * MAX_EVENTS).status == 202

    assert len(harness.mobile) == 500


def test_handle_array_of_one_more_is_a_413(harness: AcceptHarness) -> None:
    assert_problem(harness.post([make_event()] * 501), 413)

    assert harness.queued == 0


def test_handle_array_of_nothing_valid_is_a_400_with_all_findings(harness: AcceptHarness) -> None:
    answer = harness.post([INVALID, 5])

    assert_problem(answer, 400)
    assert answer.statuses == ["rejected", "rejected"]
    assert [event["findings"][0]["rule"] for event in answer.content["events"]] == ["M1", "E3"]


# Preview


def test_handle_preview_shows_the_payload_and_queues_nothing(harness: AcceptHarness) -> None:
    answer = harness.post(make_event(), query={"preview": "true"}, **keyed("order-1"))

    assert answer.status == 200
    [event] = answer.content["events"]
    assert event["status"] == "send"
    assert event["url"] == f"https://api3.appsflyer.com/inappevent/{MOBILE_APP}"
    assert json.loads(event["body"])["eventName"] == "af_purchase"
    assert event["recorded"]["rule"] == "T2"
    assert event["deadline"] == "2026-03-03T01:59:59.999Z"
    assert harness.sqs.calls == []


def test_handle_preview_of_an_invalid_event_shows_why(harness: AcceptHarness) -> None:
    answer = harness.post(INVALID, query={"preview": "true"})

    assert answer.status == 200
    [event] = answer.content["events"]
    assert event["status"] == "reject"
    assert event["findings"][0]["rule"] == "M1"
    assert "body" not in event


def test_handle_preview_leaves_its_key_free(harness: AcceptHarness) -> None:
    harness.post(make_event(), query={"preview": "true"}, **keyed("order-1"))

    assert harness.post(make_event(os="18"), **keyed("order-1")).status == 202


def test_handle_preview_of_a_misspelt_yes_queues_nothing(harness: AcceptHarness) -> None:
    assert_problem(harness.post(make_event(), query={"preview": "ture"}), 400)

    assert harness.queued == 0


# Not taken


def test_handle_invalid_event_is_a_400_with_its_findings(harness: AcceptHarness) -> None:
    answer = harness.post(
        make_event(appsflyer_id=None, customer_user_id=None, eventCurrency="QQQ"),
        **keyed("order-1"),
    )

    assert_problem(answer, 400)
    assert [found["rule"] for found in answer.content["findings"]] == ["M1", "M5"]
    assert harness.queued == 0


@pytest.mark.parametrize("body", ["", "{", "nonsense", "NaN", "[]", "{}", "null", '"text"', "5"])
def test_handle_body_that_is_no_event_is_a_400(harness: AcceptHarness, body: str) -> None:
    assert_problem(harness.post(body), 400)

    assert harness.queued == 0


def test_handle_body_that_is_no_utf8_is_a_400(harness: AcceptHarness) -> None:
    body = base64.b64encode(b'{"a": "\xff"}').decode()

    assert_problem(harness.handle(make_http_event(body) | {"isBase64Encoded": True}), 400)


@pytest.mark.parametrize("token", [None, "", "stranger", token_digest("shop-token")])
def test_handle_caller_whom_nobody_knows_is_a_401(
    harness: AcceptHarness, token: str | None
) -> None:
    answer = harness.post(make_event(), token=token)

    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert harness.queued == 0


def test_handle_caller_without_a_token_costs_no_call(harness: AcceptHarness) -> None:
    harness.post(make_event(), token=None)

    assert harness.ssm.calls == []


def test_handle_app_of_somebody_else_is_a_403(harness: AcceptHarness) -> None:
    harness.ssm.parameters["/relay/apps/mobile/id999"] = "{}"

    assert_problem(harness.post(make_event(), app_id="id999"), 403)

    assert harness.queued == 0


def test_handle_app_of_somebody_else_is_not_even_looked_up(harness: AcceptHarness) -> None:
    """Its name takes a free seat in the call for the producers, and causes none."""
    for app_id in ("id999", "id998", "id997"):
        assert_problem(harness.post(make_event(), app_id=app_id), 403)

    assert harness.ssm.calls == [["/relay/producers", "/relay/apps/mobile/id999"]]


def test_handle_of_a_process_that_starts_reads_once(harness: AcceptHarness) -> None:
    assert harness.post(make_event()).status == 202

    assert harness.ssm.calls == [["/relay/producers", f"/relay/apps/mobile/{MOBILE_APP}"]]


def test_handle_app_that_is_listed_by_name_is_read_though_made_up_ids_used_the_allowance_up() -> (
    None
):
    """Who may send for all apps makes ids up; another producer's app must not pay for it."""
    harness = AcceptHarness(processes=1000)
    everything = {"name": "all", "token_sha256": [token_digest("all")], "apps": ["*"]}
    harness.producers.append(everything)
    harness.publish_producers()
    answers = [
        harness.post(make_event(), app_id=f"id{number}", token="all").status for number in range(10)
    ]

    assert answers == [404] * 3 + [503] * 7, "the first one came with the producers"
    assert harness.post(make_event(), app_id=MOBILE_APP, token="all").status == 503
    assert harness.post(make_event(), app_id=MOBILE_APP).status == 202


@pytest.mark.parametrize("app_id", ["id404", "no/such", ""])
def test_handle_unknown_app_is_a_404_even_for_who_may_send_for_all(
    harness: AcceptHarness, app_id: str
) -> None:
    harness.producers[0]["apps"] = ["*"]
    harness.publish_producers()

    assert_problem(harness.post(make_event(), app_id=app_id), 404)

    assert harness.queued == 0


def test_handle_all_apps_means_every_app_that_is_set_up(harness: AcceptHarness) -> None:
    harness.producers[0]["apps"] = ["*"]
    harness.publish_producers()

    assert harness.post(make_event()).status == 202


def test_handle_mobile_app_on_a_web_route_is_not_that_app(harness: AcceptHarness) -> None:
    del harness.ssm.parameters[f"/relay/apps/web/{MOBILE_APP}"]

    assert_problem(harness.post(make_web_event(), **{**WEB_EVENTS, "app_id": MOBILE_APP}), 404)


@pytest.mark.parametrize("route", ["GET /v1/mobile/{app_id}/events", "$default", "POST /v2/x"])
def test_handle_unknown_route_is_a_404(harness: AcceptHarness, route: str) -> None:
    assert_problem(harness.post(make_event(), route=route), 404)


def test_handle_body_over_the_limit_is_a_413(harness: AcceptHarness) -> None:
    answer = harness.post(" " * (MAX_BODY_BYTES + 1))

    assert_problem(answer, 413)
    assert "5242880" in answer.content["detail"]


def test_handle_body_of_too_many_values_is_a_413_that_says_so(harness: AcceptHarness) -> None:
    answer = harness.post(f"[{'[],' * (MAX_VALUES // 2)}0]")

    assert_problem(answer, 413)
    assert "more than 250000 names and values" in answer.content["detail"]


@pytest.mark.untraced  # as much as may come
def test_handle_as_many_events_as_allowed_of_hundreds_of_fields_are_queued(
    harness: AcceptHarness,
) -> None:
    """Far more than 1,024 bytes can hold, which AppsFlyer takes of a mobile event."""
    event = make_web_event(event_value={f"f{number}": number for number in range(200)})

    answer = harness.post([event] * MAX_EVENTS, **WEB_EVENTS)

    assert answer.content["queued"] == MAX_EVENTS


def test_handle_body_at_the_limit_is_read(harness: AcceptHarness) -> None:
    event = json.dumps(make_event())

    assert harness.post(event + " " * (MAX_BODY_BYTES - len(event))).status == 202


def test_handle_other_content_type_is_a_415(harness: AcceptHarness) -> None:
    assert_problem(harness.post(make_event(), headers={"content-type": "text/plain"}), 415)

    assert harness.queued == 0


# Producers


def test_handle_token_is_known_by_each_of_its_hashes(harness: AcceptHarness) -> None:
    harness.producers[0]["token_sha256"] = [token_digest("old"), token_digest("new")]
    harness.publish_producers()

    assert [harness.post(make_event(), token=token).status for token in ("old", "new")] == [
        202,
        202,
    ]


def test_handle_each_producer_may_send_for_its_own_apps_only(harness: AcceptHarness) -> None:
    harness.producers[0]["apps"] = [WEB_APP]
    harness.producers.append(
        {"name": "crm", "token_sha256": [token_digest("crm-token")], "apps": [MOBILE_APP]}
    )
    harness.publish_producers()

    assert harness.post(make_event(), token="crm-token").status == 202
    assert harness.post(make_event(), token="shop-token").status == 403
    assert harness.post(make_web_event(), token="crm-token", **WEB_EVENTS).status == 403


def test_handle_strangers_make_us_read_at_most_every_ten_seconds(harness: AcceptHarness) -> None:
    harness.post(make_event())
    harness.clock.advance(60)
    before = len(harness.ssm.calls)

    for number in range(9):
        harness.post(make_event(), token=f"stranger-{number}")
        harness.clock.advance(1)

    assert len(harness.ssm.calls) == before + 1


# Parameter Store


def test_handle_while_parameter_store_is_down_is_a_503(harness: AcceptHarness) -> None:
    harness.ssm.error = aws_error("ThrottlingException")

    answer = harness.post(make_event())

    assert_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"


def test_handle_while_an_apps_settings_cannot_be_read_is_a_503(harness: AcceptHarness) -> None:
    harness.ssm.forbidden.add(f"/relay/apps/mobile/{MOBILE_APP}")

    assert_problem(harness.post(make_event()), 503)


def test_handle_while_parameter_store_is_down_goes_on_with_what_was_read(
    harness: AcceptHarness,
) -> None:
    harness.post(make_event())
    harness.clock.advance(100_000)
    harness.ssm.error = aws_error("ThrottlingException")

    assert harness.post(make_event()).status == 202


@pytest.mark.parametrize(
    "name", ["/relay/producers", f"/relay/apps/mobile/{MOBILE_APP}"], ids=["producers", "app"]
)
def test_handle_malformed_parameter_is_a_503_that_only_the_log_explains(
    harness: AcceptHarness, name: str, lines: Callable[[], list[Json]]
) -> None:
    harness.ssm.parameters[name] = '{"secret-looking": '

    answer = harness.post(make_event())

    assert_problem(answer, 503)
    assert name not in answer.text
    logged = lines()
    assert [line["key"] for line in logged] == [name]
    assert "secret-looking" not in json.dumps(logged)


def test_handle_app_that_was_asked_for_before_it_was_set_up_is_known_after_ten_seconds(
    harness: AcceptHarness,
) -> None:
    harness.producers[0]["apps"] = ["*"]
    harness.publish_producers()
    assert_problem(harness.post(make_event(), app_id="id2"), 404)
    harness.ssm.parameters["/relay/apps/mobile/id2"] = "{}"

    harness.clock.advance(10)

    assert harness.post(make_event(), app_id="id2").status == 202


@pytest.mark.parametrize("name", ["/relay/producers", f"/relay/apps/mobile/{MOBILE_APP}"])
def test_handle_parameter_that_is_away_for_a_minute_costs_no_event(
    harness: AcceptHarness, name: str
) -> None:
    harness.post(make_event())
    text = harness.ssm.parameters.pop(name)
    harness.clock.advance(301)
    assert [harness.post(make_event()).status for _ in range(3)] == [202, 202, 202]
    harness.clock.advance(60)
    harness.ssm.parameters[name] = text

    assert harness.post(make_event()).status == 202


def test_handle_malformed_producer_is_that_producers_503_alone(
    harness: AcceptHarness, lines: Callable[[], list[Json]]
) -> None:
    """Logged when the parameter is read, not for each request."""
    harness.producers.append({"name": "crm", "token_sha256": [token_digest("crm-token")]})
    harness.publish_producers()

    answers = [harness.post(make_event(), token="crm-token") for _ in range(3)]

    for answer in answers:
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "5"
    assert harness.post(make_event()).status == 202
    assert harness.post(make_event(), token="stranger").status == 401
    assert [line["problem"] for line in lines()] == ["/relay/producers: 1.apps: Field required"]


def test_handle_malformed_settings_of_an_app_are_a_503_for_that_app_alone(
    harness: AcceptHarness,
) -> None:
    harness.producers[0]["apps"] = ["*"]
    harness.publish_producers()
    harness.ssm.parameters["/relay/apps/mobile/id2"] = '{"time_zone": 5}'

    assert_problem(harness.post(make_event(), app_id="id2"), 503)
    assert harness.post(make_event()).status == 202


# The queue


def test_handle_queue_failing_altogether_is_a_503(harness: AcceptHarness) -> None:
    harness.sqs.error = aws_error("ServiceUnavailable")

    answer = harness.post([make_event(), make_event()])

    assert_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"


def test_handle_queue_failing_for_all_that_is_valid_is_a_503(harness: AcceptHarness) -> None:
    """Nothing was queued: the whole request can be sent again."""
    harness.sqs.error = aws_error("ServiceUnavailable")

    assert_problem(harness.post([make_event(), INVALID]), 503)


def test_handle_queue_failing_in_part_says_which(harness: AcceptHarness) -> None:
    harness.sqs.refuses = lambda entry: "unlucky" in entry["MessageBody"]
    unlucky = make_event(customer_user_id="unlucky")

    answer = harness.post([make_event(), unlucky, INVALID, make_event()])

    assert answer.status == 207
    assert answer.statuses == ["queued", "not_queued", "rejected", "queued"]
    assert answer.content["queued"] == 2


def large_visit(size: int) -> Json:
    return make_web_visit(event_value={"note": "x" * size})


def test_handle_message_too_large_for_the_queue_says_which(harness: AcceptHarness) -> None:
    answer = harness.post([make_web_visit(), large_visit(MEBIBYTE)], **WEB_VISITS)

    assert answer.status == 207
    assert answer.statuses == ["queued", "too_large"]
    assert len(harness.web) == 1


@pytest.mark.parametrize("events", [1, 2])
def test_handle_nothing_small_enough_for_the_queue_is_a_413(
    harness: AcceptHarness, events: int
) -> None:
    """A sender that looks no further than 2xx would take it for queued."""
    assert_problem(harness.post([large_visit(MEBIBYTE)] * events, **WEB_VISITS), 413)

    assert harness.queued == 0


# The visitor's cookie


COOKIE: Json = {"cookies": ["session=1", "afUserId=visitor-p"]}


@pytest.mark.parametrize(
    ("event", "request_"),
    [(make_web_event(), WEB_EVENTS), (make_web_visit(), WEB_VISITS)],
    ids=["event", "visit"],
)
def test_handle_web_call_takes_the_visitor_from_the_cookie(
    harness: AcceptHarness, event: Json, request_: Json
) -> None:
    """W14."""
    harness.post(event, **request_, **COOKIE)

    assert harness.web[0].content["event"]["user_id"] == {
        "customer_user_id": "user-1",
        "appsflyer_id": "visitor-p",
    }


@pytest.mark.parametrize(
    "user_id", [None, {}, {"appsflyer_id": None}, {"appsflyer_id": ""}, {"appsflyer_id": " "}]
)
def test_handle_web_call_without_any_user_is_the_visitors(
    harness: AcceptHarness, user_id: Any
) -> None:
    """W1 is met by the cookie; blank is absent."""
    assert harness.post(make_web_visit(user_id=user_id), **WEB_VISITS, **COOKIE).status == 202

    assert harness.web[0].content["event"]["user_id"] == {"appsflyer_id": "visitor-p"}


def test_handle_web_call_with_a_visitor_of_its_own_keeps_it(harness: AcceptHarness) -> None:
    harness.post(make_web_visit(user_id={"appsflyer_id": "own-p"}), **WEB_VISITS, **COOKIE)

    assert harness.web[0].content["event"]["user_id"] == {"appsflyer_id": "own-p"}


@pytest.mark.parametrize("user_id", ["", [], 0, False, "user-1"])
def test_handle_web_call_with_a_user_of_the_wrong_type_is_not_covered_up(
    harness: AcceptHarness, user_id: Any
) -> None:
    answer = harness.post(make_web_visit(user_id=user_id), **WEB_VISITS, **COOKIE)

    assert_problem(answer, 400)
    assert answer.content["findings"][0]["rule"] == "W1"


def test_handle_web_call_with_an_empty_cookie_stays_as_it_is(harness: AcceptHarness) -> None:
    harness.post(make_web_visit(), **WEB_VISITS, cookies=["afUserId="])

    assert harness.web[0].content["event"]["user_id"] == {"customer_user_id": "user-1"}


def test_handle_web_event_that_is_no_object_stays_as_it_is(harness: AcceptHarness) -> None:
    assert_problem(harness.post(["text"], **WEB_VISITS, **COOKIE), 400)


def test_handle_mobile_call_takes_nothing_from_cookies(harness: AcceptHarness) -> None:
    harness.post(make_event(), **COOKIE)

    assert harness.mobile[0].content["event"] == make_event()


# Idempotency keys


@pytest.mark.parametrize("key", ["x" * 257, "a\x07b", "a,b", '"a","b"'])
def test_handle_key_that_cannot_be_one_is_a_400(harness: AcceptHarness, key: str) -> None:
    assert_problem(harness.post(make_event(), **keyed(key)), 400)

    assert harness.queued == 0


def test_handle_same_key_and_body_is_queued_again_under_the_same_id(harness: AcceptHarness) -> None:
    """The forwarder tells them for one; a sender that heard nothing must be able to ask again."""
    answers = [harness.post(make_event(), **keyed("order-1")) for _ in range(2)]

    assert [answer.status for answer in answers] == [202, 202]
    assert {message.content["event_id"] for message in harness.mobile} == {"@shop:order-1"}


def test_handle_same_key_with_another_body_is_a_422(harness: AcceptHarness) -> None:
    harness.post(make_event(), **keyed("order-1"))

    assert_problem(harness.post(make_event(os="18"), **keyed("order-1")), 422)

    assert harness.queued == 1


def test_handle_same_key_with_another_body_leaves_the_first_body_in_force(
    harness: AcceptHarness,
) -> None:
    harness.post(make_event(), **keyed("order-1"))
    harness.post(make_event(os="18"), **keyed("order-1"))

    assert harness.post(make_event(), **keyed("order-1")).status == 202


def test_handle_key_of_an_invalid_body_is_free_for_the_corrected_one(
    harness: AcceptHarness,
) -> None:
    harness.post(INVALID, **keyed("order-1"))

    assert harness.post(make_event(), **keyed("order-1")).status == 202


def test_handle_key_of_a_body_that_was_not_queued_is_free(harness: AcceptHarness) -> None:
    harness.sqs.error = aws_error("ServiceUnavailable")
    harness.post(make_event(), **keyed("order-1"))
    harness.sqs.error = None

    assert harness.post(make_event(os="18"), **keyed("order-1")).status == 202


def test_handle_key_of_another_app_is_another_key(harness: AcceptHarness) -> None:
    harness.post(make_event(), **keyed("order-1"))

    assert harness.post(make_web_event(), **WEB_EVENTS, **keyed("order-1")).status == 202


def test_handle_key_of_another_producer_is_another_key(harness: AcceptHarness) -> None:
    harness.producers.append(
        {"name": "crm", "token_sha256": [token_digest("crm-token")], "apps": ["*"]}
    )
    harness.publish_producers()
    harness.post(make_event(), **keyed("order-1"))

    assert harness.post(make_event(os="18"), token="crm-token", **keyed("order-1")).status == 202


def test_handle_ever_new_keys_forget_the_one_used_longest_ago(
    harness: AcceptHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(requests, "MOST_EVENTS", 2)
    for key in ("a", "b", "a", "c"):
        harness.post(make_event(), **keyed(key))

    assert harness.post(make_event(os="18"), **keyed("a")).status == 422
    assert harness.post(make_event(os="18"), **keyed("b")).status == 202


# Nothing is repeated


TRACES = ("zenobia", "quill", "5550187", "quixotic")
PERSON: Json = {
    "email": "zenobia.quill@example.com",
    "phone": "+12025550187",
    "first_name": "Zenobia",
    "last_name": "Quillfeather",
}


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        (make_event(**PERSON), {}),
        (make_event(**PERSON), {"query": {"preview": "1"}}),
        (make_event(**PERSON, appsflyer_id=None), {}),
        (make_event(**{**PERSON, "email": "zenobia.quill"}), {}),
        (make_event(**{**PERSON, "phone": "5550187"}), {}),
        (make_event(**PERSON, email_hashed="zenobia.quill"), {}),
        (make_event(**PERSON, eventCurrency="Quixotic"), {}),
        (make_event(**PERSON, **{"zenobia.quill@example.com": 1}), {}),
        ([make_event(**PERSON), {"email": PERSON["email"]}], {}),
        ("zenobia.quill@example.com", {}),
        ([PERSON["email"]], {}),
        (make_event(**PERSON), {"token": "quixotic-token"}),
        (make_event(**PERSON), {"app_id": "zenobia.quill"}),
        (make_event(**PERSON), {"headers": {"idempotency-key": "zenobia" * 40}}),
        (make_event(**PERSON), {"headers": {"content-type": "zenobia/quill"}}),
        (make_event(**PERSON), {"query": {"preview": "zenobia"}}),
        (make_event(**PERSON), {"route": "POST /zenobia"}),
        (make_web_visit(**PERSON), WEB_VISITS),
    ],
)
def test_handle_repeats_nothing_raw_in_answer_log_or_queue(
    harness: AcceptHarness, said: Callable[[], str], body: Any, request_: Json
) -> None:
    answer = harness.post(body, **request_)

    queued = "".join(message.body for message in [*harness.mobile, *harness.web])
    everything = f"{answer.text} {answer.headers} {queued} {said()}".lower()
    assert [trace for trace in TRACES if trace in everything] == []


def test_handle_bug_of_ours_is_a_500_and_its_text_goes_nowhere(
    harness: AcceptHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Lambda runtime would log the text of what escapes."""

    def fail(*_: object) -> None:
        raise RuntimeError("jane@example.com")

    monkeypatch.setattr(accept, "prepare_arrival", fail)

    answer = harness.post(make_event())

    assert_problem(answer, 500)
    assert "jane" not in json.dumps(answer.content) + capsys.readouterr().out


# What a response can hold

LAMBDA_TAKES = 6 * 1024 * 1024
"""Bytes of a response, as Lambda writes it."""


def size_of_response(answer: Json) -> int:
    return len(json.dumps(answer).encode())


def test_previews_that_no_response_holds_are_413_and_say_what_to_do(
    harness: AcceptHarness,
) -> None:
    event = make_web_event(event_value={"note": '"' * 3_000})
    route = "POST /v1/web/{app_id}/events"
    query = {"preview": "true"}

    answer = harness.handle(
        make_http_event([event] * 500, route=route, app_id=WEB_APP, query=query)
    )

    assert_problem(answer, 413)
    assert "send fewer events at once" in answer.content["detail"]


@pytest.mark.untraced  # thousands of events
@every("text", ["x", "\u0000", "\u00e9"])
@every("preview", [True, False])
def test_response_is_never_larger_than_lambda_takes(text: str, *, preview: bool) -> None:
    """However many bytes a character takes in JSON: one, two or six."""
    harness = AcceptHarness()
    query = {"preview": "true"} if preview else None
    for count, lengths in ((1, (2_500,)), (500, (300, 2_500))):
        for length in lengths:
            event = make_web_event(event_value={"note": text * length}, **{text * 9: 1})
            request = make_http_event(
                [event] * count, route="POST /v1/web/{app_id}/events", app_id=WEB_APP, query=query
            )

            assert size_of_response(harness.accept.handle(request)) < LAMBDA_TAKES
