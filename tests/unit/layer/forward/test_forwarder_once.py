"""S6: what was delivered is not sent again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

import httpx
import pytest

from relay import telemetry
from relay.domain.kinds import Surface
from relay.errors import TableUnavailableError
from relay.forward.rate_limiter import RateLimiter
from relay.http1.errors import ExchangeTimeoutError
from relay.instants import iso_form
from relay.stores.deliveries import Claim, Deliveries, delivery_key
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable
from tests.support.builders import (
    MOBILE_APP,
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
    make_web_visit,
)
from tests.support.every import every
from tests.support.fakes import Says
from tests.support.harnesses import ForwarderHarness

Counted = Callable[[], dict[str, float]]


def covering(deduplicate: str = "money", **settings: Any) -> ForwarderHarness:
    return ForwarderHarness(deduplicate=deduplicate, **settings)


def without_money(**envelope: Any) -> Json:
    return make_envelope(event=make_event(eventValue=None), **envelope)


async def test_forward_delivered_event_is_not_sent_again() -> None:
    harness = covering()
    await harness.forward(make_envelope())

    assert await harness.forward(make_envelope()) == []

    assert len(harness.appsflyer.requests) == 1
    assert (harness.waiting, harness.dead) == ([], [])


async def test_forward_delivered_event_is_known_to_another_process() -> None:
    harness = covering()
    await harness.forward(make_envelope())
    harness.forwarder = harness.make_forwarder()

    await harness.forward(make_envelope())

    assert len(harness.appsflyer.requests) == 1


async def test_forward_two_copies_in_one_batch_are_sent_once() -> None:
    harness = covering()

    await harness.forward(make_envelope(), make_envelope())
    await harness.next_round()

    assert len(harness.appsflyer.requests) == 1
    assert (harness.waiting, harness.dead) == ([], [])


async def test_forward_copy_that_is_under_way_elsewhere_waits_without_an_attempt() -> None:
    harness = covering()
    other_process = Deliveries(MemoryAsyncTable(harness.deliveries), 35, harness.clock)
    key = delivery_key(f"app {MOBILE_APP}", "order-1")
    assert await other_process.claim(key, "0" * 64, 60) is Claim.CLAIMED

    await harness.forward(make_envelope())

    (message,) = harness.waiting
    assert "attempts" not in message.content
    assert harness.appsflyer.requests == []
    await other_process.release(key)
    await harness.next_round()
    assert len(harness.appsflyer.requests) == 1


# In doubt


async def die_after_a_claim(harness: ForwarderHarness) -> None:
    """Another process claims the event, and dies: nobody knows whether it was sent."""
    died = Deliveries(MemoryAsyncTable(harness.deliveries), 35, harness.clock)
    await died.claim(delivery_key(f"app {MOBILE_APP}", "order-1"), "0" * 64, 60)
    harness.clock.advance(61)


Doubt = Callable[[ForwarderHarness], Awaitable[None]]


async def lose_a_response(harness: ForwarderHarness) -> None:
    """AppsFlyer does not respond; where the event may be sent again, it waits for that."""
    harness.appsflyer.says(ExchangeTimeoutError("no"))
    await harness.forward(make_envelope())
    harness.appsflyer.says(Says(200))


DOUBTS: list[Doubt] = [die_after_a_claim, lose_a_response]


@every("doubt", DOUBTS)
async def test_forward_money_in_doubt_is_sent_again_if_it_is_to_be(doubt: Doubt) -> None:
    harness = covering()
    await doubt(harness)
    before = len(harness.appsflyer.requests)

    await harness.forward(make_envelope())

    assert len(harness.appsflyer.requests) == before + 1
    assert harness.dead == []


@every("deduplicate", ["none", "money", "all"])
@every("doubt", DOUBTS)
async def test_forward_money_in_doubt_is_never_sent_by_itself_if_it_is_to_be_kept(
    doubt: Doubt, deduplicate: str
) -> None:
    """However often it is handed in, and whoever handles it."""
    harness = covering(deduplicate, uncertain_money="dead_letter")
    await doubt(harness)
    before = len(harness.appsflyer.requests)
    harness.sqs.queues.clear()

    for days in (0, 1, 30):
        harness.clock.advance(days * 86_400)
        harness.forwarder = harness.make_forwarder()
        await harness.forward(make_envelope())

    assert len(harness.appsflyer.requests) == before
    assert [letter["reason"] for letter in harness.dead] == ["uncertain_money: in_doubt"] * 3


async def test_forward_money_in_doubt_stays_so_though_its_dead_letter_is_refused() -> None:
    harness = covering(uncertain_money="dead_letter")
    harness.sqs.refuses = lambda entry: True
    harness.appsflyer.says(ExchangeTimeoutError("no"))
    assert await harness.forward(make_envelope()) == ["m-0"]
    harness.sqs.refuses = lambda entry: False
    harness.appsflyer.says(Says(200))

    assert await harness.forward(make_envelope()) == []

    assert len(harness.appsflyer.requests) == 1
    assert [letter["reason"] for letter in harness.dead] == ["uncertain_money: in_doubt"]


async def test_forward_doubt_outlives_a_send_that_surely_failed() -> None:
    """With a person's consent it is tried again; without, it is as before."""
    harness = covering(uncertain_money="dead_letter")
    await lose_a_response(harness)
    harness.sqs.queues.clear()
    harness.appsflyer.says(Says(503))
    await harness.forward(make_envelope(resend=iso_form(harness.clock.now)))
    harness.appsflyer.says(Says(200))

    await harness.forward(make_envelope())
    await harness.next_round()

    assert [letter["reason"] for letter in harness.dead] == ["uncertain_money: in_doubt"]
    assert len(harness.appsflyer.requests) == 3
    assert harness.waiting == []


async def test_forward_consent_of_a_person_does_not_cover_a_send_that_died_since() -> None:
    harness = covering(uncertain_money="dead_letter")
    await die_after_a_claim(harness)

    await harness.forward(make_envelope(resend=iso_form(harness.clock.now)))

    (letter,) = harness.dead
    assert letter["reason"] == "uncertain_money: in_doubt"
    assert "resend" not in letter


async def test_forward_consent_of_a_person_does_not_cover_its_own_send_without_a_response() -> None:
    """Though SQS refuses the dead letter, so that the message comes again with the consent."""
    harness = covering(uncertain_money="dead_letter")
    await lose_a_response(harness)
    with_consent = make_envelope(resend=iso_form(harness.clock.now))
    harness.clock.advance(60)
    harness.appsflyer.says(ExchangeTimeoutError("no"))
    harness.sqs.refuses = lambda entry: True
    assert await harness.forward(with_consent) == ["m-0"]
    harness.sqs.refuses = lambda entry: False

    await harness.forward(with_consent)

    assert len(harness.appsflyer.requests) == 2
    assert [letter["reason"] for letter in harness.dead][1:] == ["uncertain_money: in_doubt"]


async def test_forward_consent_of_a_person_outlives_copies_that_were_not_sent() -> None:
    """A copy that finds the doubt makes it no newer."""
    harness = covering(uncertain_money="dead_letter")
    await lose_a_response(harness)
    decided = iso_form(harness.clock.now)
    harness.clock.advance(60)
    await harness.forward(make_envelope())

    await harness.forward(make_envelope(resend=decided))

    assert len(harness.appsflyer.requests) == 2


async def test_forward_event_without_money_is_sent_again_though_money_is_kept() -> None:
    harness = covering("all", uncertain_money="dead_letter")
    harness.appsflyer.says(ExchangeTimeoutError("no"))
    await harness.forward(without_money())
    harness.appsflyer.says(Says(200))

    await harness.next_round()

    assert len(harness.appsflyer.requests) == 2
    assert (harness.waiting, harness.dead) == ([], [])


async def test_forward_send_after_a_process_died_is_counted_as_uncertain(
    counted: Counted,
) -> None:
    harness = covering()
    await die_after_a_claim(harness)

    await harness.forward(make_envelope())

    assert counted()["Uncertain"] == 1
    assert (harness.waiting, harness.dead) == ([], [])


def die(*_: object) -> NoReturn:
    """The process is ended within a call."""
    raise asyncio.CancelledError


async def test_forward_send_after_two_processes_died_is_counted_twice(counted: Counted) -> None:
    """The second had sent it again, and nobody heard of its batch."""
    harness = covering()
    await die_after_a_claim(harness)
    harness.appsflyer.behaviour = die
    with pytest.raises(asyncio.CancelledError):
        await harness.forward(make_envelope())
    harness.clock.advance(600)
    harness.appsflyer.says(Says(200))

    await harness.forward(make_envelope())

    assert counted()["Uncertain"] == 2


async def test_forward_send_without_a_response_is_counted_before_its_doubt_is_written(
    monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    """Whoever finds the doubt takes it for counted."""
    harness = covering()
    harness.appsflyer.says(ExchangeTimeoutError("no"))
    monkeypatch.setattr(harness.deliveries, "replace", die)

    with pytest.raises(asyncio.CancelledError):
        await harness.forward(make_envelope())

    assert counted()["Uncertain"] == 1


async def test_forward_doubt_is_written_though_it_cannot_be_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = covering(uncertain_money="dead_letter")
    count = telemetry.count

    def refuse(counts: Mapping[str, int | Sequence[int]], **dimensions: str) -> None:
        if "Uncertain" in counts:
            raise ValueError("a metric that Powertools refuses")
        count(counts, **dimensions)

    monkeypatch.setattr(telemetry, "count", refuse)
    await lose_a_response(harness)

    await harness.forward(make_envelope())

    assert len(harness.appsflyer.requests) == 1
    reasons = [letter["reason"] for letter in harness.dead]
    assert reasons == ["uncertain_money: read_timed_out", "uncertain_money: in_doubt"]


async def test_forward_bug_after_a_send_is_one_doubt(counted: Counted) -> None:
    harness = covering()
    harness.appsflyer.says(RuntimeError("a bug"), Says(200))
    await harness.forward(make_envelope())
    harness.clock.advance(600)

    await harness.next_round()

    assert counted()["Uncertain"] == 1
    assert len(harness.appsflyer.requests) == 2


async def test_forward_bug_before_a_send_leaves_no_doubt(
    monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    harness = covering(uncertain_money="dead_letter")
    with monkeypatch.context() as patch:
        patch.setattr(RateLimiter, "acquire", lambda _: int("a bug"))
        await harness.forward(make_envelope())

    await harness.next_round()

    assert "Uncertain" not in counted()
    assert (len(harness.appsflyer.requests), harness.dead) == (1, [])


async def test_forward_doubt_that_waits_for_a_key_is_counted_once(counted: Counted) -> None:
    harness = covering()
    await die_after_a_claim(harness)
    harness.appsflyer.says(Says(401))
    await harness.forward(make_envelope())
    harness.appsflyer.says(Says(200))

    await harness.next_round()

    assert counted()["Uncertain"] == 1
    assert harness.waiting == []


# Other content, other scopes


async def test_forward_same_id_with_other_content_is_a_conflict() -> None:
    harness = covering()
    await harness.forward(make_envelope())
    another = make_event(eventValue={"af_revenue": "99.00"})

    await harness.forward(make_envelope(event=another))

    (letter,) = harness.dead
    assert (letter["outcome"], letter["reason"]) == ("rejected", "id_conflict")


async def test_forward_same_id_of_another_app_is_another_event() -> None:
    harness = covering()
    for kind in ("apps", "tokens"):
        harness.ssm.parameters[f"/relay/{kind}/mobile/com.example.shop"] = "{}"
    await harness.forward(make_envelope())

    await harness.forward(make_envelope(app_id="com.example.shop"))

    assert len(harness.appsflyer.requests) == 2


@every(
    "deduplicate, envelope, sent",
    [
        ("money", without_money(), 2),
        ("all", without_money(), 1),
        ("none", make_envelope(), 2),
        ("none", make_envelope(source="stripe-main"), 1),
    ],
    ids=["money", "all", "none", "payments always"],
)
async def test_forward_tells_apart_what_it_is_told_to(
    deduplicate: str, envelope: Json, sent: int
) -> None:
    harness = covering(deduplicate)

    await harness.forward(envelope)
    await harness.forward(envelope)

    assert len(harness.appsflyer.requests) == sent


async def test_forward_payment_is_known_by_its_source_whatever_the_app() -> None:
    harness = covering()
    harness.ssm.parameters["/relay/apps/mobile/com.example.shop"] = "{}"
    harness.ssm.parameters["/relay/tokens/mobile/com.example.shop"] = "key"
    payment = {"source": "stripe-main", "event_id": "stripe-main:in_1", "content_sha256": "0" * 64}
    await harness.forward(make_envelope(**payment))

    await harness.forward(make_envelope(app_id="com.example.shop", **payment))

    assert len(harness.appsflyer.requests) == 1
    assert harness.dead == []


async def test_forward_payment_with_another_digest_is_a_conflict() -> None:
    harness = covering()
    payment = {"source": "stripe-main", "event_id": "stripe-main:in_1"}
    await harness.forward(make_envelope(content_sha256="0" * 64, **payment))

    await harness.forward(make_envelope(content_sha256="1" * 64, **payment))

    assert [letter["reason"] for letter in harness.dead] == ["id_conflict"]


@every("source", [{}, {"source": "stripe-main", "event_id": "stripe-main:in_1"}])
async def test_forward_event_that_waits_keeps_the_digest_that_it_came_with(source: Json) -> None:
    harness = covering()
    harness.appsflyer.says(Says(503))

    await harness.forward(make_envelope(content_sha256="0" * 64, **source))

    assert [message.content["content_sha256"] for message in harness.waiting] == ["0" * 64]


@every(
    "source, kept",
    [({}, None), ({"source": "stripe-main"}, "0" * 64)],
    ids=["of a sender", "of a payment source"],
)
async def test_forward_dead_letter_keeps_its_digest_only_if_that_is_of_a_movement_of_money(
    source: Json, kept: str | None
) -> None:
    """A sender's event is mended and redriven: then it is another, which the old digest is not."""
    harness = covering()

    await harness.forward(
        make_envelope(event=make_event(eventName=5), content_sha256="0" * 64, **source)
    )

    (letter,) = harness.dead
    assert letter.get("content_sha256") == kept


async def test_forward_event_stamped_at_another_time_is_the_same_event() -> None:
    """A sender who sends again what has no time of its own does not send something else."""
    harness = covering()
    timeless = make_envelope(event=make_event(eventTime=None))
    await harness.forward(timeless)
    harness.clock.advance(60)
    stamped = make_envelope(
        event=make_event(eventTime="2026-03-02 12:30:00.000"), first_seen="2026-03-02T12:30:00Z"
    )

    await harness.forward(timeless)
    await harness.forward(stamped)

    assert len(harness.appsflyer.requests) == 1
    assert harness.dead == []


async def test_forward_web_event_stamped_at_another_time_is_the_same_event() -> None:
    harness = ForwarderHarness(Surface.WEB, deduplicate="all")
    visit = make_web_visit(timestamp=None)
    del visit["timestamp"]
    envelope = make_web_envelope(kind="web_visit", event=visit)
    await harness.forward(envelope)
    stamped = make_web_envelope(
        kind="web_visit",
        event=make_web_visit(timestamp=1772454600000),
        first_seen="2026-03-02T12:30:00Z",
    )

    await harness.forward(stamped)

    assert len(harness.appsflyer.requests) == 1


async def test_forward_order_of_fields_makes_no_other_event() -> None:
    harness = covering()
    event = make_event(eventValue={"af_revenue": "9.99", "lists": [{"b": 1, "a": 2}]})
    turned = make_event(eventValue={"lists": [{"a": 2, "b": 1}], "af_revenue": "9.99"})
    await harness.forward(make_envelope(event=event))

    await harness.forward(make_envelope(event=dict(reversed(turned.items()))))

    assert len(harness.appsflyer.requests) == 1
    assert harness.dead == []


@every("answer", [Says(503), Says(500), Says(400, "Bad request")])
async def test_forward_event_that_was_not_delivered_may_be_sent_again(answer: Says) -> None:
    harness = covering()
    harness.appsflyer.says(answer)
    await harness.forward(make_envelope())
    harness.appsflyer.says(Says(200))

    await harness.forward(make_envelope())

    assert len(harness.appsflyer.requests) == 2
    assert harness.appsflyer.requests[-1].url == harness.appsflyer.requests[0].url


async def test_forward_without_an_id_of_its_senders_goes_by_that_of_its_message() -> None:
    """SQS may deliver a message twice."""
    harness = covering()
    anonymous = make_envelope()
    del anonymous["event_id"]

    await harness.forward(anonymous)
    await harness.forward(anonymous)

    assert len(harness.appsflyer.requests) == 1


async def test_forward_table_that_is_down_defers_money_and_nothing_else() -> None:
    harness = covering()
    harness.deliveries.error = TableUnavailableError("down")

    await harness.forward(make_envelope(), without_money(event_id="order-2"))

    (message,) = harness.waiting
    assert message.content["attempts"] == 1
    assert len(harness.appsflyer.requests) == 1


async def test_forward_delivery_that_cannot_be_remembered_is_counted_and_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    harness = covering()

    def fails_from_now_on(_: httpx.Request) -> Says:
        harness.deliveries.error = TableUnavailableError("down")
        return Says(200)

    harness.appsflyer.behaviour = fails_from_now_on

    assert await harness.forward(make_envelope()) == []

    assert (harness.waiting, harness.dead) == ([], [])
    assert '"Unremembered":[1' in capsys.readouterr().out.replace(" ", "")


async def test_forward_token_that_is_missing_claims_nothing() -> None:
    harness = covering()
    harness.ssm.parameters = {
        name: value for name, value in harness.ssm.parameters.items() if "tokens" not in name
    }

    await harness.forward(make_envelope())

    assert harness.deliveries.calls == {}
