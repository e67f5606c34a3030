"""Payments: authorised, and captured."""

from typing import Final

from relay.domain.movements import Fact, Meaning, Movement, MovementKind
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.item import Item
from relay.payments.providers.parsing import text_or_none

_INTERACTION_OF_RENEWALS: Final = "ContAuth"


def authorisation(item: Item) -> Meaning:
    """The payment, or only whose it is where captures count."""
    counts = item.settings.paid_at == "authorisation"
    return _payment(item, item.reference(), counts=counts)


def capture(item: Item) -> Meaning:
    """The payment, under the reference that its authorisation had."""
    payment = item.payment()
    if payment is None:
        raise UnreadableWebhookError("originalReference is missing")
    return _payment(item, payment, counts=True)


def _payment(item: Item, payment: str, *, counts: bool) -> Meaning:
    """A payment of nothing only checks a card, or stores it."""
    facts = (Fact(f"payment:{payment}", clues=item.clues()),)
    amount = item.amount()
    if not counts or not amount.gross:
        return Meaning(facts)
    movement = Movement(
        _kind(item),
        payment,
        f"payment:{payment}",
        at=item.happened(),
        amount=amount,
        order_id=text_or_none(item.content, "merchantReference"),
    )
    return Meaning(facts, movement)


def _kind(item: Item) -> MovementKind:
    """Nobody signs this, so that no more than the event's name hangs on it."""
    is_renewal = item.says("shopperInteraction") == _INTERACTION_OF_RENEWALS
    return MovementKind.RENEWAL if is_renewal else MovementKind.PURCHASE
