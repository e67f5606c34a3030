"""Payments: authorised, and captured."""

from typing import Final

from relay.domain.movements import Interpretation, Link, Movement, MovementKind
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.item import Item
from relay.payments.providers.parsing import text_or_none

_INTERACTION_OF_RENEWALS: Final = "ContAuth"


def authorisation(item: Item) -> Interpretation:
    """The payment, or only whose it is where captures count."""
    is_counted = item.settings.payment_event == "authorisation"
    return _interpret_payment(item, item.reference(), is_counted=is_counted)


def capture(item: Item) -> Interpretation:
    """The payment, under the reference that its authorisation had."""
    payment = item.payment_reference()
    if payment is None:
        raise UnreadableWebhookError("originalReference is missing")
    return _interpret_payment(item, payment, is_counted=True)


def _interpret_payment(item: Item, payment: str, *, is_counted: bool) -> Interpretation:
    """A payment of nothing only checks a card, or stores it."""
    links = (Link(f"payment:{payment}", hints=item.hints()),)
    amount = item.amount()
    if not is_counted or not amount.gross:
        return Interpretation(links)
    movement = Movement(
        _movement_kind(item),
        payment,
        f"payment:{payment}",
        at=item.occurred_at(),
        amount=amount,
        order_id=text_or_none(item.content, "merchantReference"),
    )
    return Interpretation(links, movement)


def _movement_kind(item: Item) -> MovementKind:
    """Nobody signs this, so that no more than the event's name hangs on it."""
    is_renewal = item.additional_field("shopperInteraction") == _INTERACTION_OF_RENEWALS
    return MovementKind.RENEWAL if is_renewal else MovementKind.PURCHASE
