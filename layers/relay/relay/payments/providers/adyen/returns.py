"""Refunds and chargebacks at Adyen, and their reversals."""

from relay.domain.movements import Interpretation, Link, MovementKind
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.item import Item


def refund(item: Item) -> Interpretation:
    """A refund of part or all of a payment; also a capture that was reported and then failed."""
    links = _links_to_payment(item, f"refund:{item.reference()}", item.payment_reference())
    amount = item.amount()
    if not amount.gross:
        return Interpretation(links)
    (original_ref,) = links[0].to
    return Interpretation(
        links, item.movement(MovementKind.REFUND, links[0].ref, original_ref, amount)
    )


def cancel_or_refund(item: Item) -> Interpretation:
    """Returns all of a payment, captured or not; one never captured may not have counted."""
    if _is_uncounted_cancellation(item):
        return Interpretation(
            _links_to_payment(item, f"refund:{item.reference()}", item.payment_reference())
        )
    return cancellation(item)


def _is_uncounted_cancellation(item: Item) -> bool:
    """Whether it cancelled a payment that had not counted yet."""
    is_cancelled = item.additional_field("modification.action") == "cancel"
    return is_cancelled and item.settings.payment_event == "capture"


def cancellation(item: Item) -> Interpretation:
    """Cancels an authorisation that counted; without an amount, all of it."""
    return _ended_authorisation(item, item.reference(), item.payment_reference())


def expiry(item: Item) -> Interpretation:
    """The uncaptured rest of an authorisation; it may have the payment's own reference."""
    name = item.reference()
    return _ended_authorisation(item, f"{name}:expired", item.payment_reference() or name)


def _ended_authorisation(item: Item, name: str, payment: str | None) -> Interpretation:
    links = _links_to_payment(item, f"refund:{name}", payment)
    (original_ref,) = links[0].to
    amount = item.amount()
    movement = item.movement(
        MovementKind.REFUND, links[0].ref, original_ref, amount if amount.gross else None
    )
    return Interpretation(links, movement)


def _links_to_payment(item: Item, ref: str, payment: str | None) -> tuple[Link, ...]:
    if payment is None:
        raise UnreadableWebhookError("originalReference is missing")
    return (Link(ref, to=(f"payment:{payment}",), hints=item.hints()),)


def refund_reversed(item: Item) -> Interpretation:
    """The bank refused or returned a refund; the two types for it yield the same movement."""
    return _reversal(item, MovementKind.REFUND_REVERSED, "refund", "failed")


def chargeback(item: Item) -> Interpretation:
    """The disputed money was taken."""
    links = _links_to_payment(item, f"dispute:{item.reference()}", item.payment_reference())
    (original_ref,) = links[0].to
    return Interpretation(
        links, item.movement(MovementKind.DISPUTE, links[0].ref, original_ref, item.amount())
    )


def second_chargeback(item: Item) -> Interpretation:
    """The money of a dispute that seemed won was taken again.

    The item may not name the payment; the first chargeback has the same reference and leads to it.
    """
    first, payment = f"dispute:{item.reference()}", item.payment_reference()
    original_ref = f"payment:{payment}" if payment else first
    ref = f"{first}:second"
    link = Link(ref, to=(original_ref,), hints=item.hints())
    return Interpretation(
        (link,), item.movement(MovementKind.DISPUTE, ref, original_ref, item.amount())
    )


def chargeback_reversed(item: Item) -> Interpretation:
    """The dispute was won and its money came back."""
    return _reversal(item, MovementKind.DISPUTE_WON, "dispute", "won")


def _reversal(item: Item, kind: MovementKind, sort: str, ending: str) -> Interpretation:
    """A reversal: it has the reference of its original, and may not name the payment."""
    reversed_ref, payment = f"{sort}:{item.reference()}", item.payment_reference()
    movement = item.movement(kind, f"{reversed_ref}:{ending}", reversed_ref, item.amount())
    links = [Link(movement.ref, to=(reversed_ref,), hints=item.hints())]
    if payment:
        links.append(Link(reversed_ref, to=(f"payment:{payment}",)))
    return Interpretation(tuple(links), movement)
