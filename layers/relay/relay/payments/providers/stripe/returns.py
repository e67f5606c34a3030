"""Money that is given back (refunds) or taken away (disputes) at Stripe."""

from datetime import datetime
from typing import Final

from relay.domain.movements import Clues, Fact, Meaning, Movement, MovementKind, Ref
from relay.errors import UnreadableWebhookError
from relay.payments.providers.parsing import (
    Shape,
    chain,
    identifier,
    identifier_or_none,
    moment_of_unix_or_none,
    refs,
    text_or_none,
    whole,
)
from relay.payments.providers.stripe.event import Event, plain

_FAILED: Final = frozenset({"failed", "canceled"})


def return_shape(_metadata: Shape) -> Shape:
    """The allow-list of a refund and of a dispute."""
    return plain("id status currency amount created payment_intent charge")


# Refunds


def refund(event: Event) -> Meaning:
    """A refund counts from its start, pending or done; that it failed is told later."""
    facts = _links(event, "refund")
    if text_or_none(event.thing, "status") in _FAILED:
        return Meaning(facts)
    started = moment_of_unix_or_none(event.thing, "created") or event.created
    return Meaning(
        facts, _movement(event, MovementKind.REFUND, facts[0].ref, _paid(event), started)
    )


def refund_updated(event: Event) -> Meaning:
    """That a refund was cancelled is told by no type of its own."""
    if text_or_none(event.thing, "status") in _FAILED:
        return refund_failed(event)
    return Meaning(_links(event, "refund"))


def refund_failed(event: Event) -> Meaning:
    """The money is back."""
    return _undone(event, MovementKind.REFUND_REVERSED, "refund", "failed")


# Disputes


def dispute(event: Event) -> Meaning:
    """It was opened, or ended without money being moved."""
    return Meaning(_links(event, "dispute"))


def dispute_withdrawn(event: Event) -> Meaning:
    """The money was taken away."""
    facts = _links(event, "dispute")
    movement = _movement(event, MovementKind.DISPUTE, facts[0].ref, _paid(event), event.created)
    return Meaning(facts, movement)


def dispute_reinstated(event: Event) -> Meaning:
    """The money was given back to us."""
    return _undone(event, MovementKind.DISPUTE_WON, "dispute", "won")


def dispute_closed(event: Event) -> Meaning:
    """Lost and won say again what the moving of the money said; else none was moved."""
    status = text_or_none(event.thing, "status")
    if status == "lost":
        return dispute_withdrawn(event)
    return dispute_reinstated(event) if status == "won" else dispute(event)


# What they have in common


def _paid(event: Event) -> Ref:
    """The payment that is returned; the charge where there is no more than that."""
    payment = identifier_or_none(event.thing, "payment_intent")
    found = refs(payment=payment, charge=identifier_or_none(event.thing, "charge"))
    if not found:
        raise UnreadableWebhookError("neither payment_intent nor charge is there")
    return found[0]


def _links(event: Event, sort: str) -> tuple[Fact, ...]:
    """From the return to its payment, and from the payment's charge."""
    own = f"{sort}:{identifier(event.thing, 'id')}"
    charge = identifier_or_none(event.thing, "charge")
    payment = identifier_or_none(event.thing, "payment_intent")
    return (
        Fact(own, to=(_paid(event),)),
        *chain(refs(charge=charge, payment=payment), Clues()),
    )


def _undone(event: Event, kind: MovementKind, sort: str, ending: str) -> Meaning:
    """What undoes a return: about that return, and from there on about the payment."""
    facts = _links(event, sort)
    undone = facts[0].ref
    movement = _movement(event, kind, f"{undone}:{ending}", undone, event.created)
    return Meaning((*facts, Fact(movement.ref, to=(undone,))), movement)


def _movement(
    event: Event, kind: MovementKind, ref: Ref, about: Ref, happened: datetime
) -> Movement:
    name = ref.partition(":")[2]
    amount = event.amount(whole(event.thing, "amount"))
    return Movement(kind, name, ref, happened, amount=amount, about=about)
