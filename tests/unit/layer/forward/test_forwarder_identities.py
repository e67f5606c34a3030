"""S4, S3: customers' AppsFlyer ids are looked up before their events are sent."""

from datetime import timedelta
from typing import Any

from relay.aws.table import Key
from relay.domain.kinds import Surface
from relay.errors import TableUnavailableError
from relay.stores.identities import Identities, Identity
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
)
from tests.support.every import every
from tests.support.fakes import Says
from tests.support.harnesses import ForwarderHarness

APPSFLYER_ID = "1698765432100-1234567890123456789"


def bare(**overrides: Any) -> Json:
    """An event that names its customer and no AppsFlyer id."""
    return make_event(**{"appsflyer_id": None, **overrides})


def knows(harness: ForwarderHarness, customer: str = "user-1", **overrides: Any) -> None:
    """AppsFlyer has told of an install."""
    install: dict[str, Any] = {
        "app_id": MOBILE_APP,
        "customer_user_id": customer,
        "appsflyer_id": APPSFLYER_ID,
        "installed_at": NOW - timedelta(days=3),
    }
    identity = Identity(**install | overrides)
    assert Identities(harness.identities, clock=harness.clock).remember(identity)


async def test_forward_known_customer_is_sent_with_its_appsflyer_id() -> None:
    harness = ForwarderHarness()
    knows(harness)

    await harness.forward(make_envelope(event=bare()))

    assert harness.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


async def test_forward_identity_that_cannot_be_read_holds_its_customers_events_alone() -> None:
    harness = ForwarderHarness()
    knows(harness, "user-2")
    harness.identities.put(Key("user-1", MOBILE_APP), {"appsflyer_id": "1-1"})

    failed = await harness.forward(
        make_envelope(event_id="a", event=bare()),
        make_envelope(event_id="b", event=bare(customer_user_id="user-2")),
    )

    assert failed == []
    assert [message.content["event_id"] for message in harness.waiting] == ["a"]
    assert [body["customer_user_id"] for body in harness.appsflyer.bodies] == ["user-2"]


@every("given", [None, "", "  "])
async def test_forward_blank_appsflyer_id_is_looked_up_too(given: str | None) -> None:
    harness = ForwarderHarness()
    knows(harness)

    await harness.forward(make_envelope(event=bare(appsflyer_id=given)))

    assert harness.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


async def test_forward_customer_that_is_a_number_is_looked_up_by_its_digits() -> None:
    """M19."""
    harness = ForwarderHarness()
    knows(harness, "84213")

    await harness.forward(make_envelope(event=bare(customer_user_id=84213)))

    assert harness.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


@every("customer", [True, ["user-1"], 1.5])
async def test_forward_customer_of_a_wrong_type_is_nobody(customer: object) -> None:
    harness = ForwarderHarness()

    await harness.forward(make_envelope(event=bare(customer_user_id=customer)))

    assert harness.identities.calls == {}
    assert [letter["outcome"] for letter in harness.dead] == ["rejected"]


async def test_forward_own_appsflyer_id_is_not_looked_up() -> None:
    harness = ForwarderHarness()

    await harness.forward(make_envelope())

    assert harness.identities.calls == {}


async def test_forward_looks_a_batch_up_in_one_read_an_app() -> None:
    harness = ForwarderHarness()
    knows(harness, "a")
    knows(harness, "b")
    events = [bare(customer_user_id=name) for name in ("a", "b", "a")]

    await harness.forward(*(make_envelope(event=event) for event in events))

    assert harness.identities.calls["get"] == 1
    assert len(harness.appsflyer.requests) == 3


async def test_forward_unknown_customer_is_held_and_sent_once_known() -> None:
    harness = ForwarderHarness()

    assert await harness.forward(make_envelope(event=bare())) == []

    (message,) = harness.waiting
    assert harness.appsflyer.requests == []
    assert "attempts" not in message.content
    assert "appsflyer_id" not in message.content["event"]
    knows(harness)
    await harness.next_round()
    assert harness.appsflyer.bodies[0]["appsflyer_id"] == APPSFLYER_ID


async def test_forward_unknown_customer_is_looked_for_soon_and_then_less_often() -> None:
    harness = ForwarderHarness(hold_seconds=300)
    waits = []

    await harness.forward(make_envelope(event=bare()))
    for _ in range(9):
        waits.append(harness.waiting[0].delay_seconds)
        await harness.next_round()

    assert waits == [5, 5, 10, 20, 40, 80, 160, 300, 300]


async def test_forward_unknown_customer_is_a_dead_letter_after_its_limit() -> None:
    harness = ForwarderHarness(identity_limit_seconds=3600)
    await harness.forward(make_envelope(event=bare()))
    harness.clock.advance(3600)

    await harness.next_round()

    (letter,) = harness.dead
    assert (letter["outcome"], letter["reason"]) == ("held", "identity_unknown")
    assert harness.waiting == []


async def test_forward_unknown_customer_whose_event_breaks_another_rule_is_rejected() -> None:
    harness = ForwarderHarness()

    await harness.forward(make_envelope(event=bare(eventName=" ")))

    (letter,) = harness.dead
    assert letter["outcome"] == "rejected"
    assert [finding["rule"] for finding in letter["findings"]] == ["M2"]


async def test_forward_table_that_is_down_defers_only_those_who_need_it() -> None:
    harness = ForwarderHarness()
    harness.identities.error = TableUnavailableError("down")

    await harness.forward(make_envelope(event=bare()), make_envelope(event_id="order-2"))

    (message,) = harness.waiting
    assert message.content["attempts"] == 1
    assert len(harness.appsflyer.requests) == 1


async def test_forward_young_install_waits_until_it_is_a_minute_old() -> None:
    """S3."""
    harness = ForwarderHarness()
    knows(harness, installed_at=harness.clock() - timedelta(seconds=20))

    await harness.forward(make_envelope(event=bare()))

    assert harness.appsflyer.requests == []
    assert [message.delay_seconds for message in harness.waiting] == [40]
    await harness.next_round()
    assert len(harness.appsflyer.requests) == 1


async def test_forward_own_not_before_goes_before_that_of_the_install() -> None:
    harness = ForwarderHarness()
    knows(harness, installed_at=harness.clock() - timedelta(seconds=20))

    await harness.forward(make_envelope(event=bare(), not_before="2026-03-02T12:10:00Z"))

    assert [message.delay_seconds for message in harness.waiting] == [600]


async def test_forward_install_in_the_future_is_not_waited_for() -> None:
    harness = ForwarderHarness()
    knows(harness, installed_at=harness.clock() + timedelta(hours=1))

    await harness.forward(make_envelope(event=bare()))

    assert len(harness.appsflyer.requests) == 1


async def test_forward_dead_letter_of_a_looked_up_event_is_as_it_was_handed_in() -> None:
    harness = ForwarderHarness()
    knows(harness)
    harness.appsflyer.says(Says(400, "Bad request"))

    await harness.forward(make_envelope(event=bare()))

    (letter,) = harness.dead
    assert letter["outcome"] == "refused"
    assert "appsflyer_id" not in letter["event"]


async def test_forward_without_a_table_knows_nobody() -> None:
    harness = ForwarderHarness()
    harness.knows_customers = False  # as a web forwarder, which has no table
    harness.forwarder = harness.make_forwarder()

    await harness.forward(make_envelope(event=bare()))

    assert len(harness.waiting) == 1


async def test_forward_web_event_is_never_looked_up() -> None:
    harness = ForwarderHarness(Surface.WEB)

    await harness.forward(make_web_envelope())

    assert harness.identities.calls == {}
