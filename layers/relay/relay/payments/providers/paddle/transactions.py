"""Payments at Paddle."""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from relay.domain.movements import Amount, Interpretation, Movement, MovementKind, Ref
from relay.payments.providers.paddle.event import Event
from relay.payments.providers.parsing import (
    Shape,
    at,
    chain,
    identifier,
    identifier_or_none,
    moment_of_iso_or_none,
    objects,
    refs_of,
    text_or_none,
    whole,
    whole_or_none,
)


def transaction_shape(custom_data: Shape) -> Shape:
    """The allow-list of a transaction."""
    totals = ("currency_code", "total", "tax", "grand_total", "grand_total_tax", "fee", "earnings")
    return {
        **dict.fromkeys(("id", "origin", "subscription_id", "customer_id")),
        "items": {"quantity": None, "price": {"id": None, "billing_cycle": {"interval": None}}},
        "details": {"totals": dict.fromkeys(totals)},
        "billing_period": {"starts_at": None},
        "custom_data": custom_data,
    }


def transaction(event: Event) -> Interpretation:
    """A payment; a trial start or a change of payment method pays nothing and is no movement."""
    transaction_id = identifier(event.entity, "id")
    refs = refs_of(
        transaction=transaction_id,
        subscription=identifier_or_none(event.entity, "subscription_id"),
        customer=identifier_or_none(event.entity, "customer_id"),
    )
    # Bought, or begun with a trial, just now: all money of the subscription is still to come.
    started = event.occurred_at if _is_opening(event.entity) else None
    links = chain(refs, event.hints(), started=started)
    grand_total = whole(event.entity, "details.totals.grand_total")
    if grand_total == 0:
        return Interpretation(links)
    movement = Movement(
        _movement_kind(event.entity),
        transaction_id,
        refs[0],
        event.occurred_at,
        amount=_amount_paid(event, grand_total),
        order_id=transaction_id,
        product_id=identifier_or_none(event.entity, "items.0.price.id"),
        quantity=whole_or_none(event.entity, "items.0.quantity"),
        period_start=moment_of_iso_or_none(event.entity, "billing_period.starts_at"),
        subscription=_subscription_ref(event.entity),
    )
    return Interpretation(links, movement)


class _Totals(NamedTuple):
    """Totals in minor units. `total` and what is of it are before credit was used."""

    total: int
    """With tax."""
    tax: int | None
    """In `total`."""
    fee: int | None
    earnings: int | None
    """`total` without the fee, and without the tax as a rule."""
    paid: int
    """`grand_total`: after credit."""
    tax_told: int | None
    """In `paid`; since 2026. In older transactions it repeats `tax`."""

    def net_of_tax(self) -> int | None:
        """What was paid, without its tax: where that is not told, its share of all the tax."""
        if self.tax_told is not None and not self._repeats_tax(self.tax_told):
            return self.paid - self.tax_told
        return None if self.tax is None else self.paid - _share(self.tax, self.paid, self.total)

    def net_of_tax_and_fee(self) -> int | None:
        """The earnings; after credit, what was paid without tax, in proportion to the earnings.

        Paddle's own examples have earnings with and without tax.
        """
        net, has_tax = self.net_of_tax(), self._earnings_have_tax()
        if self.earnings is None or (self.paid == self.total and not has_tax):
            return self.earnings
        if net is None or self.tax is None:
            return None
        return _share(self.earnings, net, self.total if has_tax else self.total - self.tax)

    def _repeats_tax(self, tax_told: int) -> bool:
        return self.paid < self.total and self.tax is not None and tax_told >= self.tax

    def _earnings_have_tax(self) -> bool:
        earnings, tax, fee = self.earnings or 0, self.tax or 0, self.fee or 0
        is_all_but_fee = fee > 0 and earnings + fee == self.total
        return tax > 0 and (earnings > self.total - tax or is_all_but_fee)


def _share(amount: int, part: int, whole: int) -> int:
    """The share of an amount that a part of a whole has, rounded half up."""
    if part == whole or whole <= 0:
        return amount
    return int((Decimal(amount) * part / whole).quantize(Decimal(1), ROUND_HALF_UP))


def _amount_paid(event: Event, grand_total: int) -> Amount:
    """What was paid after credit was used, and the part of it that is net."""

    def told(name: str) -> int | None:
        return whole_or_none(event.entity, f"details.totals.{name}")

    total = told("total")
    totals = _Totals(
        grand_total if total is None else total,  # a notice of release 0.1 was kept without it
        told("tax"),
        told("fee"),
        told("earnings"),
        grand_total,
        told("grand_total_tax"),
    )
    return event.amount(
        "details.totals", grand_total, totals.net_of_tax(), totals.net_of_tax_and_fee()
    )


def _movement_kind(transaction: object) -> MovementKind:
    """The kind, by the origin. An upgrade within a running subscription is a renewal.

    After a trial or a full discount, later money is the first: see `Movement.subscription`.
    """
    origin = text_or_none(transaction, "origin")
    if origin == "subscription_charge" or not _is_recurring(transaction):
        return MovementKind.PURCHASE
    return MovementKind.FIRST_PAYMENT if _is_opening(transaction) else MovementKind.RENEWAL


def _is_opening(transaction: object) -> bool:
    """Whether it was made by a checkout or an invoice, and not by a running subscription."""
    return text_or_none(transaction, "origin") in {"web", "api"}


def _subscription_ref(transaction: object) -> Ref | None:
    """The subscription; none for what is bought once, even if it is charged to a subscription."""
    subscription = identifier_or_none(transaction, "subscription_id")
    is_purchase = _movement_kind(transaction) is MovementKind.PURCHASE
    return None if subscription is None or is_purchase else f"subscription:{subscription}"


def _is_recurring(transaction: object) -> bool:
    """Whether it belongs to a subscription, or starts one that does not exist yet."""
    return identifier_or_none(transaction, "subscription_id") is not None or any(
        at(item, "price.billing_cycle") for item in objects(transaction, "items")
    )
