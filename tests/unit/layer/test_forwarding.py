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
from tests.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_sqs_event,
    make_web_envelope,
    make_web_visit,
)
from tests.fakes import OK, Says, aws_error
from tests.harnesses import MOBILE_QUEUE, ForwarderHarness

MINIMAL = 27.0
"""Seconds: a request of at most 3 + 10 s, and two calls to AWS of 7 s."""


# Delivered


@pytest.mark.parametrize("answer", [OK, Says(202, '{"status": "accepted"}'), Says(200, "<odd>")])
async def test_forward_event_that_appsflyer_takes_is_done(answer: Says) -> None:
    """E10, E16: with HTTP the status decides."""
    world = ForwarderHarness()
    world.appsflyer.says(answer)

    assert await world.forward(make_envelope()) == []

    assert world.waiting == []
    assert world.dead == []


async def test_forward_fully_good_batch_reports_nothing_and_calls_no_queue() -> None:
    world = ForwarderHarness()

    failed = await world.forward(*(make_envelope(event_id=f"order-{n}") for n in range(20)))

    assert failed == []
    assert len(world.appsflyer.requests) == 20
    assert world.sqs.calls == []


async def test_forward_empty_batch_does_nothing() -> None:
    world = ForwarderHarness()

    assert await world.forward() == []

    assert world.ssm.calls == []


async def test_forward_mobile_event_goes_to_its_app_with_its_token() -> None:
    world = ForwarderHarness()

    await world.forward(make_envelope())

    [request] = world.appsflyer.requests
    assert request.url.path == f"/inappevent/{MOBILE_APP}"
    assert world.appsflyer.tokens == ["s2s-key-1"]


@pytest.mark.parametrize(
    ("envelope", "path"),
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
    world = ForwarderHarness(Surface.WEB)

    assert await world.forward(envelope) == []

    assert [request.url.path for request in world.appsflyer.requests] == [path]


@pytest.mark.parametrize(("event_id", "sent"), [("order-1", "order-1"), (None, "m-0")])
async def test_forward_web_event_carries_its_id_for_deduplication(
    event_id: str | None, sent: str
) -> None:
    """W11: the sender's event id, else the message's."""
    world = ForwarderHarness(Surface.WEB)

    await world.forward(make_web_envelope(event_id=event_id))

    assert world.appsflyer.bodies[0]["customer_dedup_id"] == sent


# Refused, blocked, rejected: the dead-letter queue at once


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        (Says(400, "Bad request"), "refused", "bad_request"),
        (Says(400, "appsflyer_id is a mandatory field"), "refused", "bad_request"),
        (Says(415), "refused", "content_type"),
        (Says(302), "refused", "status_302"),
        (Says(404), "refused", "status_404"),
        (Says(403, "blocked"), "blocked", "account_blocked"),
    ],
)
async def test_forward_event_that_appsflyer_will_never_take_is_a_dead_letter(
    answer: Says, outcome: str, reason: str
) -> None:
    """E11, E14, E15, E17."""
    world = ForwarderHarness()
    world.appsflyer.says(answer)

    assert await world.forward(make_envelope()) == []

    [letter] = world.dead
    assert (letter["outcome"], letter["reason"]) == (outcome, reason)
    assert letter["status"] == answer.status
    assert letter["attempts"] == 1
    assert world.waiting == []


async def test_forward_redirect_is_not_followed() -> None:
    """E17: a token must not travel on."""
    world = ForwarderHarness()
    world.appsflyer.says(Says(307, "", {"location": "https://elsewhere.example.com/"}))

    await world.forward(make_envelope())

    assert len(world.appsflyer.requests) == 1


async def test_forward_event_that_breaks_a_rule_is_never_sent() -> None:
    world = ForwarderHarness()

    assert (
        await world.forward(
            make_envelope(event=make_event(appsflyer_id=None, customer_user_id=None))
        )
        == []
    )

    [letter] = world.dead
    assert letter["outcome"] == "rejected"
    assert letter["findings"][0]["rule"] == "M1"
    assert "attempts" not in letter
    assert world.appsflyer.requests == []


@pytest.mark.parametrize("app_id", ["id999999999", "no/such app", "id1\nx"])
async def test_forward_event_of_an_unknown_app_is_rejected(app_id: str) -> None:
    world = ForwarderHarness()

    assert await world.forward(make_envelope(app_id=app_id)) == []

    assert [(letter["outcome"], letter["reason"]) for letter in world.dead] == [
        ("rejected", "unknown_app")
    ]


@pytest.mark.parametrize(
    ("surface", "envelope"),
    [(Surface.MOBILE, make_web_envelope()), (Surface.WEB, make_envelope())],
    ids=["web on mobile", "mobile on web"],
)
async def test_forward_kind_on_the_wrong_queue_is_rejected(
    surface: Surface, envelope: Json
) -> None:
    world = ForwarderHarness(surface)

    assert await world.forward(envelope) == []

    assert [(letter["outcome"], letter["reason"]) for letter in world.dead] == [
        ("rejected", "wrong_queue")
    ]
    assert world.appsflyer.requests == []


@pytest.mark.parametrize(
    "body",
    ["not json", "[]", '{"app_id": "id1"}', '{"app_id": "id1", "kind": "fax", "event": {}}', ""],
)
async def test_forward_body_that_is_no_envelope_is_rejected(body: str) -> None:
    world = ForwarderHarness()

    assert await world.forward(body) == []

    [letter] = world.dead
    assert (letter["outcome"], letter["reason"]) == ("rejected", "not_an_envelope")
    assert letter["message_id"] == "m-0"


@pytest.mark.parametrize(
    "moment",
    ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-03-02T12:00:00", "soon"],
)
async def test_forward_envelope_of_an_impossible_moment_is_rejected(moment: str) -> None:
    """Beyond what a calendar holds in UTC, without an offset, or none at all."""
    world = ForwarderHarness()

    assert await world.forward(make_envelope(not_before=moment), make_envelope()) == []

    [letter] = world.dead
    assert letter["reason"] == "not_an_envelope"
    assert letter["message"].startswith("not_before: ")
    assert len(world.appsflyer.requests) == 1


async def test_forward_body_that_is_no_envelope_still_has_a_message_group() -> None:
    world = ForwarderHarness()

    await world.forward("not json")

    [message] = world.sqs.queues[world.settings.dead_letter_queue_url]
    assert message.group == "_"


# Deferred: back to its own queue


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
async def test_forward_event_that_appsflyer_cannot_take_now_waits(status: int) -> None:
    """E16."""
    world = ForwarderHarness()
    world.appsflyer.says(Says(status))

    assert await world.forward(make_envelope()) == []

    [message] = world.waiting
    assert message.content["attempts"] == 1
    assert message.delay_seconds == 10
    assert world.dead == []


@pytest.mark.parametrize(
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
    world = ForwarderHarness()
    world.appsflyer.says(error)

    assert await world.forward(make_envelope()) == []

    assert [message.content["attempts"] for message in world.waiting] == [1]


async def test_forward_waiting_event_keeps_its_apps_message_group() -> None:
    world = ForwarderHarness()
    world.appsflyer.says(Says(503))

    await world.forward(make_envelope())

    assert [message.group for message in world.waiting] == [MOBILE_APP]


async def test_forward_event_that_fails_and_then_succeeds_is_delivered_once() -> None:
    world = ForwarderHarness()
    world.appsflyer.says(Says(503), OK)

    await world.forward(make_envelope())
    failed = await world.next_round()

    assert failed == []
    assert world.waiting == []
    assert world.dead == []


async def test_forward_event_that_always_fails_ends_as_a_dead_letter() -> None:
    """Three waits make four attempts, and the long one hops without using any."""
    world = ForwarderHarness()
    world.appsflyer.says(Says(503, "try later"))

    await world.forward(make_envelope())
    while world.waiting:
        await world.next_round()

    [letter] = world.dead
    assert len(world.appsflyer.requests) == 4
    assert letter["attempts"] == 4
    assert letter["reason"] == "attempts_used_up: status_503"
    assert letter["message"] == "try later"
    assert letter["event_id"] == "order-1"
    assert letter["first_seen"] == "2026-03-02T11:59:55.000Z"


async def test_forward_retry_after_is_waited_for() -> None:
    """E18."""
    world = ForwarderHarness()
    world.appsflyer.says(Says(429, "", {"retry-after": "77"}))

    await world.forward(make_envelope())

    assert [message.delay_seconds for message in world.waiting] == [77 + 10]


# Time


async def test_forward_before_its_moment_sends_nothing_and_hops() -> None:
    world = ForwarderHarness()

    assert await world.forward(make_envelope(not_before="2026-03-02T13:00:00Z")) == []

    [message] = world.waiting
    assert message.delay_seconds == 900
    assert "attempts" not in message.content
    assert message.content["not_before"] == "2026-03-02T13:00:00.000Z"
    assert world.appsflyer.requests == []


async def test_forward_at_its_moment_sends() -> None:
    world = ForwarderHarness()

    await world.forward(make_envelope(not_before="2026-03-02T12:00:00Z"))

    assert len(world.appsflyer.requests) == 1


async def test_forward_before_its_moment_hides_raw_values_at_once() -> None:
    world = ForwarderHarness()
    event = make_event(email="jane@example.com")

    await world.forward(make_envelope(event=event, not_before="2026-03-02T13:00:00Z"))

    assert "jane" not in world.waiting[0].body


async def test_forward_before_its_moment_rejects_what_breaks_a_rule_at_once() -> None:
    world = ForwarderHarness()
    event = make_event(appsflyer_id=None, customer_user_id=None)

    await world.forward(make_envelope(event=event, not_before="2026-03-02T13:00:00Z"))

    assert [letter["outcome"] for letter in world.dead] == ["rejected"]


@pytest.mark.parametrize("trouble", ["parameters unavailable", "settings malformed"])
async def test_forward_before_its_moment_keeps_that_moment_whatever_else_is_wrong(
    trouble: str,
) -> None:
    """It would otherwise be sent as soon as that is put right, perhaps hours too early."""
    world = ForwarderHarness()
    if trouble == "settings malformed":
        world.ssm.parameters[f"/relay/apps/mobile/{MOBILE_APP}"] = "{"
    else:
        world.ssm.error = aws_error("InternalServerError")

    await world.forward(make_envelope(not_before="2026-03-02T13:00:00Z"))

    [message] = world.waiting
    assert message.content["not_before"] == "2026-03-02T13:00:00.000Z"
    assert "attempts" not in message.content


async def test_forward_event_without_a_time_says_the_same_time_on_every_attempt() -> None:
    """Our waiting must not become AppsFlyer's arrival time (T1)."""
    world = ForwarderHarness()
    world.appsflyer.says(Says(503))

    await world.forward(make_envelope(event=make_event(eventTime=None)))
    while world.waiting:
        await world.next_round()

    assert [body["eventTime"] for body in world.appsflyer.bodies] == ["2026-03-02 11:59:55.000"] * 4


async def test_forward_when_time_runs_out_hands_the_rest_back_untouched() -> None:
    world = ForwarderHarness(requests_in_flight=1)
    left = iter([90.0, MINIMAL, MINIMAL - 0.001, 20.0])

    failed = await world.forward(*(make_envelope() for _ in range(4)), remaining=lambda: next(left))

    assert failed == ["m-2", "m-3"]
    assert len(world.appsflyer.requests) == 2
    assert world.sqs.calls == []


async def test_forward_when_time_runs_out_still_queues_what_failed() -> None:
    world = ForwarderHarness(requests_in_flight=1)
    world.appsflyer.says(Says(503))
    left = iter([90.0, MINIMAL - 1, 8.1])

    failed = await world.forward(make_envelope(), make_envelope(), remaining=lambda: next(left))

    assert failed == ["m-1"]
    assert len(world.waiting) == 1


async def test_forward_without_time_for_a_call_to_sqs_makes_none() -> None:
    """An invocation that is ended by Lambda sends again what it has delivered."""
    world = ForwarderHarness(requests_in_flight=1)
    world.appsflyer.says(Says(503))
    left = iter([90.0, 7.9])

    failed = await world.forward(make_envelope(), remaining=lambda: next(left))

    assert failed == ["m-0"]
    assert world.sqs.calls == []


async def test_forward_when_reporting_fails_does_not_bring_back_what_is_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = ForwarderHarness()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(forwarder, "report_batch", fail)

    assert await world.forward(make_envelope()) == []


async def test_forward_when_queueing_breaks_brings_back_only_what_had_to_be_queued(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = ForwarderHarness(requests_in_flight=1)
    world.appsflyer.says(Says(200), Says(503))

    def fail(*_: object, **__: object) -> set[int]:
        raise RuntimeError

    monkeypatch.setattr(Queue, "send", fail)

    assert await world.forward(make_envelope(), make_envelope()) == ["m-1"]


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


@pytest.mark.parametrize(("events", "together"), [(12, 4), (3, 3)])
async def test_forward_has_as_many_requests_under_way_as_allowed_and_never_more(
    events: int, together: int
) -> None:
    world = ForwarderHarness(requests_in_flight=4)
    crowd = Crowd(together)
    world.forwarder = world.make_forwarder(crowd)

    async with asyncio.timeout(30):
        await world.forward(*(make_envelope() for _ in range(events)))

    assert crowd.largest == together


async def test_forward_asks_parameter_store_once_for_all_apps_of_a_batch() -> None:
    world = ForwarderHarness()

    await world.forward(*(make_envelope(event_id=str(n)) for n in range(5)))
    await world.forward(make_envelope())

    assert len(world.ssm.calls) == 1


# Partial failure


def body_has(text: str) -> Callable[[Json], bool]:
    return lambda entry: text in entry["MessageBody"]


async def test_forward_record_that_its_queue_refuses_is_the_only_one_reported() -> None:
    world = ForwarderHarness()
    world.appsflyer.says(Says(503))
    world.sqs.refuses = body_has("order-b")

    failed = await world.forward(
        *(make_envelope(event_id=event_id) for event_id in ("order-a", "order-b", "order-c"))
    )

    assert failed == ["m-1"]
    assert [message.content["event_id"] for message in world.waiting] == ["order-a", "order-c"]


async def test_forward_when_its_queue_fails_altogether_reports_all_that_should_wait() -> None:
    world = ForwarderHarness()
    world.appsflyer.behaviour = lambda r: OK if b"delivered" in r.content else Says(503)
    world.sqs.error = aws_error("ServiceUnavailable")
    good = make_envelope(event=make_event(customer_user_id="delivered"))

    assert await world.forward(make_envelope(), good, make_envelope()) == ["m-0", "m-2"]


async def test_forward_dead_letter_that_is_refused_is_the_only_one_reported() -> None:
    world = ForwarderHarness()
    world.appsflyer.says(Says(400))
    world.sqs.refuses = body_has("order-a")

    failed = await world.forward(make_envelope(event_id="order-a"), make_envelope())

    assert failed == ["m-0"]
    assert [letter["event_id"] for letter in world.dead] == ["order-1"]


async def test_forward_when_the_dead_letter_queue_fails_reports_only_its_records() -> None:
    world = ForwarderHarness()
    world.appsflyer.says(Says(503))
    world.sqs.broken_queues.add(world.settings.dead_letter_queue_url)

    failed = await world.forward(
        "no envelope", make_envelope(), make_envelope(app_id="id404"), make_envelope()
    )

    assert failed == ["m-0", "m-2"]
    assert len(world.waiting) == 2


async def test_forward_reports_in_the_order_of_the_batch() -> None:
    world = ForwarderHarness()
    world.appsflyer.says(Says(503))
    world.sqs.error = aws_error("ServiceUnavailable")

    failed = await world.forward(*(make_envelope() for _ in range(25)))

    assert failed == [f"m-{n}" for n in range(25)]


async def test_forward_mixed_batch_settles_each_event_by_itself() -> None:
    world = ForwarderHarness()
    # "d" last: once its token is refused, nothing more is sent with it.
    answers = {"a": OK, "b": Says(503), "c": Says(400), "e": Says(403), "d": Says(401)}
    world.appsflyer.behaviour = lambda r: answers[json.loads(r.content)["customer_user_id"]]
    envelopes = [
        make_envelope(event_id=user, event=make_event(customer_user_id=user)) for user in answers
    ]

    assert await world.forward(*envelopes, "no envelope") == []

    assert {message.content["event_id"] for message in world.waiting} == {"b", "d"}
    assert sorted(letter["outcome"] for letter in world.dead) == ["blocked", "refused", "rejected"]


# Our own bugs


async def test_forward_bug_in_one_event_costs_it_one_attempt_and_the_others_nothing() -> None:
    world = ForwarderHarness()
    world.appsflyer.behaviour = lambda r: RuntimeError("a bug") if b"unlucky" in r.content else OK
    unlucky = make_envelope(event_id="u", event=make_event(customer_user_id="unlucky"))

    assert await world.forward(make_envelope(), unlucky, make_envelope()) == []

    assert [(message.content["event_id"], message.content["attempts"])
            for message in world.waiting] == [("u", 1)]  # fmt: skip
    assert world.dead == []


async def test_forward_bug_that_stays_ends_as_a_dead_letter() -> None:
    world = ForwarderHarness()
    world.appsflyer.says(RuntimeError("a bug"))

    await world.forward(make_envelope(attempts=3))

    assert [letter["reason"] for letter in world.dead] == ["attempts_used_up: unexpected"]


async def test_forward_event_that_can_not_even_be_put_back_is_reported() -> None:
    """Unchecked, for want of settings, and of no JSON form: only SQS itself can keep it."""
    world = ForwarderHarness()
    world.ssm.error = aws_error("ThrottlingException")
    body = json.dumps(make_envelope(event={"ua": "\ud800"}))

    assert await world.forward(body, make_envelope()) == ["m-0"]

    assert len(world.waiting) == 1


# Uncertain money


async def test_forward_uncertain_money_ends_where_the_setting_says() -> None:
    world = ForwarderHarness(uncertain_money="dead_letter")
    world.appsflyer.says(ExchangeTimeoutError("no"))

    await world.forward(make_envelope())

    [letter] = world.dead
    assert letter["reason"] == "uncertain_money: read_timed_out"
    assert letter["attempts"] == 1


async def test_forward_takes_lambdas_records_as_they_come() -> None:
    """The moment a message came in is its SentTimestamp."""
    world = ForwarderHarness()
    records = make_sqs_event(make_envelope(event=make_event(eventTime=None)))["Records"]
    records[0]["attributes"]["SentTimestamp"] = "1772449200123"

    await world.forwarder.forward(records, lambda: 90.0)

    assert world.appsflyer.bodies[0]["eventTime"] == "2026-03-02 11:00:00.123"
    assert world.settings.queue_url == MOBILE_QUEUE


async def test_forward_bug_after_the_request_was_begun_is_uncertain() -> None:
    """E16: with money, and told to keep doubtful money, it is kept for a person."""
    world = ForwarderHarness(uncertain_money="dead_letter")
    world.appsflyer.says(RuntimeError("a bug"))
    value = {"af_revenue": "4.99"}

    await world.forward(make_envelope(event=make_event(eventValue=value)))

    assert world.waiting == []
    assert len(world.dead) == 1
