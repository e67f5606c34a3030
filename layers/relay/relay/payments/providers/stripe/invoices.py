"""Payments by invoice at Stripe: subscriptions, and manual billing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from relay.domain.movements import CustomerHints, Interpretation, Movement, MovementKind
from relay.payments.providers.parsing import (
    Shape,
    chain,
    flag,
    identifier,
    identifier_or_none,
    moment_of_unix_or_none,
    objects,
    refs_of,
    text_or_none,
    whole,
    whole_or_none,
)
from relay.payments.providers.stripe.event import Event, first_id, price_of, scalars


def invoice_shape(metadata: Shape) -> Shape:
    """The allow-list of an invoice."""
    details: Shape = {"subscription": None, "metadata": metadata}
    return {
        **scalars("id billing_reason currency amount_paid total total_excluding_tax"),
        **scalars("amount_due paid_out_of_band amount_paid_off_stripe"),
        **scalars("subscription payment_intent charge customer customer_account"),
        "status_transitions": scalars("paid_at"),
        "parent": {"subscription_details": details},
        "subscription_details": details,
        "metadata": metadata,
        "lines": {"data": _line_shape(metadata)},
    }


def _line_shape(metadata: Shape) -> Shape:
    return {
        **scalars("amount quantity subscription"),
        "period": scalars("start end"),
        "parent": {"subscription_item_details": scalars("subscription")},
        "pricing": {"price_details": scalars("price")},
        "price": scalars("id"),
        "metadata": metadata,
    }


_SUBSCRIPTION_OF_INVOICE: Final = (
    "parent.subscription_details.subscription",
    "subscription",
    "lines.data.0.parent.subscription_item_details.subscription",
)
_SUBSCRIPTION_OF_LINE: Final = ("parent.subscription_item_details.subscription", "subscription")
_METADATA: Final = (
    "parent.subscription_details.metadata",
    "subscription_details.metadata",
    "metadata",
    "lines.data.0.metadata",
)


def invoice(event: Event) -> Interpretation:
    """A payment. An invoice of nothing is no movement.

    It may be that of a trial, a free plan, a full discount or use that is billed later: only the
    subscription says which.
    """
    subscription = first_id(event.entity, *_SUBSCRIPTION_OF_INVOICE)
    refs = refs_of(
        charge=identifier_or_none(event.entity, "charge"),
        payment=identifier_or_none(event.entity, "payment_intent"),
        invoice=identifier(event.entity, "id"),
        subscription=subscription,
        customer=event.customer(),
    )
    started = _paid_at(event) if _is_opening(event.entity) else None
    links = chain(refs, event.hints(*_METADATA), started=started)
    return Interpretation(links, _payment_movement(event, subscription))


def _is_opening(entity: object) -> bool:
    """Whether it is the first invoice of its subscription."""
    return text_or_none(entity, "billing_reason") == "subscription_create"


def _paid(entity: object) -> int:
    """What was paid by any means, also outside Stripe. Credit that was used is no payment.

    Before basil, `amount_paid` does not contain what was paid outside Stripe: always all of it.
    """
    paid = whole(entity, "amount_paid")
    outside = whole_or_none(entity, "amount_paid_off_stripe") or 0
    if flag(entity, "paid_out_of_band"):
        outside = whole_or_none(entity, "amount_due") or 0
    return max(paid, outside) if outside else paid


def _payment_movement(event: Event, subscription: str | None) -> Movement | None:
    paid = _paid(event.entity)
    if paid == 0 or (subscription is None and event.settings.one_off_source != "checkout"):
        return None
    invoice_id = identifier(event.entity, "id")
    line = _charged_line(event.entity)
    return Movement(
        _movement_kind(event.entity, subscription),
        invoice_id,
        f"invoice:{invoice_id}",
        _paid_at(event),
        amount=event.amount(paid, _net_of_tax(event.entity, paid)),
        order_id=invoice_id,
        product_id=price_of(line),
        quantity=whole_or_none(line, "quantity"),
        period_start=_period_start(event.entity),
        subscription=subscription and f"subscription:{subscription}",
    )


def _movement_kind(entity: object, subscription: str | None) -> MovementKind:
    """The kind. An upgrade, or use above a threshold, of a running subscription is a renewal.

    If the opening invoice was of nothing, later money is the first: see `Movement.subscription`.
    """
    if subscription is None:
        return MovementKind.PURCHASE
    return MovementKind.FIRST_PAYMENT if _is_opening(entity) else MovementKind.RENEWAL


def _paid_at(event: Event) -> datetime:
    return moment_of_unix_or_none(event.entity, "status_transitions.paid_at") or event.created


def _net_of_tax(entity: object, paid: int) -> int | None:
    """What was paid without its tax, to the nearest minor unit.

    If credit pays part of the total, the tax is split in proportion.
    """
    total = whole_or_none(entity, "total")
    net = whole_or_none(entity, "total_excluding_tax")
    if not total or net is None or not 0 <= net <= total:
        return None
    return (2 * paid * net + total) // (2 * total)


def _charged_line(entity: object) -> Mapping[str, Any]:
    """What was sold: the first line with a charge. An upgrade may list its credit before it."""
    lines = objects(entity, "lines.data")
    charged = (line for line in lines if (whole_or_none(line, "amount") or 0) > 0)
    return next(charged, lines[0] if lines else {})


def _period_start(entity: object) -> datetime | None:
    """The latest start among the subscription's lines; charges in arrears start earlier."""
    starts = (
        moment_of_unix_or_none(line, "period.start")
        for line in objects(entity, "lines.data")
        if first_id(line, *_SUBSCRIPTION_OF_LINE)
    )
    return max((start for start in starts if start), default=None)


def invoice_payment_shape(_metadata: Shape) -> Shape:
    """The allow-list of an invoice payment."""
    return {"invoice": None, "payment": scalars("payment_intent charge")}


def invoice_payment(event: Event) -> Interpretation:
    """Which payment paid an invoice: no other webhook says so."""
    refs = refs_of(
        charge=identifier_or_none(event.entity, "payment.charge"),
        payment=identifier_or_none(event.entity, "payment.payment_intent"),
        invoice=identifier(event.entity, "invoice"),
    )
    return Interpretation(chain(refs, CustomerHints()))
