"""Which of a subscription's payments is its first, as told by many webhooks and by several."""

from collections.abc import Sequence

import pytest

from relay.payments.map import SETTLING_SECONDS
from tests.support.builders import MOBILE_APP, Json
from tests.support.ledger_stories import tell
from tests.support.payments_harness import SECRETS, PaymentsHarness
from tests.support.stripe_ledger import MONTH, NAMES, StripeLedger


@pytest.fixture
def harness() -> PaymentsHarness:
    harness = PaymentsHarness()
    harness.payments_of(MOBILE_APP, names=NAMES)
    return harness


def ledger(*reasons: str) -> StripeLedger:
    """A subscription that was seen to begin, and a payment a month for each reason."""
    found = StripeLedger(versions=["2025-04-30.basil"])  # one webhook for a payment
    found.subscribe()
    for number, reason in enumerate(reasons, 1):
        found.invoice(str(number), 1000, reason)
        found.now += MONTH
    return found


def names_told(harness: PaymentsHarness, webhooks: Sequence[dict[str, object]]) -> list[str]:
    """The names of the events after each of the webhooks has come and waited for the others."""
    for body in webhooks:
        tell(harness, "stripe", body)
        harness.settle()
    return [one["event"]["eventName"] for one in harness.mobile]


def test_payment_waits_a_moment_for_what_is_told_with_it(harness: PaymentsHarness) -> None:
    tell(harness, "stripe", ledger("subscription_cycle").webhooks[1])

    assert [message.delay_seconds for message in harness.waiting] == [SETTLING_SECONDS]
    assert harness.mobile == []
    harness.settle()
    assert [one["event"]["eventName"] for one in harness.mobile] == ["RENEW"]
    assert not any("attempts" in message.content for message in harness.waiting)


def test_payment_waits_no_longer_than_any_other_hold() -> None:
    harness = PaymentsHarness(hold_seconds=2)
    tell(harness, "stripe", ledger("subscription_cycle").webhooks[1])

    assert [message.delay_seconds for message in harness.waiting] == [2]


def test_opening_payment_and_what_follows_it_do_not_wait(harness: PaymentsHarness) -> None:
    for body in ledger("subscription_create", "subscription_cycle").webhooks:
        tell(harness, "stripe", body)

    assert harness.waiting == []
    assert [one["event"]["eventName"] for one in harness.mobile] == ["FIRST", "RENEW"]


def test_opening_payment_that_is_told_a_month_late_is_no_second_first(
    harness: PaymentsHarness,
) -> None:
    created, opening, cycle = ledger("subscription_create", "subscription_cycle").webhooks

    assert names_told(harness, [created, cycle, opening]) == ["FIRST", "RENEW"]


def test_start_that_is_told_after_a_renewal_makes_the_next_no_first_payment(
    harness: PaymentsHarness,
) -> None:
    created, second, third = ledger("subscription_cycle", "subscription_cycle").webhooks

    assert names_told(harness, [second, created, third]) == ["RENEW", "RENEW"]


def test_payments_that_wait_together_are_decided_by_when_they_were_paid(
    harness: PaymentsHarness,
) -> None:
    created, *payments = ledger(*3 * ["subscription_cycle"]).webhooks
    for body in [*reversed(payments), created]:
        tell(harness, "stripe", body)

    harness.settle()

    paid = {one["event_id"]: one["event"]["eventName"] for one in harness.mobile}
    expected = {"stripe:in_1": "FIRST", "stripe:in_2": "RENEW", "stripe:in_3": "RENEW"}
    assert paid == expected


def test_first_payment_whose_customer_becomes_known_later_is_still_the_first(
    harness: PaymentsHarness,
) -> None:
    harness.add_source("stripe", "stripe", SECRETS["stripe"], pick=["latest_install"])
    _, opening, cycle = ledger("subscription_create", "subscription_cycle").webhooks
    for body in (opening, cycle):
        tell(harness, "stripe", body)
    for _ in range(5):
        harness.map_all()
    harness.installed("user-1")
    harness.settle()

    assert sorted(one["event"]["eventName"] for one in harness.mobile) == ["FIRST", "RENEW"]


def paddle(kind: str, **data: object) -> Json:
    fixed = {"event_type": kind, "occurred_at": "2026-03-01T12:00:00Z", "event_id": "evt_1"}
    return {
        **fixed,
        "data": {"customer_id": "ctm_1", "custom_data": {"af_app_id": MOBILE_APP}} | data,
    }


def paid_at_paddle(name: str, origin: str, paid: str = "1000", **data: object) -> Json:
    totals = {"currency_code": "USD", "total": paid, "grand_total": paid}
    items = [{"quantity": 1, "price": {"id": "pri_1", "billing_cycle": {"interval": "month"}}}]
    return paddle(
        "transaction.completed",
        id=name,
        origin=origin,
        items=items,
        details={"totals": totals},
        custom_data={
            "app_user_id": "user-1",
            "appsflyer_id": "1698765432100-1",
            "af_app_id": MOBILE_APP,
        },
        **data,
    )


@pytest.mark.parametrize(
    ("paid", "told"), [("1000", ["FIRST", "RENEW", "RENEW"]), ("0", ["FIRST", "RENEW"])]
)
def test_opening_payment_need_not_name_its_subscription(
    harness: PaymentsHarness, paid: str, told: list[str]
) -> None:
    harness.add_source("paddle", "paddle", SECRETS["paddle"])
    for body in (
        paid_at_paddle("txn_1", "web", paid),
        paddle("subscription.created", id="sub_1", status="active", transaction_id="txn_1"),
        paid_at_paddle("txn_2", "subscription_recurring", subscription_id="sub_1"),
        paid_at_paddle("txn_3", "subscription_recurring", subscription_id="sub_1"),
    ):
        tell(harness, "paddle", body)

    harness.settle()

    assert sorted(one["event"]["eventName"] for one in harness.mobile) == told
