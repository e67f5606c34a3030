"""Payments: authorisations and captures."""

from typing import Final

from relay.domain.movements import Interpretation, Link, Movement, MovementKind
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.item import Item
from relay.payments.providers.parsing import text_or_none

_INTERACTION_OF_RENEWALS: Final = "ContAuth"


def authorisation(item: Item) -> Interpretation:
    """The payment; only its customer hints if captures count."""
    is_counted = item.settings.payment_event == "authorisation"
    return _interpret_payment(item, item.reference(), is_counted=is_counted)


def capture(item: Item) -> Interpretation:
    """The payment, under the reference of its authorisation."""
    payment = item.payment_reference()
    if payment is None:
        raise UnreadableWebhookError("originalReference is missing")
    return _interpret_payment(item, payment, is_counted=True)


def _interpret_payment(item: Item, payment: str, *, is_counted: bool) -> Interpretation:
    """A payment; one with amount zero only checks or stores a card and is no movement."""
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
    """Renewal or purchase; this field is not signed, so it decides only the event's name."""
    is_renewal = item.additional_field("shopperInteraction") == _INTERACTION_OF_RENEWALS
    return MovementKind.RENEWAL if is_renewal else MovementKind.PURCHASE
