"""S4, S3: customers' AppsFlyer ids are looked up before their events are sent."""

from datetime import timedelta
from typing import Any

import pytest

from relay.domain.kinds import Surface
from relay.errors import TableUnavailableError
from relay.stores.identities import Identities, Identity
from tests.builders import MOBILE_APP, NOW, Json, make_envelope, make_event, make_web_envelope
from tests.fakes import Says
from tests.harnesses import ForwarderHarness

APPSFLYER_ID = "1698765432100-1234567890123456789"


def bare(**overrides: Any) -> Json:
    """An event that names its customer and no AppsFlyer id."""
    return make_event(**{"appsflyer_id": None, **overrides})


def knows(world: ForwarderHarness, customer: str = "user-1", **overrides: Any) -> None:
    """AppsFlyer has told of an install."""
    install: dict[str, Any] = {
        "app_id": MOBILE_APP,
        "customer_user_id": customer,
        "appsflyer_id": APPSFLYER_ID,
        "installed_at": NOW - timedelta(days=3),
    }
    identity = Identity(**install | overrides)
    assert Identities(world.identities, clock=world.clock).remember(identity)


async def test_forward_known_customer_is_sent_with_its_appsflyer_id() -> None:
    world = ForwarderHarness()
    knows(world)

    await world.forward(make_envelope(event=bare()))

    assert world.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


@pytest.mark.parametrize("given", [None, "", "  "])
async def test_forward_blank_appsflyer_id_is_looked_up_too(given: str | None) -> None:
    world = ForwarderHarness()
    knows(world)

    await world.forward(make_envelope(event=bare(appsflyer_id=given)))

    assert world.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


async def test_forward_customer_that_is_a_number_is_looked_up_by_its_digits() -> None:
    """M19."""
    world = ForwarderHarness()
    knows(world, "84213")

    await world.forward(make_envelope(event=bare(customer_user_id=84213)))

    assert world.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


@pytest.mark.parametrize("customer", [True, ["user-1"], 1.5])
async def test_forward_customer_of_a_wrong_type_is_nobody(customer: object) -> None:
    world = ForwarderHarness()

    await world.forward(make_envelope(event=bare(customer_user_id=customer)))

    assert world.identities.calls == {}
    assert [letter["outcome"] for letter in world.dead] == ["rejected"]


async def test_forward_own_appsflyer_id_is_not_looked_up() -> None:
    world = ForwarderHarness()

    await world.forward(make_envelope())

    assert world.identities.calls == {}


async def test_forward_looks_a_batch_up_in_one_read_an_app() -> None:
    world = ForwarderHarness()
    knows(world, "a")
    knows(world, "b")
    events = [bare(customer_user_id=name) for name in ("a", "b", "a")]

    await world.forward(*(make_envelope(event=event) for event in events))

    assert world.identities.calls["get"] == 1
    assert len(world.appsflyer.requests) == 3


async def test_forward_unknown_customer_is_held_and_sent_once_known() -> None:
    world = ForwarderHarness()

    assert await world.forward(make_envelope(event=bare())) == []

    (message,) = world.waiting
    assert world.appsflyer.requests == []
    assert "attempts" not in message.content
    assert "appsflyer_id" not in message.content["event"]
    knows(world)
    await world.next_round()
    assert world.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


async def test_forward_unknown_customer_is_looked_for_soon_and_then_less_often() -> None:
    world = ForwarderHarness(hold_seconds=300)
    waits = []

    await world.forward(make_envelope(event=bare()))
    for _ in range(9):
        waits.append(world.waiting[0].delay_seconds)
        await world.next_round()

    assert waits == [5, 5, 10, 20, 40, 80, 160, 300, 300]


async def test_forward_unknown_customer_is_a_dead_letter_after_its_limit() -> None:
    world = ForwarderHarness(identity_limit_seconds=3600)
    await world.forward(make_envelope(event=bare()))
    world.clock.advance(3600)

    await world.next_round()

    (letter,) = world.dead
    assert (letter["outcome"], letter["reason"]) == ("held", "identity_unknown")
    assert world.waiting == []


async def test_forward_unknown_customer_whose_event_breaks_another_rule_is_rejected() -> None:
    world = ForwarderHarness()

    await world.forward(make_envelope(event=bare(eventName=" ")))

    (letter,) = world.dead
    assert letter["outcome"] == "rejected"
    assert [finding["rule"] for finding in letter["findings"]] == ["M2"]


async def test_forward_table_that_is_down_defers_only_those_who_need_it() -> None:
    world = ForwarderHarness()
    world.identities.error = TableUnavailableError("down")

    await world.forward(make_envelope(event=bare()), make_envelope(event_id="order-2"))

    (message,) = world.waiting
    assert message.content["attempts"] == 1
    assert len(world.appsflyer.requests) == 1


async def test_forward_young_install_waits_until_it_is_a_minute_old() -> None:
    """S3."""
    world = ForwarderHarness()
    knows(world, installed_at=world.clock() - timedelta(seconds=20))

    await world.forward(make_envelope(event=bare()))

    assert world.appsflyer.requests == []
    assert [message.delay_seconds for message in world.waiting] == [40]
    await world.next_round()
    assert len(world.appsflyer.requests) == 1


async def test_forward_own_not_before_goes_before_that_of_the_install() -> None:
    world = ForwarderHarness()
    knows(world, installed_at=world.clock() - timedelta(seconds=20))

    await world.forward(make_envelope(event=bare(), not_before="2026-03-02T12:10:00Z"))

    assert [message.delay_seconds for message in world.waiting] == [600]


async def test_forward_install_in_the_future_is_not_waited_for() -> None:
    world = ForwarderHarness()
    knows(world, installed_at=world.clock() + timedelta(hours=1))

    await world.forward(make_envelope(event=bare()))

    assert len(world.appsflyer.requests) == 1


async def test_forward_dead_letter_of_a_looked_up_event_is_as_it_was_handed_in() -> None:
    world = ForwarderHarness()
    knows(world)
    world.appsflyer.says(Says(400, "Bad request"))

    await world.forward(make_envelope(event=bare()))

    (letter,) = world.dead
    assert letter["outcome"] == "refused"
    assert "appsflyer_id" not in letter["event"]


async def test_forward_without_a_table_knows_nobody() -> None:
    world = ForwarderHarness()
    world.forwarder._identities = None  # noqa: SLF001 - as a web forwarder has none

    await world.forward(make_envelope(event=bare()))

    assert len(world.waiting) == 1


async def test_forward_web_event_is_never_looked_up() -> None:
    world = ForwarderHarness(Surface.WEB)

    await world.forward(make_web_envelope())

    assert world.identities.calls == {}


async def test_forward_moment_farther_than_any_queue_keeps_is_a_dead_letter() -> None:
    world = ForwarderHarness()

    await world.forward(make_envelope(not_before="2026-03-17T12:00:00Z"))

    (letter,) = world.dead
    assert letter["reason"] == "hold_limit: not_before"
