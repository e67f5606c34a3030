import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from relay.aws.sqs import Queue
from relay.domain.kinds import Surface
from relay.forward import forwarder
from relay.http1.errors import (
    ConnectionLostError,
    ExchangeTimeoutError,
    NoConnectionError,
    NoConnectionInTimeError,
    NotHttpError,
)
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_sqs_event,
    make_web_envelope,
    make_web_visit,
)
from tests.support.every import every
from tests.support.fakes import OK, Says, aws_error
from tests.support.harnesses import MOBILE_QUEUE, ForwarderHarness

"""Seconds: a request of at most 3 + 10 s, and two calls to AWS of 7 s."""


# Delivered


@every("answer", [OK, Says(202, '{"status": "accepted"}'), Says(200, "<odd>")])
async def test_forward_event_that_appsflyer_takes_is_done(answer: Says) -> None:
    """E10, E16: with HTTP the status decides."""
    harness = ForwarderHarness()
    harness.appsflyer.says(answer)

    assert await harness.forward(make_envelope()) == []

    assert harness.waiting == []
    assert harness.dead == []


async def test_forward_fully_good_batch_reports_nothing_and_calls_no_queue() -> None:
    harness = ForwarderHarness()

    failed = await harness.forward(*(make_envelope(event_id=f"order-{n}") for n in range(20)))

    assert failed == []
    assert len(harness.appsflyer.requests) == 20
    assert harness.sqs.calls == []


async def test_forward_empty_batch_does_nothing() -> None:
    harness = ForwarderHarness()

    assert await harness.forward() == []

    assert harness.ssm.calls == []


async def test_forward_mobile_event_goes_to_its_app_with_its_token() -> None:
    harness = ForwarderHarness()

    await harness.forward(make_envelope())

    [request] = harness.appsflyer.requests
    assert request.url.path == f"/inappevent/{MOBILE_APP}"
    assert harness.appsflyer.tokens == ["s2s-key-1"]


@every(
    "envelope, path",
    [
        (make_web_envelope(), f"/v2.0/s2s/inapps/app/web/{WEB_APP}"),
        (
            make_web_envelope(kind="web_visit", event=make_web_visit()),
            f"/v2.0/s2s/visits/app/web/{WEB_APP}",
        ),
    ],
    ids=["event", "visit"],
)
async def test_forward_web_kinds_each_go_to_their_endpoint(envelope: Json, path: str) -> None:
    harness = ForwarderHarness(Surface.WEB)

    assert await harness.forward(envelope) == []

    assert [request.url.path for request in harness.appsflyer.requests] == [path]


@every("event_id, sent", [("order-1", "order-1"), (None, "m-0")])
async def test_forward_web_event_carries_its_id_for_deduplication(
    event_id: str | None, sent: str
) -> None:
    """W11: the sender's event id, else the message's."""
    harness = ForwarderHarness(Surface.WEB)

    await harness.forward(make_web_envelope(event_id=event_id))

    assert harness.appsflyer.bodies[0]["customer_dedup_id"] == sent


# Refused, rejected: the dead-letter queue at once


@every(
    "answer, outcome, reason",
    [
        (Says(400, "Bad request"), "refused", "bad_request"),
        (Says(400, "appsflyer_id is a mandatory field"), "refused", "bad_request"),
        (Says(415), "refused", "content_type"),
        (Says(422), "refused", "status_422"),
    ],
)
async def test_forward_event_that_appsflyer_will_never_take_is_a_dead_letter(
    answer: Says, outcome: str, reason: str
) -> None:
    """E11, E15, E17."""
    harness = ForwarderHarness()
    harness.appsflyer.says(answer)

    assert await harness.forward(make_envelope()) == []

    [letter] = harness.dead
    assert (letter["outcome"], letter["reason"]) == (outcome, reason)
    assert letter["status"] == answer.status
    assert letter["attempts"] == 1
    assert harness.waiting == []


async def test_forward_redirect_is_not_followed() -> None:
    """E17: a token must not travel on."""
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(307, "", {"location": "https://elsewhere.example.com/"}))

    await harness.forward(make_envelope())

    assert len(harness.appsflyer.requests) == 1


async def test_forward_event_that_breaks_a_rule_is_never_sent() -> None:
    harness = ForwarderHarness()

    assert (
        await harness.forward(
            make_envelope(event=make_event(appsflyer_id=None, customer_user_id=None))
        )
        == []
    )

    [letter] = harness.dead
    assert letter["outcome"] == "rejected"
    assert letter["findings"][0]["rule"] == "M1"
    assert "attempts" not in letter
    assert harness.appsflyer.requests == []


@every("app_id", ["id999999999", "no/such app", "id1\nx"])
async def test_forward_event_of_an_unknown_app_is_rejected(app_id: str) -> None:
    harness = ForwarderHarness()

    assert await harness.forward(make_envelope(app_id=app_id)) == []

    assert [(letter["outcome"], letter["reason"]) for letter in harness.dead] == [
        ("rejected", "unknown_app")
    ]


@every(
    "surface, envelope",
    [(Surface.MOBILE, make_web_envelope()), (Surface.WEB, make_envelope())],
    ids=["web on mobile", "mobile on web"],
)
async def test_forward_kind_on_the_wrong_queue_is_rejected(
    surface: Surface, envelope: Json
) -> None:
    harness = ForwarderHarness(surface)

    assert await harness.forward(envelope) == []

    assert [(letter["outcome"], letter["reason"]) for letter in harness.dead] == [
        ("rejected", "wrong_queue")
    ]
    assert harness.appsflyer.requests == []


@every(
    "body",
    ["not json", "[]", '{"app_id": "id1"}', '{"kind": "mobile_event", "event": {}}', ""],
)
async def test_forward_body_that_is_no_envelope_is_rejected(body: str) -> None:
    harness = ForwarderHarness()

    assert await harness.forward(body) == []

    [letter] = harness.dead
    assert (letter["outcome"], letter["reason"]) == ("rejected", "not_an_envelope")
    assert letter["message_id"] == "m-0"


@every(
    "moment",
    ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-03-17T12:00:00Z", "soon"],
)
async def test_forward_envelope_of_an_impossible_moment_is_rejected(moment: str) -> None:
    """Q5: beyond what a calendar holds in UTC, or any queue keeps, or none at all."""
    harness = ForwarderHarness()

    assert await harness.forward(make_envelope(not_before=moment), make_envelope()) == []

    [letter] = harness.dead
    assert (letter["reason"], letter["event"]) == ("rejected", make_event())
    assert [(one["rule"], one["field"]) for one in letter["findings"]] == [("Q5", "not_before")]
    assert len(harness.appsflyer.requests) == 1


async def test_forward_body_that_is_no_envelope_still_has_a_message_group() -> None:
    harness = ForwarderHarness()

    await harness.forward("not json")

    [message] = harness.sqs.queues[harness.settings.dead_letter_queue_url]
    assert message.group == "_"


# Deferred: back to its own queue


@every("status", [408, 429, 500, 502, 503, 504, 599])
async def test_forward_event_that_appsflyer_cannot_take_now_waits(status: int) -> None:
    """E16."""
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(status))

    assert await harness.forward(make_envelope()) == []

    [message] = harness.waiting
    assert message.content["attempts"] == 1
    assert message.delay_seconds == 10
    assert harness.dead == []


@every(
    "error",
    [
        NoConnectionError("no"),
        NoConnectionInTimeError("no"),
        ExchangeTimeoutError("no"),
        ConnectionLostError("no"),
        NotHttpError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_forward_event_without_an_answer_waits(error: Exception) -> None:
    """E16."""
    harness = ForwarderHarness()
    harness.appsflyer.says(error)

    assert await harness.forward(make_envelope()) == []

    assert [message.content["attempts"] for message in harness.waiting] == [1]


async def test_forward_waiting_event_keeps_its_apps_message_group() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))

    await harness.forward(make_envelope())

    assert [message.group for message in harness.waiting] == [MOBILE_APP]


async def test_forward_event_that_fails_and_then_succeeds_is_delivered_once() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503), OK)

    await harness.forward(make_envelope())
    failed = await harness.next_round()

    assert failed == []
    assert harness.waiting == []
    assert harness.dead == []


async def test_forward_event_that_always_fails_ends_as_a_dead_letter() -> None:
    """Three waits make four attempts, and the long one hops without using any."""
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503, "try later"))

    await harness.forward(make_envelope())
    while harness.waiting:
        await harness.next_round()

    [letter] = harness.dead
    assert len(harness.appsflyer.requests) == 4
    assert letter["attempts"] == 4
    assert letter["reason"] == "attempts_used_up: status_503"
    assert letter["message"] == "try later"
    assert letter["event_id"] == "order-1"
    assert letter["first_seen"] == "2026-03-02T11:59:55.000Z"


async def test_forward_retry_after_is_waited_for() -> None:
    """E18."""
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(429, "", {"retry-after": "77"}))

    await harness.forward(make_envelope())

    assert [message.delay_seconds for message in harness.waiting] == [77 + 10]


# Time


async def test_forward_before_its_moment_sends_nothing_and_hops() -> None:
    harness = ForwarderHarness()

    assert await harness.forward(make_envelope(not_before="2026-03-02T13:00:00Z")) == []

    [message] = harness.waiting
    assert message.delay_seconds == 900
    assert "attempts" not in message.content
    assert message.content["not_before"] == "2026-03-02T13:00:00.000Z"
    assert harness.appsflyer.requests == []


async def test_forward_at_its_moment_sends() -> None:
    harness = ForwarderHarness()

    await harness.forward(make_envelope(not_before="2026-03-02T12:00:00Z"))

    assert len(harness.appsflyer.requests) == 1


async def test_forward_before_its_moment_hides_raw_values_at_once() -> None:
    harness = ForwarderHarness()
    event = make_event(email="jane@example.com")

    await harness.forward(make_envelope(event=event, not_before="2026-03-02T13:00:00Z"))

    assert "jane" not in harness.waiting[0].body


async def test_forward_before_its_moment_rejects_what_breaks_a_rule_at_once() -> None:
    harness = ForwarderHarness()
    event = make_event(appsflyer_id=None, customer_user_id=None)

    await harness.forward(make_envelope(event=event, not_before="2026-03-02T13:00:00Z"))

    assert [letter["outcome"] for letter in harness.dead] == ["rejected"]


@every("trouble", ["parameters unavailable", "settings malformed"])
async def test_forward_before_its_moment_keeps_that_moment_whatever_else_is_wrong(
    trouble: str,
) -> None:
    """It would otherwise be sent as soon as that is put right, perhaps hours too early."""
    harness = ForwarderHarness()
    if trouble == "settings malformed":
        harness.ssm.parameters[f"/relay/apps/mobile/{MOBILE_APP}"] = "{"
    else:
        harness.ssm.error = aws_error("InternalServerError")

    await harness.forward(make_envelope(not_before="2026-03-02T13:00:00Z"))

    [message] = harness.waiting
    assert message.content["not_before"] == "2026-03-02T13:00:00.000Z"
    assert "attempts" not in message.content


async def test_forward_event_without_a_time_says_the_same_time_on_every_attempt() -> None:
    """Our waiting must not become AppsFlyer's arrival time (T1)."""
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))

    await harness.forward(make_envelope(event=make_event(eventTime=None)))
    while harness.waiting:
        await harness.next_round()

    assert [body["eventTime"] for body in harness.appsflyer.bodies] == [
        "2026-03-02 11:59:55.000"
    ] * 4


async def test_forward_without_time_for_a_call_to_sqs_makes_none() -> None:
    """An invocation that is ended by Lambda sends again what it has delivered."""
    harness = ForwarderHarness(requests_in_flight=1)
    harness.appsflyer.says(Says(503))

    failed = await harness.forward(
        make_envelope(), remaining=lambda: 7.9 if harness.appsflyer.requests else 90.0
    )

    assert failed == ["m-0"]
    assert len(harness.appsflyer.requests) == 1
    assert harness.sqs.calls == []


async def test_forward_when_reporting_fails_does_not_bring_back_what_is_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = ForwarderHarness()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(forwarder, "report_batch", fail)

    assert await harness.forward(make_envelope()) == []


async def test_forward_when_queueing_breaks_brings_back_only_what_had_to_be_queued(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = ForwarderHarness(requests_in_flight=1)
    harness.appsflyer.says(Says(200), Says(503))

    def fail(*_: object, **__: object) -> set[int]:
        raise RuntimeError

    monkeypatch.setattr(Queue, "send", fail)

    assert await harness.forward(make_envelope(), make_envelope()) == ["m-1"]


# Concurrency


class Crowd(httpx.AsyncBaseTransport):
    """Answers nobody until `size` requests are under way, and remembers the largest crowd."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._full = asyncio.Event()
        self._now = 0
        self.largest = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._now += 1
        self.largest = max(self.largest, self._now)
        if self._now == self._size:
            self._full.set()
        await self._full.wait()
        await asyncio.sleep(0)  # lets whoever else would start, start
        self._now -= 1
        return httpx.Response(200)


@every("events, together", [(12, 4), (3, 3)])
async def test_forward_has_as_many_requests_under_way_as_allowed_and_never_more(
    events: int, together: int
) -> None:
    harness = ForwarderHarness(requests_in_flight=4)
    crowd = Crowd(together)
    harness.forwarder = harness.make_forwarder(crowd)

    async with asyncio.timeout(30):
        await harness.forward(*(make_envelope() for _ in range(events)))

    assert crowd.largest == together


async def test_forward_asks_parameter_store_once_for_all_apps_of_a_batch() -> None:
    harness = ForwarderHarness()

    await harness.forward(*(make_envelope(event_id=str(n)) for n in range(5)))
    await harness.forward(make_envelope())

    assert len(harness.ssm.calls) == 1


# Partial failure


def body_has(text: str) -> Callable[[Json], bool]:
    return lambda entry: text in entry["MessageBody"]


async def test_forward_record_that_its_queue_refuses_is_the_only_one_reported() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))
    harness.sqs.refuses = body_has("order-b")

    failed = await harness.forward(
        *(make_envelope(event_id=event_id) for event_id in ("order-a", "order-b", "order-c"))
    )

    assert failed == ["m-1"]
    assert [message.content["event_id"] for message in harness.waiting] == ["order-a", "order-c"]


async def test_forward_when_its_queue_fails_altogether_reports_all_that_should_wait() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.behaviour = lambda r: OK if b"delivered" in r.content else Says(503)
    harness.sqs.error = aws_error("ServiceUnavailable")
    good = make_envelope(event=make_event(customer_user_id="delivered"))

    assert await harness.forward(make_envelope(), good, make_envelope()) == ["m-0", "m-2"]


async def test_forward_dead_letter_that_is_refused_is_the_only_one_reported() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(400))
    harness.sqs.refuses = body_has("order-a")

    failed = await harness.forward(make_envelope(event_id="order-a"), make_envelope())

    assert failed == ["m-0"]
    assert [letter["event_id"] for letter in harness.dead] == ["order-1"]


async def test_forward_when_the_dead_letter_queue_fails_reports_only_its_records() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))
    harness.sqs.broken_queues.add(harness.settings.dead_letter_queue_url)

    failed = await harness.forward(
        "no envelope", make_envelope(), make_envelope(app_id="id404"), make_envelope()
    )

    assert failed == ["m-0", "m-2"]
    assert len(harness.waiting) == 2


async def test_forward_reports_in_the_order_of_the_batch() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))
    harness.sqs.error = aws_error("ServiceUnavailable")

    failed = await harness.forward(*(make_envelope() for _ in range(25)))

    assert failed == [f"m-{n}" for n in range(25)]


async def test_forward_mixed_batch_settles_each_event_by_itself() -> None:
    harness = ForwarderHarness()
    # "d" last: once its token is refused, nothing more is sent with it.
    answers = {"a": OK, "b": Says(503), "c": Says(400), "e": Says(403), "d": Says(401)}
    harness.appsflyer.behaviour = lambda r: answers[json.loads(r.content)["customer_user_id"]]
    envelopes = [
        make_envelope(event_id=user, event=make_event(customer_user_id=user)) for user in answers
    ]

    assert await harness.forward(*envelopes, "no envelope") == []

    assert {message.content["event_id"] for message in harness.waiting} == {"b", "d", "e"}
    assert sorted(letter["outcome"] for letter in harness.dead) == ["refused", "rejected"]


# Our own bugs


async def test_forward_bug_in_one_event_costs_it_one_attempt_and_the_others_nothing() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.behaviour = lambda r: RuntimeError("a bug") if b"unlucky" in r.content else OK
    unlucky = make_envelope(event_id="u", event=make_event(customer_user_id="unlucky"))

    assert await harness.forward(make_envelope(), unlucky, make_envelope()) == []

    assert [(message.content["event_id"], message.content["attempts"])
            for message in harness.waiting] == [("u", 1)]  # fmt: skip
    assert harness.dead == []


async def test_forward_bug_that_stays_ends_as_a_dead_letter() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(RuntimeError("a bug"))

    await harness.forward(make_envelope(attempts=3))

    assert [letter["reason"] for letter in harness.dead] == ["attempts_used_up: unexpected"]


async def test_forward_event_that_can_not_even_be_put_back_is_reported() -> None:
    """Unchecked, for want of settings, and of no JSON form: only SQS itself can keep it."""
    harness = ForwarderHarness()
    harness.ssm.error = aws_error("ThrottlingException")
    body = json.dumps(make_envelope(event={"ua": "\ud800"}))

    assert await harness.forward(body, make_envelope()) == ["m-0"]

    assert len(harness.waiting) == 1


# Uncertain money


async def test_forward_uncertain_money_ends_where_the_setting_says() -> None:
    harness = ForwarderHarness(uncertain_money="dead_letter")
    harness.appsflyer.says(ExchangeTimeoutError("no"))

    await harness.forward(make_envelope())

    [letter] = harness.dead
    assert letter["reason"] == "uncertain_money: read_timed_out"
    assert letter["attempts"] == 1


async def test_forward_takes_lambdas_records_as_they_come() -> None:
    """The moment a message came in is its SentTimestamp."""
    harness = ForwarderHarness()
    records = make_sqs_event(make_envelope(event=make_event(eventTime=None)))["Records"]
    records[0]["attributes"]["SentTimestamp"] = "1772449200123"

    await harness.forwarder.forward(records, lambda: 90.0)

    assert harness.appsflyer.bodies[0]["eventTime"] == "2026-03-02 11:00:00.123"
    assert harness.settings.queue_url == MOBILE_QUEUE


async def test_forward_bug_after_the_request_was_begun_is_uncertain() -> None:
    """E16: with money, and told to keep doubtful money, it is kept for a person."""
    harness = ForwarderHarness(uncertain_money="dead_letter")
    harness.appsflyer.says(RuntimeError("a bug"))
    value = {"af_revenue": "4.99"}

    await harness.forward(make_envelope(event=make_event(eventValue=value)))

    assert harness.waiting == []
    assert len(harness.dead) == 1
