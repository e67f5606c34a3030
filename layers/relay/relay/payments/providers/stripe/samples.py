"""Webhooks to try Stripe with, and how it signs them."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.protocol import Webhook
from relay.payments.providers.samples import PERSON, Account, Build, Json, Names, Order, digest_of
from relay.payments.providers.stripe.places import PLACES

NAMES: Final = Names(
    "Stripe",
    "Stripe-Signature",
    form="t=<Unix seconds>,v1=<64 hexadecimal digits>",
    signed="time and body",
    prefix="whsec_",
    api_keys=("sk_", "rk_", "pk_"),
    pairs=(",", "t", "v1"),
)
ACCOUNT: Final = Account("stripe-sandbox", f"whsec_{'sandbox0' * 4}")
RECOGNISED_BY: Final = frozenset({"object", "livemode"})


def sign(body: bytes, secret: str, seconds: int) -> Webhook:
    """`Stripe-Signature`: over the time, a point and the body."""
    digest = digest_of(secret.encode(), b"%d.%s" % (seconds, body)).hex()
    return Webhook({"stripe-signature": f"t={seconds},v1={digest}"}, body)


def _event(order: Order, kind: str, thing: Json) -> Json:
    return {
        "id": f"evt_{order.tag}_{kind}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "type": kind,
        "created": order.seconds,
        "livemode": True,
        "data": {"object": thing},
    }


def _subscription(order: Order, **more: object) -> Json:
    return {
        "id": f"sub_{order.tag}",
        "object": "subscription",
        "customer": f"cus_{order.customer}",
        "status": "active",
        "metadata": dict(order.metadata),
        "items": {"data": [{"quantity": 1, "price": {"id": "price_yearly"}}]},
        **more,
    }


def _invoice(order: Order, reason: str) -> list[Json]:
    invoice = {
        "id": f"in_{order.tag}",
        "object": "invoice",
        "amount_paid": order.minor(PLACES),
        "total": order.minor(PLACES),
        "subtotal": order.minor(PLACES),
        "currency": order.currency.lower(),
        "billing_reason": reason,
        "customer": f"cus_{order.customer}",
        "customer_name": PERSON["name"],
        "customer_email": PERSON["email"],
        "status_transitions": {"paid_at": order.seconds},
        "parent": {
            "subscription_details": {
                "subscription": f"sub_{order.tag}",
                "metadata": dict(order.metadata),
            }
        },
        "lines": {
            "data": [{"quantity": 1, "pricing": {"price_details": {"price": "price_yearly"}}}]
        },
    }
    link = {
        "id": f"inpay_{order.tag}",
        "object": "invoice_payment",
        "invoice": f"in_{order.tag}",
        "amount_paid": order.minor(PLACES),
        "currency": order.currency.lower(),
        "status": "paid",
        "payment": {"type": "payment_intent", "payment_intent": f"pi_{order.tag}"},
    }
    return [_event(order, "invoice.paid", invoice), _event(order, "invoice_payment.paid", link)]


def _trial(order: Order) -> list[Json]:
    ends = order.seconds + 7 * 86_400
    trial = {"status": "trialing", "trial_start": order.seconds, "trial_end": ends}
    return [_event(order, "customer.subscription.created", _subscription(order, **trial))]


def _purchase(order: Order) -> list[Json]:
    session = {
        "id": f"cs_{order.tag}",
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "payment_intent": f"pi_{order.tag}",
        "customer": f"cus_{order.customer}",
        "customer_details": {**PERSON, "address": {"country": "DE", "postal_code": "10115"}},
        "amount_total": order.minor(PLACES),
        "currency": order.currency.lower(),
        "client_reference_id": order.customer,
        "metadata": dict(order.metadata),
    }
    return [_event(order, "checkout.session.completed", session)]


def _return(kind: str, prefix: str, thing: str, status: str) -> Build:
    def build(order: Order) -> list[Json]:
        returned = {
            "id": f"{prefix}_{order.tag}",
            "object": thing,
            "status": status,
            "amount": order.minor(PLACES),
            "currency": order.currency.lower(),
            "charge": f"ch_{order.payment_tag}",
            "payment_intent": f"pi_{order.payment_tag}",
            "created": order.seconds,
        }
        return [_event(order, kind, returned)]

    return build


def _cancellation(order: Order) -> list[Json]:
    ended = {"status": "canceled", "canceled_at": order.seconds, "ended_at": order.seconds}
    return [_event(order, "customer.subscription.deleted", _subscription(order, **ended))]


KINDS: Final[Mapping[str, Build]] = {
    "trial": _trial,
    "first_payment": lambda order: _invoice(order, "subscription_create"),
    "renewal": lambda order: _invoice(order, "subscription_cycle"),
    "purchase": _purchase,
    "refund": _return("refund.created", "re", "refund", "succeeded"),
    "refund_reversed": _return("refund.failed", "re", "refund", "failed"),
    "dispute": _return("charge.dispute.funds_withdrawn", "du", "dispute", "needs_response"),
    "dispute_won": _return("charge.dispute.funds_reinstated", "du", "dispute", "won"),
    "cancellation": _cancellation,
}
