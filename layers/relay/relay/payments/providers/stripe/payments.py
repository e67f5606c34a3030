"""Payments without an invoice at Stripe: in Checkout, or by a PaymentIntent alone."""

from collections.abc import Mapping
from dataclasses import replace

from relay.domain.movements import (
    Amount,
    CustomerHints,
    Interpretation,
    Link,
    Movement,
    MovementKind,
    Ref,
)
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
    # Such a session always makes a new subscription.
    started = event.created if text_or_none(event.entity, "mode") == "subscription" else None
    links = chain(refs, event.hints("metadata").or_else(reference), started=started)
    amount = _session_amount(event) if _session_counts(event) else None
    if amount is None:
        return Interpretation(links)
    if text_or_none(event.entity, "payment_status") == "paid":
        return Interpretation(links, _purchase(event, refs[0], amount))
    return Interpretation((*links, Link(refs[0], promised=amount)) if payment else links)


def _session_counts(event: Event) -> bool:
    """Whether the session is what reports its payment, now or when the payment is captured.

    If there is an invoice, the invoice reports it. Subscriptions always have one, and a session can
    create one for a single payment.
    """
    return (
        event.settings.one_off_source == "checkout"
        and text_or_none(event.entity, "mode") == "payment"
        and text_or_none(event.entity, "payment_status") in {"paid", "unpaid"}
        and not identifier_or_none(event.entity, "invoice")
        and not flag(event.entity, "invoice_creation.enabled")
    )


def _session_amount(event: Event) -> Amount | None:
    paid = whole(event.entity, "amount_total")
    tax = whole_or_none(event.entity, "total_details.amount_tax")
    return event.amount(paid, None if tax is None else paid - tax) if paid else None


def _purchase(event: Event, ref: Ref, amount: Amount) -> Movement:
    purchase_id = ref.partition(":")[2]
    return Movement(
        MovementKind.PURCHASE, purchase_id, ref, event.created, amount=amount, order_id=purchase_id
    )


# PaymentIntents: alone, for sources whose settings say so, or that were promised in Checkout


def payment_shape(metadata: Shape) -> Shape:
    """The allow-list of a PaymentIntent."""
    return {
        **scalars("id currency amount_received latest_charge invoice customer customer_account"),
        "metadata": metadata,
    }


def payment_counts(entity: object, settings: StripeSettings) -> bool:
    """Whether a payment counts by itself: if the settings say so and it says whose it is.

    The payment of an invoice has none of our metadata, and the invoice reports it. Where Checkout
    reports purchases, a payment counts that may have been captured after its session was completed.
    """
    if settings.one_off_source == "checkout":
        return not at(entity, "invoice") and _may_be_captured_later(entity)
    hints = hints_from(at(entity, "metadata"), settings.metadata)
    return (hints.customer_user_id or hints.appsflyer_id) is not None


def _may_be_captured_later(entity: object) -> bool:
    """Whether it is captured by hand, as far as it says; also if only one method of paying is."""
    methods = at(entity, "payment_method_options")
    by_method = methods.values() if isinstance(methods, Mapping) else ()
    found = [at(entity, "capture_method"), *(at(one, "capture_method") for one in by_method)]
    return found[0] is None or any(str(one).startswith("manual") for one in found)


def payment(event: Event) -> Interpretation:
    """A purchase; where Checkout reports purchases, only one that a session promised."""
    refs = refs_of(
        charge=identifier_or_none(event.entity, "latest_charge"),
        payment=identifier(event.entity, "id"),
        customer=event.customer(),
    )
    ref = f"payment:{identifier(event.entity, 'id')}"
    links = chain(refs, event.hints("metadata"))
    received = whole(event.entity, "amount_received")
    if received == 0:
        return Interpretation(links)
    purchase = _purchase(event, ref, event.amount(received))
    is_capture = event.settings.one_off_source == "checkout"
    return Interpretation(links, replace(purchase, is_capture=is_capture))
