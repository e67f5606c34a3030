"""S6: what was delivered is not sent again."""

from typing import Any

import httpx
import pytest

from relay.domain.kinds import Surface
from relay.errors import TableUnavailableError
from relay.stores.deliveries import Claim, Deliveries, delivery_key
from tests.builders import (
    MOBILE_APP,
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
    make_web_visit,
)
from tests.fakes import Says
from tests.harnesses import ForwarderHarness
from tests.memory_table import MemoryAsyncTable


def covering(deduplicate: str = "money", **settings: Any) -> ForwarderHarness:
    return ForwarderHarness(deduplicate=deduplicate, **settings)


def without_money(**envelope: Any) -> Json:
    return make_envelope(event=make_event(eventValue=None), **envelope)


async def test_forward_delivered_event_is_not_sent_again() -> None:
    world = covering()
    await world.forward(make_envelope())

    assert await world.forward(make_envelope()) == []

    assert len(world.appsflyer.requests) == 1
    assert (world.waiting, world.dead) == ([], [])


async def test_forward_delivered_event_is_known_to_another_process() -> None:
    world = covering()
    await world.forward(make_envelope())
    world.forwarder = world.make_forwarder()

    await world.forward(make_envelope())

    assert len(world.appsflyer.requests) == 1


async def test_forward_two_copies_in_one_batch_are_sent_once() -> None:
    world = covering()

    await world.forward(make_envelope(), make_envelope())
    await world.next_round()

    assert len(world.appsflyer.requests) == 1
    assert (world.waiting, world.dead) == ([], [])


async def test_forward_copy_that_is_under_way_elsewhere_waits_without_an_attempt() -> None:
    world = covering()
    other_process = Deliveries(MemoryAsyncTable(world.deliveries), 35, world.clock)
    key = delivery_key(f"app {MOBILE_APP}", "order-1")
    assert await other_process.claim(key, "0" * 64, 60) is Claim.CLAIMED

    await world.forward(make_envelope())

    (message,) = world.waiting
    assert "attempts" not in message.content
    assert world.appsflyer.requests == []
    await other_process.release(key)
    await world.next_round()
    assert len(world.appsflyer.requests) == 1


async def test_forward_claim_of_a_process_that_died_runs_out() -> None:
    world = covering()
    died = Deliveries(MemoryAsyncTable(world.deliveries), 35, world.clock)
    await died.claim(delivery_key(f"app {MOBILE_APP}", "order-1"), "0" * 64, 60)
    world.clock.advance(61)

    await world.forward(make_envelope())

    assert len(world.appsflyer.requests) == 1


async def test_forward_same_id_with_other_content_is_a_conflict() -> None:
    world = covering()
    await world.forward(make_envelope())
    another = make_event(eventValue={"af_revenue": "99.00"})

    await world.forward(make_envelope(event=another))

    (letter,) = world.dead
    assert (letter["outcome"], letter["reason"]) == ("rejected", "id_conflict")


async def test_forward_same_id_of_another_app_is_another_event() -> None:
    world = covering()
    for kind in ("apps", "tokens"):
        world.ssm.parameters[f"/relay/{kind}/mobile/com.example.shop"] = "{}"
    await world.forward(make_envelope())

    await world.forward(make_envelope(app_id="com.example.shop"))

    assert len(world.appsflyer.requests) == 2


@pytest.mark.parametrize(
    ("deduplicate", "envelope", "sent"),
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
    world = covering(deduplicate)

    await world.forward(envelope)
    await world.forward(envelope)

    assert len(world.appsflyer.requests) == sent


async def test_forward_payment_is_known_by_its_source_whatever_the_app() -> None:
    world = covering()
    world.ssm.parameters["/relay/apps/mobile/com.example.shop"] = "{}"
    world.ssm.parameters["/relay/tokens/mobile/com.example.shop"] = "key"
    payment = {"source": "stripe-main", "event_id": "stripe-main:in_1", "content_sha256": "0" * 64}
    await world.forward(make_envelope(**payment))

    await world.forward(make_envelope(app_id="com.example.shop", **payment))

    assert len(world.appsflyer.requests) == 1
    assert world.dead == []


async def test_forward_payment_with_another_digest_is_a_conflict() -> None:
    world = covering()
    payment = {"source": "stripe-main", "event_id": "stripe-main:in_1"}
    await world.forward(make_envelope(content_sha256="0" * 64, **payment))

    await world.forward(make_envelope(content_sha256="1" * 64, **payment))

    assert [letter["reason"] for letter in world.dead] == ["id_conflict"]


async def test_forward_event_stamped_at_another_time_is_the_same_event() -> None:
    """A sender who sends again what has no time of its own does not send something else."""
    world = covering()
    timeless = make_envelope(event=make_event(eventTime=None))
    await world.forward(timeless)
    world.clock.advance(60)
    stamped = make_envelope(
        event=make_event(eventTime="2026-03-02 12:30:00.000"), first_seen="2026-03-02T12:30:00Z"
    )

    await world.forward(timeless)
    await world.forward(stamped)

    assert len(world.appsflyer.requests) == 1
    assert world.dead == []


async def test_forward_web_event_stamped_at_another_time_is_the_same_event() -> None:
    world = ForwarderHarness(Surface.WEB, deduplicate="all")
    visit = make_web_visit(timestamp=None)
    del visit["timestamp"]
    envelope = make_web_envelope(kind="web_visit", event=visit)
    await world.forward(envelope)
    stamped = make_web_envelope(
        kind="web_visit",
        event=make_web_visit(timestamp=1772454600000),
        first_seen="2026-03-02T12:30:00Z",
    )

    await world.forward(stamped)

    assert len(world.appsflyer.requests) == 1


async def test_forward_order_of_fields_makes_no_other_event() -> None:
    world = covering()
    event = make_event(eventValue={"af_revenue": "9.99", "lists": [{"b": 1, "a": 2}]})
    turned = make_event(eventValue={"lists": [{"a": 2, "b": 1}], "af_revenue": "9.99"})
    await world.forward(make_envelope(event=event))

    await world.forward(make_envelope(event=dict(reversed(turned.items()))))

    assert len(world.appsflyer.requests) == 1
    assert world.dead == []


@pytest.mark.parametrize("answer", [Says(503), Says(500), Says(400, "Bad request")])
async def test_forward_event_that_was_not_delivered_may_be_sent_again(answer: Says) -> None:
    world = covering()
    world.appsflyer.says(answer)
    await world.forward(make_envelope())
    world.appsflyer.says(Says(200))

    await world.forward(make_envelope())

    assert len(world.appsflyer.requests) == 2
    assert world.appsflyer.requests[-1].url == world.appsflyer.requests[0].url


async def test_forward_without_an_id_of_its_senders_goes_by_that_of_its_message() -> None:
    """SQS may deliver a message twice."""
    world = covering()
    anonymous = make_envelope()
    del anonymous["event_id"]

    await world.forward(anonymous)
    await world.forward(anonymous)

    assert len(world.appsflyer.requests) == 1


async def test_forward_table_that_is_down_defers_money_and_nothing_else() -> None:
    world = covering()
    world.deliveries.error = TableUnavailableError("down")

    await world.forward(make_envelope(), without_money(event_id="order-2"))

    (message,) = world.waiting
    assert message.content["attempts"] == 1
    assert len(world.appsflyer.requests) == 1


async def test_forward_delivery_that_cannot_be_remembered_is_counted_and_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = covering()

    def fails_from_now_on(_: httpx.Request) -> Says:
        world.deliveries.error = TableUnavailableError("down")
        return Says(200)

    world.appsflyer.behaviour = fails_from_now_on

    assert await world.forward(make_envelope()) == []

    assert (world.waiting, world.dead) == ([], [])
    assert '"Unremembered":[1' in capsys.readouterr().out.replace(" ", "")


async def test_forward_token_that_is_missing_claims_nothing() -> None:
    world = covering()
    world.ssm.parameters = {
        name: value for name, value in world.ssm.parameters.items() if "tokens" not in name
    }

    await world.forward(make_envelope())

    assert world.deliveries.calls == {}
