"""Money that is given back (refunds) or taken away (chargebacks) at Paddle."""

from typing import Final

from relay.domain.movements import Clues, Fact, Meaning, Movement, MovementKind, Ref
from relay.payments.providers.paddle.event import Event
from relay.payments.providers.parsing import (
    Shape,
    chain,
    identifier,
    identifier_or_none,
    refs,
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
    # The chargeback's own status becomes `reversed` as well: a second telling.
    ("chargeback_reverse", "approved"): MovementKind.DISPUTE_WON,
}
"""By action and status. The others move nothing yet, or move credit, or warn."""


def adjustment(event: Event) -> Meaning:
    """Money that is given back or taken away, once that is settled; else links alone."""
    kind = _RETURNS.get((text(event.thing, "action"), text(event.thing, "status")))
    links = refs(
        adjustment=identifier(event.thing, "id"),
        transaction=identifier(event.thing, "transaction_id"),
        subscription=identifier_or_none(event.thing, "subscription_id"),
        customer=identifier_or_none(event.thing, "customer_id"),
    )
    facts = chain(links, Clues())
    if kind is None:
        return Meaning(facts)
    own, transaction = links[:2]
    chargeback = f"chargeback:{identifier(event.thing, 'transaction_id')}"
    ref, about = {
        MovementKind.REFUND_REVERSED: (f"{own}:reversed", own),
        MovementKind.DISPUTE_WON: (own, chargeback),
    }.get(kind, (own, transaction))
    link = {
        MovementKind.REFUND_REVERSED: (Fact(ref, to=(own,)),),
        MovementKind.DISPUTE: (Fact(chargeback, to=(own,)),),
    }.get(kind, ())
    return Meaning((*facts, *link), _returned(event, kind, ref, about))


def _returned(event: Event, kind: MovementKind, ref: Ref, about: Ref) -> Movement:
    total, tax = whole(event.thing, "totals.total"), whole_or_none(event.thing, "totals.tax")
    amount = event.amount("totals", total, tax)
    name = ref.partition(":")[2]
    return Movement(kind, name, ref, event.occurred_at, amount=amount, about=about)
