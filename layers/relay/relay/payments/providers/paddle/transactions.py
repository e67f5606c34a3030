"""Payments at Paddle."""

from relay.domain.movements import Interpretation, Movement, MovementKind, Ref
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
    totals = ("currency_code", "grand_total", "grand_total_tax", "tax", "earnings")
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
        amount=event.amount("details.totals", grand_total, _tax(event.entity)),
        order_id=transaction_id,
        product_id=identifier_or_none(event.entity, "items.0.price.id"),
        quantity=whole_or_none(event.entity, "items.0.quantity"),
        period_start=moment_of_iso_or_none(event.entity, "billing_period.starts_at"),
        subscription=_subscription_ref(event.entity),
    )
    return Interpretation(links, movement)


def _tax(transaction: object) -> int | None:
    """The tax in what was paid; `tax` is the tax in the total before credit was used."""
    tax_paid = whole_or_none(transaction, "details.totals.grand_total_tax")
    return whole_or_none(transaction, "details.totals.tax") if tax_paid is None else tax_paid


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
