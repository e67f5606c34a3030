"""RevenueCat: whatever is paid, refunded, reversed, refunded again and told again adds up.

In any order of arrival: RevenueCat tries a webhook again for more than two hours, while the next
ones are on their way.
"""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import Json
from tests.support.ledger_stories import Ledger, heard, played, sums

pytestmark = pytest.mark.untraced  # each part of what they run through has its own tests

START_MS = 1_772_366_400_000
PRICE = Decimal("9.99")
PARTS = [Decimal("2.22"), Decimal("3.33"), PRICE]


class Books(Ledger):
    """RevenueCat's books about two periods of a subscription, over a store."""

    def __init__(self, store: str) -> None:
        super().__init__("EUR")
        self.store = store
        self.standing: list[tuple[int, Decimal]] = []
        """The refunds that were not reversed: period and amount."""
        for number in (1, 2):
            kind = "INITIAL_PURCHASE" if number == 1 else "RENEWAL"
            self.book(PRICE, self._event(number, kind, PRICE))

    def refund(self, number: int, wanted: Decimal) -> None:
        """Refunds so much, or what is left if that is less."""
        left = PRICE - sum(amount for period, amount in self.standing if period == number)
        amount = min(wanted, left)
        if amount:
            self.standing.append((number, amount))
            reason = {"cancel_reason": "CUSTOMER_SUPPORT"}
            self.book(-amount, self._event(number, "CANCELLATION", -amount, **reason))

    def reverse(self, which: int) -> None:
        """Reverses one of the refunds."""
        if self.standing:
            number, amount = self.standing.pop(which % len(self.standing))
            self.book(amount, self._event(number, "REFUND_REVERSED", amount))

    def _event(self, number: int, kind: str, price: Decimal, **more: object) -> Json:
        told = START_MS + 60_000 * len(self.webhooks)
        named = number if self.store == "APP_STORE" else 1
        event = {
            "id": f"event-{len(self.webhooks)}",
            "type": kind,
            "environment": "PRODUCTION",
            "event_timestamp_ms": told,
            "purchased_at_ms": START_MS + number,
            "store": self.store,
            "transaction_id": f"t{named}",
            "original_transaction_id": "t1",
            "renewal_number": number,
            "period_type": "NORMAL",
            "app_user_id": "user-1",
            "original_app_user_id": "user-1",
            "price_in_purchased_currency": float(price),
            "currency": self.currency,
            "tax_percentage": 0.17,
            "commission_percentage": 0.3,
            **more,
        }
        return {"api_version": "1.0", "event": event}


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("refund"), st.sampled_from((1, 2)), st.sampled_from(PARTS)),
        st.tuples(st.just("reverse"), st.integers(0, 3), st.none()),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=15)
@given(st.sampled_from(["APP_STORE", "STRIPE"]), OPERATIONS, st.data())
def test_sum_is_right_in_any_order_and_told_twice(
    store: str, operations: list[tuple[str, int, Decimal | None]], data: st.DataObject
) -> None:
    books = Books(store)
    for operation, which, amount in operations:
        if operation == "refund":
            books.refund(which, amount or PRICE)
        else:
            books.reverse(which)
    retold = data.draw(st.lists(st.sampled_from(books.webhooks), max_size=3))
    order = data.draw(st.permutations([*books.webhooks, *retold]))

    heard_of = heard(played(books.story("revenuecat", order, install="user-1")))

    assert sums(heard_of) == books.sums()
    assert heard_of.total() == len(books.webhooks)
