"""Refunds and chargebacks at Adyen, and their reversals."""

from relay.domain.movements import Interpretation, Link, Movement, MovementKind, Ref, Rounds
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen import rounds
from relay.payments.providers.adyen.item import Item


def refund(item: Item) -> Interpretation:
    """A refund of part or all of a payment; one that did not succeed is perhaps one undone."""
    ref = f"refund:{item.reference()}"
    if item.is_refused():
        return _refused(item, ref)
    return _taken_back(item, ref, rounds.of_refund(ref))


def _refused(item: Item, refund: Ref) -> Interpretation:
    links = _links_to_payment(item, rounds.refused(refund), item.payment_reference())
    reversal = item.movement(
        MovementKind.REFUND_REVERSED,
        rounds.refund_reversed(refund),
        refund,
        item.amount(),
        rounds.of_refund_reversed(refund, only_after=True),
    )
    return Interpretation(links, perhaps=reversal)


def capture_failed(item: Item) -> Interpretation:
    """A capture that was reported and then failed."""
    of_capture = rounds.of_capture_failed(item.reference(), item.payment_reference() or "")
    return _taken_back(item, rounds.capture_failed(item.reference()), of_capture)


def _taken_back(item: Item, ref: Ref, of_thing: Rounds) -> Interpretation:
    links = _links_to_payment(item, ref, item.payment_reference())
    amount, (original_ref,) = item.amount(), links[0].to
    if not amount.gross:
        return Interpretation(links)
    movement = item.movement(MovementKind.REFUND, ref, original_ref, amount, of_thing)
    return Interpretation(links, movement)


def cancel_or_refund(item: Item) -> Interpretation:
    """Returns all of a payment, captured or not; one never captured may not have counted."""
    if _is_uncounted_cancellation(item):
        return Interpretation(
            _links_to_payment(item, f"refund:{item.reference()}", item.payment_reference())
        )
    ref = f"refund:{item.reference()}"
    return _ended_authorisation(
        item, item.reference(), item.payment_reference(), rounds.of_refund(ref)
    )


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


def _ended_authorisation(
    item: Item, name: str, payment: str | None, of_thing: Rounds | None = None
) -> Interpretation:
    links = _links_to_payment(item, f"refund:{name}", payment)
    (original_ref,) = links[0].to
    amount = item.amount()
    told = amount if amount.gross else None
    movement = item.movement(MovementKind.REFUND, links[0].ref, original_ref, told, of_thing)
    return Interpretation(links, movement)


def _links_to_payment(item: Item, ref: str, payment: str | None) -> tuple[Link, ...]:
    if payment is None:
        raise UnreadableWebhookError("originalReference is missing")
    at = item.occurred_at()
    return (Link(ref, to=(f"payment:{payment}",), hints=item.hints(), told_at=at),)


def refund_reversed(item: Item) -> Interpretation:
    """The bank refused or returned a refund; the two types for it yield the same movement."""
    refund = f"refund:{item.reference()}"
    ref, of_refund = rounds.refund_reversed(refund), rounds.of_refund_reversed(refund)
    return _reversal(item, MovementKind.REFUND_REVERSED, ref, refund, of_refund)


def chargeback(item: Item) -> Interpretation:
    """The disputed money was taken."""
    ref = f"dispute:{item.reference()}"
    links = _links_to_payment(item, ref, item.payment_reference())
    return Interpretation(links, _dispute(item, ref, links[0], ref))


def second_chargeback(item: Item) -> Interpretation:
    """The money of a dispute that seemed won was taken again.

    The item may not name the payment; the first chargeback has the same reference and leads to it.
    """
    first, payment = f"dispute:{item.reference()}", item.payment_reference()
    original_ref = f"payment:{payment}" if payment else first
    ref = rounds.second_dispute(first)
    link = Link(ref, to=(original_ref,), hints=item.hints(), told_at=item.occurred_at())
    return Interpretation((link,), _dispute(item, ref, link, first))


def _dispute(item: Item, ref: Ref, link: Link, first: Ref) -> Movement:
    (original_ref,) = link.to
    of_dispute = rounds.of_dispute(first)
    return item.movement(MovementKind.DISPUTE, ref, original_ref, item.amount(), of_dispute)


def chargeback_reversed(item: Item) -> Interpretation:
    """The dispute was won and its money came back."""
    dispute = f"dispute:{item.reference()}"
    ref, of_dispute = rounds.dispute_won(dispute), rounds.of_dispute_won(dispute)
    return _reversal(item, MovementKind.DISPUTE_WON, ref, dispute, of_dispute)


def _reversal(
    item: Item, kind: MovementKind, ref: Ref, reversed_ref: Ref, of_thing: Rounds
) -> Interpretation:
    """A reversal: it has the reference of its original, and may not name the payment."""
    payment = item.payment_reference()
    movement = item.movement(kind, ref, reversed_ref, item.amount(), of_thing)
    links = [Link(ref, to=(reversed_ref,), hints=item.hints(), told_at=item.occurred_at())]
    if payment:
        links.append(Link(reversed_ref, to=(f"payment:{payment}",)))
    return Interpretation(tuple(links), movement)
