"""A customer's story as each provider tells it, in any order and thrice: one event a movement.

What comes out on the delivery queues may come out more than once, but the same to the byte: the
deliveries tell it apart by its event id.
"""

import random
from collections import Counter
from decimal import Decimal
from itertools import permutations

import pytest

from tests.support.builders import Json
from tests.support.every import every
from tests.support.payment_stories import (
    ALL,
    NET_SUMS,
    PAID,
    PART,
    PART_BACK,
    REST,
    STORIES,
    Heard,
    story,
)
from tests.support.payments_harness import SECRETS, PaymentsHarness, billing_webhook
from tests.support.webhooks import ACCOUNTS, Posted, present

pytestmark = pytest.mark.untraced  # hundreds of orders, which tracing makes slow


def told(harness: PaymentsHarness, provider: str, webhooks: list[Posted]) -> list[str]:
    """The notices of webhooks, in their order."""
    for webhook in webhooks:
        assert harness.post(provider, webhook)["statusCode"] == 200
    bodies = [message.body for message in harness.waiting]
    harness.waiting.clear()
    return bodies


def movements(harness: PaymentsHarness) -> list[Json]:
    """Each event once; those that were queued more often are alike."""
    found: dict[str, Json] = {}
    for one in harness.mobile:
        known = found.setdefault(one["event_id"], one)
        assert (known["event"], known["content_sha256"]) == (one["event"], one["content_sha256"])
    return list(found.values())


def heard(events: list[Json]) -> Counter[Heard]:
    return Counter(
        (one["event"]["eventName"], one["event"]["eventValue"].get("af_revenue")) for one in events
    )


def net_sum(events: list[Json]) -> Decimal:
    revenues = (one["event"]["eventValue"].get("af_revenue", "0") for one in events)
    return sum(map(Decimal, revenues), Decimal(0))


def orders(webhooks: list[Posted], config: pytest.Config, step: int) -> list[tuple[Posted, ...]]:
    """Every order with `--full`, else one of so many."""
    found = list(permutations(webhooks))
    return found if config.getoption("--full") else found[::step]


@every("provider", STORIES)
def test_story_told_thrice_in_any_order_is_each_movement_once(provider: str) -> None:
    harness = PaymentsHarness()
    harness.clock.now = present()
    bodies = told(harness, provider, story(ACCOUNTS[provider](SECRETS[provider], "user-1")))
    order = 3 * bodies
    random.Random(1).shuffle(order)  # noqa: S311 - any order, the same in each run

    for start in range(0, len(order), 4):
        assert harness.map(*order[start : start + 4]) == []
    harness.settle()

    assert harness.dead == []
    assert heard(movements(harness)) == Counter(STORIES[provider])
    assert net_sum(movements(harness)) == NET_SUMS[provider]


@every("provider", STORIES)
def test_forgotten_customer_leaves_nothing_of_the_story_in_whichever_order_it_came(
    provider: str,
) -> None:
    harness = PaymentsHarness()
    harness.clock.now = present()
    order = told(harness, provider, story(ACCOUNTS[provider](SECRETS[provider], "user-1")))
    random.Random(1).shuffle(order)  # noqa: S311 - as above
    for body in order:
        assert harness.map(body) == []
    harness.settle()
    assert len(harness.trail_table) > 10

    harness.trail.forget("user-1")

    assert len(harness.trail_table) == 0


def test_payment_and_its_refunds_of_stripe_in_every_order_are_each_once(
    pytestconfig: pytest.Config,
) -> None:
    """In a short run, each three of them in each order; so below."""
    account = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1")
    paid, _, link = account.renewal(1)
    refunds = [account.refund(1, 0, 2000)[0], account.refund(1, 1, 3949)[0]]
    webhooks = [paid, link, *refunds]
    expected = Counter([PAID, PART, REST])

    for order in orders(webhooks, pytestconfig, 2):
        harness = PaymentsHarness()
        harness.clock.now = present()
        for body in 3 * told(harness, "stripe", list(order)):
            assert harness.map(body) == []
        harness.settle()

        assert harness.dead == []
        assert heard(movements(harness)) == expected
        assert net_sum(movements(harness)) == 0


@every("seed", range(2))
def test_payment_told_net_that_is_given_back_in_parts_leaves_nothing(seed: int) -> None:
    """Stripe tells of a refund's gross amount alone."""
    harness = PaymentsHarness()
    harness.clock.now = present()
    harness.payments_of("id123456789", revenue="net_of_tax")
    account = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1")
    thirds = [posted for part in range(3) for posted in account.refund(1, part, 1983)]
    order = 3 * told(harness, "stripe", [*account.renewal(1), *thirds])
    random.Random(seed).shuffle(order)  # noqa: S311 - as above

    for start in range(0, len(order), 4):
        assert harness.map(*order[start : start + 4]) == []
    harness.settle()

    events = movements(harness)
    assert harness.dead == []
    assert heard(events) == Counter(
        [("af_subscribe", "49.99"), *2 * [("af_subscribe", "-16.66")], ("af_subscribe", "-16.67")]
    )
    assert net_sum(events) == 0


def test_refund_told_net_that_came_back_leaves_the_payment_as_it_was() -> None:
    harness = PaymentsHarness()
    harness.clock.now = present()
    harness.payments_of("id123456789", revenue="net_of_tax")
    account = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1")
    came_back = [*account.refund(1, 0, 1001), *account.refund_came_back(1, 0, 1001)]
    webhooks = [*account.renewal(1), *came_back, *account.refund(1, 1, 5949)]

    for body in told(harness, "stripe", webhooks):
        assert harness.map(body) == []
    harness.settle()

    assert heard(movements(harness))["af_subscribe", "-49.99"] == 1
    assert net_sum(movements(harness)) == 0


def test_payment_with_all_that_can_happen_to_it_in_every_order_is_each_once(
    pytestconfig: pytest.Config,
) -> None:
    whose = {"customer_user_id": "user-1", "app_id": "id123456789"}
    clock = PaymentsHarness().clock
    webhooks = [
        billing_webhook("renewal", clock, id="p", amount="59.49", currency="EUR", **whose),
        billing_webhook("refund", clock, id="r", original_id="p", amount="20.00", currency="EUR"),
        billing_webhook("refund_reversed", clock, id="rr", original_id="r"),
        billing_webhook("dispute", clock, id="d", original_id="p"),
        billing_webhook("dispute_won", clock, id="dw", original_id="d"),
    ]

    for order in orders(webhooks, pytestconfig, 5):
        harness = PaymentsHarness()
        for body in 3 * told(harness, "standard_webhooks", list(order)):
            assert harness.map(body) == []
        harness.settle()

        assert harness.dead == []
        assert heard(movements(harness)) == Counter([PAID, PART, PART_BACK, ALL, PAID])
        assert net_sum(movements(harness)) == Decimal("59.49")


def test_conversion_of_a_trial_is_the_first_payment_and_what_follows_are_renewals() -> None:
    harness = PaymentsHarness()
    harness.clock.now = present()
    harness.payments_of("id123456789", names={"first_payment": "converted", "renewal": "renewed"})
    account = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1")
    created, _ = account.trial()
    trial_end = b"1793606400"
    assert trial_end in created.body
    line_start = b"1824537600"
    conversion, *_ = account.renewal(1)
    assert line_start in conversion.body

    for webhook in (created, conversion, account.renewal(2)[0]):
        body = told(harness, "stripe", [webhook])[0]
        if webhook is conversion:
            body = body.replace(line_start.decode(), trial_end.decode())
        harness.map(body)
        harness.settle()

    names = [one["event"]["eventName"] for one in harness.mobile]
    assert names == ["af_start_trial", "converted", "renewed"]
