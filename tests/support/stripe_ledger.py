"""Stripe's side of a story: the books of one subscription, and the webhooks that tell of it.

The bodies have the shape of the endpoint's API version, reduced to what matters; a source may have
endpoints of several versions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.support.builders import Json
from tests.support.ledger_stories import Ledger

START = 1_772_366_400
"""2026-03-01 12:00 UTC, a day before the clock of a story starts."""
DAY = 86_400
MONTH = 30 * DAY
NEWEST = "2026-10-28.endive"
HINTS = {
    "app_user_id": "user-1",
    "appsflyer_id": "1698765432100-1111111111111111111",
    "af_app_id": "id123456789",
    "platform": "ios",
}
NAMES = {
    "trial": "TRIAL",
    "first_payment": "FIRST",
    "renewal": "RENEW",
    "purchase": "PURCHASE",
    "cancellation": "CANCELLED",
}


@dataclass
class StripeLedger(Ledger):
    """One customer with the subscription `sub_1` and payments `in_1`, `in_2` ..., in cents."""

    versions: Sequence[str] = (NEWEST,)
    refunded: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """What each charge was given back so far: `amount_refunded`."""
    paid: dict[str, int] = field(default_factory=dict)
    """By charge."""
    now: int = START

    def _tell(
        self, kind: str, thing: Json, version: str, previous: Json | None = None, **extra: Any
    ) -> None:
        number = len(self.webhooks) + 1
        data = {"object": thing} if previous is None else {
            "object": thing,
            "previous_attributes": previous,
        }  # fmt: skip
        self.webhooks.append(
            {
                "id": f"evt_{number}",
                "object": "event",
                "api_version": version,
                "created": self.now,
                "livemode": True,
                "type": kind,
                "data": data,
                **extra,
            }
        )

    # Subscriptions

    def subscribe(self, status: str = "active", trial_end: int | None = None) -> None:
        """The subscription begins."""
        for version in self.versions:
            self._tell(
                "customer.subscription.created", self.subscription(status, trial_end), version
            )

    def subscription(self, status: str, trial_end: int | None = None, **changes: Any) -> Json:
        """The subscription as Stripe describes it."""
        return {
            "id": "sub_1",
            "object": "subscription",
            "status": status,
            "customer": "cus_1",
            "start_date": START,
            "metadata": HINTS,
            "items": {"data": [{"id": "si_1", "quantity": 1, "price": {"id": "price_A"}}]},
            "trial_start": None if trial_end is None else START,
            "trial_end": trial_end,
            "cancel_at": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "ended_at": None,
            **changes,
        }

    def update(self, previous: Json, status: str, trial_end: int | None = None) -> None:
        """The subscription changes."""
        for version in self.versions:
            thing = self.subscription(status, trial_end)
            self._tell("customer.subscription.updated", thing, version, previous)

    # Invoices

    def invoice(
        self,
        name: str,
        amount: int,
        reason: str = "subscription_cycle",
        start: int | None = None,
        *,
        currency: str = "usd",
        **changes: Any,
    ) -> None:
        """An invoice is paid: by `pi_<name>` and `ch_<name>`, if there is anything to pay."""
        self.balance += Decimal(amount) / 100
        self.paid[name] = amount
        for version in self.versions:
            self._tell_invoice(name, amount, reason, start, version, currency, changes)

    def _tell_invoice(
        self,
        name: str,
        amount: int,
        reason: str,
        start: int | None,
        version: str,
        currency: str,
        changes: Json,
    ) -> None:
        period = {"start": self.now if start is None else start, "end": self.now + MONTH}
        line: Json = {"amount": amount, "quantity": 1, "period": period, "metadata": HINTS}
        thing: Json = {
            "id": f"in_{name}",
            "object": "invoice",
            "billing_reason": reason,
            "currency": currency,
            "amount_due": amount,
            "amount_paid": amount,
            "total": amount,
            "total_excluding_tax": amount,
            "customer": "cus_1",
            "status_transitions": {"paid_at": self.now},
            "metadata": {},
        }
        if version < "2025-03-31":
            line |= {"subscription": "sub_1", "price": {"id": "price_A"}}
            thing |= {
                "subscription": "sub_1",
                "subscription_details": {"metadata": HINTS},
                "paid": True,
                "paid_out_of_band": False,
                "payment_intent": f"pi_{name}" if amount else None,
                "charge": f"ch_{name}" if amount else None,
            }
        else:
            parent = {"subscription_item_details": {"subscription": "sub_1"}}
            line |= {"parent": parent, "pricing": {"price_details": {"price": "price_A"}}}
            details = {"subscription": "sub_1", "metadata": HINTS}
            thing |= {"parent": {"subscription_details": details}}
        self._tell("invoice.paid", {**thing, "lines": {"data": [line]}, **changes}, version)
        if amount and version >= "2025-06-30":
            link = {
                "id": f"inpay_{name}",
                "object": "invoice_payment",
                "invoice": f"in_{name}",
                "payment": {"type": "payment_intent", "payment_intent": f"pi_{name}"},
            }
            self._tell("invoice_payment.paid", link, version)

    # Refunds

    def refund(self, refund: str, name: str, amount: int) -> None:
        """A part of a payment is given back."""
        before, self.refunded[name] = self.refunded[name], self.refunded[name] + amount
        self.balance -= Decimal(amount) / 100
        for version in self.versions:
            if version >= "2024-10-28":
                self._tell("refund.created", self._refund(refund, name, amount), version)
            self._tell_charge(name, version, {"amount_refunded": before})

    def refund_fails(self, refund: str, name: str, amount: int) -> None:
        """It comes back."""
        self.refunded[name] -= amount
        self.balance += Decimal(amount) / 100
        thing = self._refund(refund, name, amount, status="failed")
        for version in self.versions:
            self._tell("charge.refund.updated", thing, version)
            if version >= "2024-10-28":
                self._tell("refund.updated", thing, version)
                self._tell("refund.failed", thing, version)

    def _tell_charge(self, name: str, version: str, previous: Json, **changes: Any) -> None:
        thing = {
            "id": f"ch_{name}",
            "object": "charge",
            "amount": self.paid[name],
            "amount_captured": self.paid[name],
            "amount_refunded": self.refunded[name],
            "currency": "usd",
            "payment_intent": f"pi_{name}",
            "created": START,
            **changes,
        }
        self._tell("charge.refunded", thing, version, previous)

    def _refund(self, refund: str, name: str, amount: int, status: str = "succeeded") -> Json:
        return {
            "id": f"re_{refund}",
            "object": "refund",
            "amount": amount,
            "currency": "usd",
            "payment_intent": f"pi_{name}",
            "charge": f"ch_{name}",
            "status": status,
            "created": self.now,
            "balance_transaction": f"txn_{refund}",
        }

    # Disputes

    def dispute(self, name: str, *, won: bool) -> None:
        """The money is taken, and perhaps comes back."""
        for version in self.versions:
            thing = {
                "id": f"du_{name}",
                "object": "dispute",
                "amount": self.paid[name],
                "currency": "usd",
                "payment_intent": f"pi_{name}",
                "charge": f"ch_{name}",
            }
            taken = {**thing, "status": "needs_response"}
            self._tell("charge.dispute.created", taken, version)
            self._tell("charge.dispute.funds_withdrawn", taken, version)
            closed = {**thing, "status": "won" if won else "lost"}
            self._tell("charge.dispute.closed", closed, version)
            if won:
                self._tell("charge.dispute.funds_reinstated", closed, version)
        if not won:
            self.balance -= Decimal(self.paid[name]) / 100
