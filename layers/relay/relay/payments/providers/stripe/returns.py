"""Refunds and disputes at Stripe."""

from datetime import datetime
from typing import Final

from relay.domain.movements import CustomerHints, Interpretation, Link, Movement, MovementKind, Ref
from relay.errors import UnreadableWebhookError
from relay.payments.providers.parsing import (
    Shape,
    chain,
    identifier,
    identifier_or_none,
    moment_of_unix_or_none,
    refs_of,
    text_or_none,
    whole,
)
from relay.payments.providers.stripe.event import Event, scalars

_FAILED: Final = frozenset({"failed", "canceled"})


def return_shape(_metadata: Shape) -> Shape:
    """The allow-list of a refund and of a dispute."""
    return scalars("id status currency amount created payment_intent charge")


# Refunds


def refund(event: Event) -> Interpretation:
    """A refund counts from its start, pending or done; a failure is reported later."""
    links = _links(event, "refund")
    if text_or_none(event.entity, "status") in _FAILED:
        return Interpretation(links)
    started = moment_of_unix_or_none(event.entity, "created") or event.created
    return Interpretation(
        links, _movement(event, MovementKind.REFUND, links[0].ref, _payment_ref(event), started)
    )


def refund_updated(event: Event) -> Interpretation:
    """Detects a cancelled refund, which has no type of its own."""
    if text_or_none(event.entity, "status") in _FAILED:
        return refund_failed(event)
    return Interpretation(_links(event, "refund"))


def refund_failed(event: Event) -> Interpretation:
    """The refund failed and the money is ours again."""
    return _reversal(event, MovementKind.REFUND_REVERSED, "refund", "failed")


# Disputes


def dispute(event: Event) -> Interpretation:
    """The dispute was opened, or ended without moving money."""
    return Interpretation(_links(event, "dispute"))


def dispute_withdrawn(event: Event) -> Interpretation:
    """The disputed money was taken."""
    links = _links(event, "dispute")
    movement = _movement(
        event, MovementKind.DISPUTE, links[0].ref, _payment_ref(event), event.created
    )
    return Interpretation(links, movement)


def dispute_reinstated(event: Event) -> Interpretation:
    """The disputed money came back to us."""
    return _reversal(event, MovementKind.DISPUTE_WON, "dispute", "won")


def dispute_closed(event: Event) -> Interpretation:
    """Lost or won: repeats what the movement of the money reported. Else no money moved."""
    status = text_or_none(event.entity, "status")
    if status == "lost":
        return dispute_withdrawn(event)
    return dispute_reinstated(event) if status == "won" else dispute(event)


# For both


def _payment_ref(event: Event) -> Ref:
    """The payment that is returned; the charge if no payment is named."""
    payment = identifier_or_none(event.entity, "payment_intent")
    found = refs_of(payment=payment, charge=identifier_or_none(event.entity, "charge"))
    if not found:
        raise UnreadableWebhookError("neither payment_intent nor charge is there")
    return found[0]


def _links(event: Event, sort: str) -> tuple[Link, ...]:
    """Links from the return to its payment, and from the payment's charge to the payment."""
    own_ref = f"{sort}:{identifier(event.entity, 'id')}"
    charge = identifier_or_none(event.entity, "charge")
    payment = identifier_or_none(event.entity, "payment_intent")
    return (
        Link(own_ref, to=(_payment_ref(event),)),
        *chain(refs_of(charge=charge, payment=payment), CustomerHints()),
    )


def _reversal(event: Event, kind: MovementKind, sort: str, ending: str) -> Interpretation:
    """A reversal: its original is the return, which leads on to the payment."""
    links = _links(event, sort)
    reversed_ref = links[0].ref
    movement = _movement(event, kind, f"{reversed_ref}:{ending}", reversed_ref, event.created)
    return Interpretation((*links, Link(movement.ref, to=(reversed_ref,))), movement)


def _movement(
    event: Event, kind: MovementKind, ref: Ref, original_ref: Ref, moment: datetime
) -> Movement:
    name = ref.partition(":")[2]
    amount = event.amount(whole(event.entity, "amount"))
    return Movement(kind, name, ref, moment, amount=amount, original_ref=original_ref)
