"""Payments: authorisations and captures."""

from typing import Final

from relay.domain.movements import Amount, Interpretation, Link, Movement, MovementKind
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen import rounds
from relay.payments.providers.adyen.item import Item
from relay.payments.providers.parsing import text_or_none

_INTERACTION_OF_RENEWALS: Final = "ContAuth"


def authorisation(item: Item) -> Interpretation:
    """The payment, or only its customer hints if captures count.

    One with amount zero only checks or stores a card and is no movement.
    """
    payment, amount = item.reference(), item.amount()
    links = (Link(f"payment:{payment}", hints=item.hints()),)
    is_counted = item.settings.payment_event == "authorisation" and amount.gross
    return Interpretation(links, _payment(item, payment, amount) if is_counted else None)


def capture(item: Item) -> Interpretation:
    """A payment, or a further part of one, if captures count; else nothing new.

    Either way, one after CAPTURE_FAILED brings back what that took.
    """
    payment, reference, amount = item.payment_reference(), item.reference(), item.amount()
    if payment is None:
        raise UnreadableWebhookError("originalReference is missing")
    again = _captured_again(item, reference)
    links = (
        Link(f"payment:{payment}", hints=item.hints()),
        Link(
            rounds.capture(reference),
            (f"payment:{payment}",),
            item.hints(),
            told_at=item.occurred_at(),
        ),
    )
    if not amount.gross:
        return Interpretation(links[:1])
    if item.settings.payment_event == "authorisation":
        return Interpretation(links, perhaps=again)
    return Interpretation(links, _payment(item, payment, amount, part=reference, again=again))


def _captured_again(item: Item, reference: str) -> Movement:
    is_all = item.settings.payment_event == "authorisation"
    return item.movement(
        MovementKind.REFUND_REVERSED,
        rounds.captured_again(reference),
        rounds.capture_failed(reference),
        item.amount(),
        rounds.of_captured_again(reference, is_all=is_all),
    )


def _payment(
    item: Item,
    payment: str,
    amount: Amount,
    *,
    part: str | None = None,
    again: Movement | None = None,
) -> Movement:
    return Movement(
        _movement_kind(item),
        payment,
        f"payment:{payment}",
        at=item.occurred_at(),
        amount=amount,
        order_id=text_or_none(item.content, "merchantReference"),
        part=part,
        again=again,
    )


def _movement_kind(item: Item) -> MovementKind:
    """Renewal or purchase; this field is not signed, so it decides only the event's name."""
    is_renewal = item.additional_field("shopperInteraction") == _INTERACTION_OF_RENEWALS
    return MovementKind.RENEWAL if is_renewal else MovementKind.PURCHASE
