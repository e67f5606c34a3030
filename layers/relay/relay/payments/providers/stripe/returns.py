"""Refunds and disputes at Stripe.

Endpoints of versions before 2024-10-28 hear of a refund by `charge.refunded`, which does not name
it; newer ones by `refund.created`. A source may have endpoints of both: `Telling` pairs the two.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from relay.domain.movements import (
    CustomerHints,
    Interpretation,
    Link,
    Movement,
    MovementKind,
    Ref,
    Telling,
)
from relay.errors import UnreadableWebhookError
from relay.payments.providers.parsing import (
    Shape,
    at,
    chain,
    identifier,
    identifier_or_none,
    moment_of_unix_or_none,
    refs_of,
    text_or_none,
    whole,
    whole_or_none,
)
from relay.payments.providers.stripe.event import Event, scalars
from relay.payments.providers.stripe.versions import Version

_FAILED: Final = frozenset({"failed", "canceled"})


def return_shape(_metadata: Shape) -> Shape:
    """The allow-list of a refund and of a dispute."""
    return scalars("id status currency amount created payment_intent charge")


# Refunds


def refund(event: Event) -> Interpretation:
    """A refund counts from its start, pending or done; a failure is reported later."""
    links = _links(event, "refund")
    if event.moved_nothing or text_or_none(event.entity, "status") in _FAILED:
        return Interpretation(links)
    started = moment_of_unix_or_none(event.entity, "created") or event.created
    refunded = _movement(event, MovementKind.REFUND, links[0].ref, _payment_ref(event), started)
    return Interpretation(links, replace(refunded, telling=_telling_by_refund(event)))


def moved_nothing(webhook_type: str, event: Mapping[str, Any]) -> bool:
    """Whether a refund is only the rest of a payment that was not captured in full, or at all.

    Before basil, Stripe made a refund of that. It is done and yet has no balance transaction
    (which is told, as null): no money came in, so none goes out.
    """
    refund_object = at(event, "data.object")
    return (
        webhook_type.startswith("refund.")
        and Version.of(event.get("api_version")).refunds_what_is_not_captured
        and isinstance(refund_object, Mapping)
        and refund_object.get("balance_transaction", "not told") is None
        and refund_object.get("status") == "succeeded"
    )


def refund_updated(event: Event) -> Interpretation:
    """Detects a cancelled refund, which has no type of its own."""
    if text_or_none(event.entity, "status") in _FAILED:
        return refund_failed(event)
    return Interpretation(_links(event, "refund"))


def refund_failed(event: Event) -> Interpretation:
    """The refund failed and the money is ours again."""
    failed = _reversal(event, MovementKind.REFUND_REVERSED, "refund", "failed")
    movement = failed.movement and replace(failed.movement, telling=_telling_by_refund(event))
    return replace(failed, movement=movement)


def _telling_by_refund(event: Event) -> Telling | None:
    charge = identifier_or_none(event.entity, "charge")
    amount = whole(event.entity, "amount")
    return None if charge is None else Telling(f"charge:{charge}", str(amount), "refund")


# Refunds told by their charge


def charge_shape(_metadata: Shape) -> Shape:
    """The allow-list of a charge."""
    return {
        **scalars("id currency amount captured amount_captured amount_refunded"),
        **scalars("payment_intent invoice"),
    }


def charge_refunded(event: Event) -> Interpretation:
    """A part of a charge is given back: the sum of all parts is told, and what it was before.

    The money has no id here. The new sum and the moment stand for one: a refund that failed leaves
    the sum to be reached again.
    """
    charge = identifier(event.entity, "id")
    returned = whole(event.entity, "amount_refunded")
    part = _captured_part(event, returned) - _captured_part(
        event, whole(event.previous, "amount_refunded")
    )
    payment = identifier_or_none(event.entity, "payment_intent")
    refs = refs_of(
        charge=charge, payment=payment, invoice=identifier_or_none(event.entity, "invoice")
    )
    links = chain(refs, CustomerHints())
    if part <= 0:
        return Interpretation(links)
    name = f"{charge}:refunded:{returned}:{int(event.created.timestamp())}"
    paid_by = refs[1] if payment else refs[0]
    movement = Movement(
        MovementKind.REFUND,
        name,
        f"refund:{name}",
        event.created,
        amount=event.amount(part),
        original_ref=paid_by,
        telling=Telling(refs[0], str(part), "charge"),
    )
    return Interpretation((Link(movement.ref, to=(paid_by,)), *links), movement)


def _captured_part(event: Event, returned: int) -> int:
    """What of a sum given back had been captured: Stripe first gives back what had not been.

    A charge that was cancelled has no `amount_captured` in these versions.
    """
    amount = whole(event.entity, "amount")
    captured = whole_or_none(event.entity, "amount_captured")
    if captured is None:
        captured = 0 if at(event.entity, "captured") is False else amount
    return max(0, returned - (amount - captured))


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
