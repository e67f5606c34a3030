"""Refunds and chargebacks at Paddle."""

from typing import Final

from relay.domain.movements import CustomerHints, Interpretation, Link, Movement, MovementKind, Ref
from relay.payments.providers.paddle.event import Event
from relay.payments.providers.parsing import (
    Shape,
    chain,
    identifier,
    identifier_or_none,
    refs_of,
    text,
    whole,
    whole_or_none,
)


def adjustment_shape(_custom_data: Shape) -> Shape:
    """The allow-list of an adjustment."""
    totals = ("currency_code", "total", "tax", "earnings")
    return {
        **dict.fromkeys(("id", "action", "status")),
        **dict.fromkeys(("transaction_id", "subscription_id", "customer_id")),
        "totals": dict.fromkeys(totals),
    }


_RETURNS: Final = {
    ("refund", "approved"): MovementKind.REFUND,
    ("refund", "reversed"): MovementKind.REFUND_REVERSED,
    ("chargeback", "approved"): MovementKind.DISPUTE,
    # The chargeback's own status becomes `reversed` as well: a duplicate report.
    ("chargeback_reverse", "approved"): MovementKind.DISPUTE_WON,
}
"""By action and status. Other adjustments move no money yet, move credit, or warn."""


def adjustment(event: Event) -> Interpretation:
    """A refund, a chargeback or its reversal, once final; before that, only links."""
    kind = _RETURNS.get((text(event.entity, "action"), text(event.entity, "status")))
    refs = refs_of(
        adjustment=identifier(event.entity, "id"),
        transaction=identifier(event.entity, "transaction_id"),
        subscription=identifier_or_none(event.entity, "subscription_id"),
        customer=identifier_or_none(event.entity, "customer_id"),
    )
    links = chain(refs, CustomerHints())
    if kind is None:
        return Interpretation(links)
    adjustment_ref, transaction = refs[:2]
    any_chargeback = f"chargeback:{identifier(event.entity, 'transaction_id')}"
    chargeback = f"{any_chargeback}:{whole(event.entity, 'totals.total')}"
    ref, original_ref = {
        MovementKind.REFUND_REVERSED: (f"{adjustment_ref}:reversed", adjustment_ref),
        MovementKind.DISPUTE_WON: (adjustment_ref, chargeback),
    }.get(kind, (adjustment_ref, transaction))
    extra_links = {
        MovementKind.REFUND_REVERSED: (Link(ref, to=(adjustment_ref,)),),
        MovementKind.DISPUTE: (Link(chargeback, to=(adjustment_ref,)),),
        MovementKind.DISPUTE_WON: (Link(chargeback, to=(any_chargeback,)),),
    }.get(kind, ())
    return Interpretation((*links, *extra_links), _return_movement(event, kind, ref, original_ref))


def _return_movement(event: Event, kind: MovementKind, ref: Ref, original_ref: Ref) -> Movement:
    total, tax = whole(event.entity, "totals.total"), whole_or_none(event.entity, "totals.tax")
    net = None if tax is None else total - tax
    amount = event.amount("totals", total, net, whole_or_none(event.entity, "totals.earnings"))
    name = ref.partition(":")[2]
    return Movement(kind, name, ref, event.occurred_at, amount=amount, original_ref=original_ref)
