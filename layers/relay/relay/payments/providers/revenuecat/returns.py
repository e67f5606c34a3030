"""Refunds and their reversals: `CANCELLATION` with `CUSTOMER_SUPPORT`, and `REFUND_REVERSED`.

A transaction may be refunded in parts, and again after a reversal; no event names the other. So
each is known by its own event's id, which is the same in every retry, and all of one transaction
are added up (`Movement.is_share`). RevenueCat tells of refunds of the latest period only.
"""

from functools import partial

from relay.domain.movements import Circumstances, Interpretation, Link, Movement, MovementKind
from relay.payments.providers.revenuecat.amounts import amount_returned
from relay.payments.providers.revenuecat.event import Event
from relay.payments.providers.revenuecat.payments import FREE


def refund(event: Event) -> Interpretation:
    """A refund; without a price it takes back all that is left. A trial that ended is none."""
    is_free = not event.price and event.period in {"TRIAL", "PROMOTIONAL"}
    return (
        Interpretation(tuple(event.links())) if is_free else _returned(event, MovementKind.REFUND)
    )


def reversal(event: Event) -> Interpretation:
    """A refund that was taken back; without a price it brings back all that was taken."""
    return _returned(event, MovementKind.REFUND_REVERSED)


def _returned(event: Event, kind: MovementKind) -> Interpretation:
    key = f"{event.payment_key}:{event.id}"
    transaction = event.transaction
    is_certain = not event.needs_number or event.number in {None, 1}
    movement = Movement(
        kind,
        f"{event.payment_id}:{kind}:{event.id}",
        f"{kind}:{key}",
        at=event.told_at,
        amount=amount_returned(event),
        original_ref=event.payment,
        period_start=None if is_certain else event.bought_at,
        product_id=event.product_id,
        device=event.device,
        judge=None if event.price else partial(_judge_without_price, kind),
        is_share=True,
        former_refs=(
            f"refund:{transaction}",
            f"refund_reversed:{transaction}",
            *event.former_payment,
        ),
    )
    return Interpretation((*event.links(), Link(movement.ref, to=(event.payment,))), movement)


def _judge_without_price(kind: MovementKind, known: Circumstances) -> MovementKind | None:
    """Nothing can be given back of what cost nothing."""
    return None if FREE in known.moments else kind
