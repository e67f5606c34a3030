"""Payments without an invoice at Stripe: in Checkout, or by a PaymentIntent alone."""

from relay.domain.movements import CustomerHints, Interpretation, Movement, MovementKind, Ref
from relay.payments.providers.parsing import (
    Shape,
    at,
    chain,
    flag,
    hints_from,
    identifier,
    identifier_or_none,
    refs_of,
    text_or_none,
    whole,
    whole_or_none,
)
from relay.payments.providers.stripe.event import Event, scalars
from relay.payments.providers.stripe.settings import StripeSettings

# Checkout


def session_shape(metadata: Shape) -> Shape:
    """The allow-list of a Checkout Session."""
    return {
        **scalars("id mode payment_status currency amount_total client_reference_id"),
        **scalars("payment_intent invoice subscription customer customer_account"),
        "invoice_creation": {"enabled": None},
        "total_details": {"amount_tax": None},
        "metadata": metadata,
    }


def session(event: Event) -> Interpretation:
    """Whose a subscription, invoice or payment is; a purchase if nothing else reports it."""
    payment = identifier_or_none(event.entity, "payment_intent")
    refs = refs_of(
        checkout=None if payment else identifier(event.entity, "id"),
        payment=payment,
        invoice=identifier_or_none(event.entity, "invoice"),
        subscription=identifier_or_none(event.entity, "subscription"),
        customer=event.customer(),
    )
    reference = CustomerHints(customer_user_id=text_or_none(event.entity, "client_reference_id"))
    links = chain(refs, event.hints("metadata").or_else(reference))
    return Interpretation(
        links, _purchase_in_session(event, refs[0]) if _session_counts(event) else None
    )


def _session_counts(event: Event) -> bool:
    """Whether the session is what reports its payment.

    If there is an invoice, the invoice reports it. Subscriptions always have one, and a session can
    create one for a single payment.
    """
    return (
        event.settings.one_off_source == "checkout"
        and text_or_none(event.entity, "mode") == "payment"
        and text_or_none(event.entity, "payment_status") == "paid"
        and not identifier_or_none(event.entity, "invoice")
        and not flag(event.entity, "invoice_creation.enabled")
    )


def _purchase_in_session(event: Event, ref: Ref) -> Movement | None:
    paid = whole(event.entity, "amount_total")
    tax = whole_or_none(event.entity, "total_details.amount_tax")
    return _purchase(event, ref, paid, None if tax is None else paid - tax)


def _purchase(event: Event, ref: Ref, paid: int, net_of_tax: int | None = None) -> Movement | None:
    if paid == 0:
        return None
    purchase_id, amount = ref.partition(":")[2], event.amount(paid, net_of_tax)
    return Movement(
        MovementKind.PURCHASE, purchase_id, ref, event.created, amount=amount, order_id=purchase_id
    )


# PaymentIntents alone, for sources whose settings say so


def payment_shape(metadata: Shape) -> Shape:
    """The allow-list of a PaymentIntent."""
    return {
        **scalars("id currency amount_received latest_charge customer customer_account"),
        "metadata": metadata,
    }


def payment_counts(entity: object, settings: StripeSettings) -> bool:
    """Whether a payment counts by itself: if the settings say so and it says whose it is.

    The payment of an invoice has none of our metadata, and the invoice reports it.
    """
    hints = hints_from(at(entity, "metadata"), settings.metadata)
    owner = hints.customer_user_id or hints.appsflyer_id
    return settings.one_off_source == "payment_intent" and owner is not None


def payment(event: Event) -> Interpretation:
    """A purchase."""
    refs = refs_of(
        charge=identifier_or_none(event.entity, "latest_charge"),
        payment=identifier(event.entity, "id"),
        customer=event.customer(),
    )
    ref = f"payment:{identifier(event.entity, 'id')}"
    links = chain(refs, event.hints("metadata"))
    return Interpretation(links, _purchase(event, ref, whole(event.entity, "amount_received")))
