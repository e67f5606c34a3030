"""Payments that were authorised in Checkout, and count when they are captured."""

from typing import Any

import pytest

from tests.support.builders import MOBILE_APP, Json
from tests.support.ledger_stories import Heard, heard, tell
from tests.support.payments_harness import PaymentsHarness
from tests.support.stripe_ledger import HINTS, START

HEARD = Heard.of_answer


def event(kind: str, **thing: Any) -> Json:
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": START,
        "livemode": True,
        "data": {"object": {"currency": "usd", "metadata": HINTS, **thing}},
    }


def session(**fields: Any) -> Json:
    given: Json = {
        "id": "cs_1",
        "mode": "payment",
        "payment_status": "unpaid",
        "amount_total": 1190,
        "payment_intent": "pi_1",
        "total_details": {"amount_tax": 190},
    }
    return event("checkout.session.completed", **{**given, **fields})


def captured(minor: int = 1190) -> Json:
    return event("payment_intent.succeeded", id="pi_1", amount_received=minor, metadata={})


@pytest.fixture
def harness() -> PaymentsHarness:
    return PaymentsHarness()


def test_capture_counts_at_once_where_it_was_promised(harness: PaymentsHarness) -> None:
    for body in (session(), captured()):
        tell(harness, "stripe", body)

    assert harness.waiting == []
    assert list(heard(harness)) == [HEARD(["af_purchase", "11.90", "USD"])]


@pytest.mark.parametrize(
    ("minor", "net"), [(1190, "10.00"), (595, "5.00"), (690, "5.80"), (1, "0.01")]
)
def test_capture_is_reported_net_in_proportion_to_the_session(
    harness: PaymentsHarness, minor: int, net: str
) -> None:
    harness.payments_of(MOBILE_APP, revenue="net_of_tax")
    for body in (captured(minor), session()):  # told backwards
        tell(harness, "stripe", body)
    harness.settle()

    assert list(heard(harness)) == [HEARD(["af_purchase", net, "USD"])]


def test_capture_of_a_session_without_told_tax_has_no_net_amount(harness: PaymentsHarness) -> None:
    harness.payments_of(MOBILE_APP, revenue="net_of_tax")
    for body in (session(total_details=None), captured()):
        tell(harness, "stripe", body)

    assert [letter["reason"] for letter in harness.dead] == ["revenue_unknown"]


@pytest.mark.parametrize("bodies", [[], [session(invoice="in_1")], [session(mode="setup")]])
def test_payment_that_no_session_promised_is_nobodys_and_leaves_nothing(
    harness: PaymentsHarness, bodies: list[Json]
) -> None:
    for body in (*bodies, event("payment_intent.succeeded", id="pi_1", amount_received=1190)):
        tell(harness, "stripe", body)
    harness.settle()

    assert (heard(harness), harness.dead) == ({}, [])
    harness.trail.forget("user-1")
    assert len(harness.trail_table) == 0
