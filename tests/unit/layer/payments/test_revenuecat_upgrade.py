"""RevenueCat: what release 0.1 sent is known under its old id, and what follows adds up with it."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from relay.aws.table import Item, item_of
from relay.domain.movements import MovementKind
from relay.messages.notice import parse_notice
from relay.stores.decision import Decision
from tests.support.builders import Json
from tests.support.ledger_stories import tell
from tests.support.payments_harness import PaymentsHarness

RELEASE_0_1 = Path(__file__).parents[3] / "data" / "release_0_1"
SOURCE = "revenuecat"
BOUGHT = 1_772_366_400_000
TOLD = BOUGHT + 60_000


@pytest.fixture
def harness() -> PaymentsHarness:
    harness = PaymentsHarness()
    harness.installed("user-1")
    return harness


def decided(harness: PaymentsHarness, ref: str, kind: MovementKind, id_: str, at: int) -> None:
    """A decision as release 0.1 left it in the trail."""
    now = int(harness.clock.now.timestamp() * 1000)
    old = Decision(
        kind, id_, at, now, "mobile", "id123456789", "af_subscribe", "user-1", "1698765432100-1",
        currency="EUR", gross="9.99", revenue="9.99", basis="gross", order_id="t1",
    )  # fmt: skip
    harness.trail.decide(SOURCE, ref, old)


def event(kind: str, price: float | None, at: int, **more: Any) -> Json:
    given = {
        "id": f"{kind}-{at}",
        "type": kind,
        "environment": "PRODUCTION",
        "event_timestamp_ms": at,
        "purchased_at_ms": BOUGHT,
        "store": "STRIPE",
        "transaction_id": "t1",
        "original_transaction_id": "t1",
        "period_type": "NORMAL",
        "app_user_id": "user-1",
        "original_app_user_id": "user-1",
        "price_in_purchased_currency": price,
        "currency": "EUR",
    }
    return {"api_version": "1.0", "event": {**given, **more}}


def refund(at: int, **more: Any) -> Json:
    return event("CANCELLATION", -9.99, at, cancel_reason="CUSTOMER_SUPPORT", **more)


def sent(harness: PaymentsHarness) -> list[tuple[str, str]]:
    return [
        (one["event_id"].removeprefix("revenuecat:"), one["event"]["eventValue"]["af_revenue"])
        for one in harness.mobile
    ]


def test_every_notice_of_release_0_1_told_again_has_its_old_id(harness: PaymentsHarness) -> None:
    lines = (RELEASE_0_1 / "trail.ndjson").read_text("utf-8").splitlines()
    items = [item_of(json.loads(line)) for line in lines]
    for key, item in items:
        harness.trail_table.put(key, cast("Item", item))
    texts = (RELEASE_0_1 / "notices.ndjson").read_text("utf-8").splitlines()
    notices = [json.loads(one) for one in texts if json.loads(one)["provider"] == SOURCE]
    retold = [{**one, "content": {**one["content"], "id": one["id"]}} for one in notices]

    assert harness.map(*(json.dumps(one) for one in [*notices, *retold])) == []

    known = {
        item["id"] for key, item in items if key.pk.startswith(SOURCE) and key.sk == "decision"
    }
    assert all(parse_notice(json.dumps(one)).problem is None for one in retold)
    assert (len(harness.mobile), harness.dead) == (2 * len(notices), [])
    assert {one["event_id"].removeprefix("revenuecat:") for one in harness.mobile} <= known


def test_renewal_over_stripe_that_was_sent_is_a_duplicate_and_the_next_is_not(
    harness: PaymentsHarness,
) -> None:
    decided(harness, "transaction:t1", MovementKind.RENEWAL, "t1", BOUGHT)

    for number, bought in ((5, BOUGHT), (6, BOUGHT + 1)):
        times = {"renewal_number": number, "purchased_at_ms": bought}
        tell(harness, SOURCE, event("RENEWAL", 9.99, TOLD, **times))

    assert sent(harness) == [("t1", "9.99"), ("t1:6", "9.99")]


@pytest.mark.parametrize("changed", [{"purchased_at_ms": BOUGHT + 1}, {"currency": "USD"}])
def test_payment_of_another_moment_or_amount_is_another(
    harness: PaymentsHarness, changed: Json
) -> None:
    decided(harness, "transaction:t1", MovementKind.RENEWAL, "t1", BOUGHT)

    tell(harness, SOURCE, event("RENEWAL", 9.99, TOLD, renewal_number=5, **changed))

    assert sent(harness) == [("t1:5", "9.99")]


def test_refund_that_was_sent_is_a_duplicate_and_can_be_reversed_and_made_again(
    harness: PaymentsHarness,
) -> None:
    decided(harness, "transaction:t1", MovementKind.RENEWAL, "t1", BOUGHT)
    decided(harness, "refund:t1", MovementKind.REFUND, "t1:refund", TOLD)

    tell(harness, SOURCE, refund(TOLD, renewal_number=5))
    tell(harness, SOURCE, refund(TOLD + 2, renewal_number=5))
    tell(harness, SOURCE, event("REFUND_REVERSED", 9.99, TOLD + 1, renewal_number=5))
    harness.settle()

    assert sent(harness) == [
        ("t1:refund", "-9.99"),
        (f"t1:5:refund_reversed:REFUND_REVERSED-{TOLD + 1}", "9.99"),
        (f"t1:5:refund:CANCELLATION-{TOLD + 2}", "-9.99"),
    ]


def test_reversal_that_was_sent_is_counted_with_its_refund(harness: PaymentsHarness) -> None:
    decided(harness, "transaction:t1", MovementKind.FIRST_PAYMENT, "t1", BOUGHT)
    decided(harness, "refund:t1", MovementKind.REFUND, "t1:refund", TOLD)
    decided(harness, "refund_reversed:t1", MovementKind.REFUND_REVERSED, "t1:r", TOLD + 1)

    tell(harness, SOURCE, event("REFUND_REVERSED", 9.99, TOLD + 1, store="APP_STORE"))
    tell(harness, SOURCE, refund(TOLD + 2, store="APP_STORE"))

    assert [one for one, _ in sent(harness)] == ["t1:r", f"t1:refund:CANCELLATION-{TOLD + 2}"]
    assert harness.waiting == []


def test_refund_of_another_period_does_not_take_back_what_release_0_1_kept(
    harness: PaymentsHarness,
) -> None:
    decided(harness, "transaction:t1", MovementKind.FIRST_PAYMENT, "t1", BOUGHT)

    tell(harness, SOURCE, refund(TOLD, renewal_number=4, purchased_at_ms=BOUGHT + 1))

    assert sent(harness) == []
    assert len(harness.waiting) == 1


def test_refund_in_another_currency_is_a_dead_letter(harness: PaymentsHarness) -> None:
    tell(harness, SOURCE, event("INITIAL_PURCHASE", 9.99, TOLD))
    tell(harness, SOURCE, refund(TOLD + 1, renewal_number=1, currency="USD"))

    assert [(one["reason"], one["message"]) for one in harness.dead] == [
        ("revenue_unknown", "the payment was in another currency")
    ]


def test_refund_of_more_than_is_left_says_so_in_the_end(harness: PaymentsHarness) -> None:
    tell(harness, SOURCE, event("INITIAL_PURCHASE", 9.99, TOLD))
    tell(harness, SOURCE, refund(TOLD + 1, renewal_number=1))
    tell(harness, SOURCE, refund(TOLD + 2, renewal_number=1))
    harness.settle()

    (letter,) = harness.dead
    assert letter["reason"] == "original_unknown"
    assert "more of it than is left" in letter["message"]
