"""Money that is given back or taken away, and what reverses that."""

from relay.domain.movements import Fact, Meaning, MovementKind
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.item import Item


def refund(item: Item) -> Meaning:
    """Part of a payment or all of it; also a capture that failed after it was told."""
    facts = _about_payment(item, f"refund:{item.reference()}", item.payment())
    amount = item.amount()
    if not amount.gross:
        return Meaning(facts)
    (about,) = facts[0].to
    return Meaning(facts, item.movement(MovementKind.REFUND, facts[0].ref, about, amount))


def cancel_or_refund(item: Item) -> Meaning:
    """All of a payment, captured or not; what was never captured may not have been counted."""
    if _was_never_captured(item):
        return Meaning(_about_payment(item, f"refund:{item.reference()}", item.payment()))
    return cancellation(item)


def _was_never_captured(item: Item) -> bool:
    """Whether it cancelled a payment that was not counted yet."""
    is_cancelled = item.says("modification.action") == "cancel"
    return is_cancelled and item.settings.paid_at == "capture"


def cancellation(item: Item) -> Meaning:
    """An authorisation that was counted and is given up; without an amount, all of it."""
    return _given_up(item, item.reference(), item.payment())


def expiry(item: Item) -> Meaning:
    """What was never captured of an authorisation; it may have the payment's own reference."""
    name = item.reference()
    return _given_up(item, f"{name}:expired", item.payment() or name)


def _given_up(item: Item, name: str, payment: str | None) -> Meaning:
    facts = _about_payment(item, f"refund:{name}", payment)
    (about,) = facts[0].to
    amount = item.amount()
    movement = item.movement(
        MovementKind.REFUND, facts[0].ref, about, amount if amount.gross else None
    )
    return Meaning(facts, movement)


def _about_payment(item: Item, ref: str, payment: str | None) -> tuple[Fact, ...]:
    if payment is None:
        raise UnreadableWebhookError("originalReference is missing")
    return (Fact(ref, to=(f"payment:{payment}",), clues=item.clues()),)


def refund_came_back(item: Item) -> Meaning:
    """The bank refused a refund, or sent it back: by whichever type it is told, it came once."""
    return _reversal(item, MovementKind.REFUND_REVERSED, "refund", "failed")


def chargeback(item: Item) -> Meaning:
    """The disputed money is taken."""
    facts = _about_payment(item, f"dispute:{item.reference()}", item.payment())
    (about,) = facts[0].to
    return Meaning(facts, item.movement(MovementKind.DISPUTE, facts[0].ref, about, item.amount()))


def second_chargeback(item: Item) -> Meaning:
    """The money of a dispute that seemed won is taken again.

    It may leave the payment out; the first chargeback, which has the same reference, leads there.
    """
    first, payment = f"dispute:{item.reference()}", item.payment()
    about = f"payment:{payment}" if payment else first
    ref = f"{first}:second"
    fact = Fact(ref, to=(about,), clues=item.clues())
    return Meaning((fact,), item.movement(MovementKind.DISPUTE, ref, about, item.amount()))


def chargeback_reversed(item: Item) -> Meaning:
    """The dispute was won and its money is back."""
    return _reversal(item, MovementKind.DISPUTE_WON, "dispute", "won")


def _reversal(item: Item, kind: MovementKind, sort: str, ending: str) -> Meaning:
    """It has the reference of what it reverses, and may leave out the payment's."""
    reversed_ref, payment = f"{sort}:{item.reference()}", item.payment()
    movement = item.movement(kind, f"{reversed_ref}:{ending}", reversed_ref, item.amount())
    facts = [Fact(movement.ref, to=(reversed_ref,), clues=item.clues())]
    if payment:
        facts.append(Fact(reversed_ref, to=(f"payment:{payment}",)))
    return Meaning(tuple(facts), movement)
