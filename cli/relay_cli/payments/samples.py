"""Fresh webhooks for `relay payments trigger`: new ids, present times, somebody at example.com.

Each provider's builder gives all that the provider sends for one thing, the links that a later
refund needs included. They are as rich as the real ones where it is about people, so that one can
see that nothing of it stays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, cast

from relay.payments.major_units import places_of
from relay.payments.minor_units import from_minor
from relay_cli.errors import CliError

Json = dict[str, Any]
PERSON: Final = {"name": "Jane Roe", "email": "jane.roe@example.com"}


@dataclass(frozen=True, slots=True)
class Order:
    """What a webhook is to tell."""

    provider: str
    kind: str
    tag: str
    """Part of every new id."""
    now: datetime
    customer: str
    amount: Decimal
    currency: str
    about: str | None = None
    """The tag of the payment that is taken back."""
    clues: Mapping[str, str] = field(default_factory=dict)

    @property
    def minor(self) -> int:
        """The amount in the provider's minor units."""
        provider = cast("Literal['stripe', 'paddle', 'adyen']", self.provider)
        unit = from_minor(provider, self.currency, 1, {})
        return int(self.amount / unit)

    @property
    def seconds(self) -> int:
        """Unix time."""
        return int(self.now.timestamp())

    @property
    def iso(self) -> str:
        """RFC 3339."""
        return f"{self.now:%Y-%m-%dT%H:%M:%S}.000000Z"

    @property
    def paid(self) -> str:
        """The tag of the payment that it is about."""
        return self.about or self.tag


def build(order: Order) -> list[Json]:
    """The webhooks, in the order in which they are sent; raises `CliError`."""
    kinds = KINDS.get(order.provider)
    if kinds is None:
        raise CliError(f"no such provider; there are {', '.join(KINDS)}")
    if order.kind not in kinds:
        raise CliError(f"{order.provider} tells of no such thing; it tells of {', '.join(kinds)}")
    return kinds[order.kind](order)


def money_id(order: Order) -> str:
    """The money's own id, which is the end of its event id."""
    return _IDS[order.provider][order.kind].format(tag=order.tag, paid=order.paid)


# Stripe


def _stripe_event(order: Order, kind: str, thing: Json) -> Json:
    return {
        "id": f"evt_{order.tag}_{kind}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "type": kind,
        "created": order.seconds,
        "livemode": True,
        "data": {"object": thing},
    }


def _stripe_subscription(order: Order, **more: object) -> Json:
    return {
        "id": f"sub_{order.tag}",
        "object": "subscription",
        "customer": f"cus_{order.customer}",
        "status": "active",
        "metadata": dict(order.clues),
        "items": {"data": [{"quantity": 1, "price": {"id": "price_yearly"}}]},
        **more,
    }


def _stripe_invoice(order: Order, reason: str) -> list[Json]:
    invoice = {
        "id": f"in_{order.tag}",
        "object": "invoice",
        "amount_paid": order.minor,
        "total": order.minor,
        "subtotal": order.minor,
        "currency": order.currency.lower(),
        "billing_reason": reason,
        "customer": f"cus_{order.customer}",
        "customer_name": PERSON["name"],
        "customer_email": PERSON["email"],
        "status_transitions": {"paid_at": order.seconds},
        "parent": {
            "subscription_details": {
                "subscription": f"sub_{order.tag}",
                "metadata": dict(order.clues),
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
        "amount_paid": order.minor,
        "currency": order.currency.lower(),
        "status": "paid",
        "payment": {"type": "payment_intent", "payment_intent": f"pi_{order.tag}"},
    }
    return [
        _stripe_event(order, "invoice.paid", invoice),
        _stripe_event(order, "invoice_payment.paid", link),
    ]


def _stripe_trial(order: Order) -> list[Json]:
    ends = order.seconds + 7 * 86_400
    trial = {"status": "trialing", "trial_start": order.seconds, "trial_end": ends}
    thing = _stripe_subscription(order, **trial)
    return [_stripe_event(order, "customer.subscription.created", thing)]


def _stripe_purchase(order: Order) -> list[Json]:
    session = {
        "id": f"cs_{order.tag}",
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "payment_intent": f"pi_{order.tag}",
        "customer": f"cus_{order.customer}",
        "customer_details": {**PERSON, "address": {"country": "DE", "postal_code": "10115"}},
        "amount_total": order.minor,
        "currency": order.currency.lower(),
        "client_reference_id": order.customer,
        "metadata": dict(order.clues),
    }
    return [_stripe_event(order, "checkout.session.completed", session)]


def _stripe_return(order: Order, kind: str, sort: str, **more: object) -> list[Json]:
    thing = {
        "id": f"{sort}_{order.tag}",
        "amount": order.minor,
        "currency": order.currency.lower(),
        "charge": f"ch_{order.paid}",
        "payment_intent": f"pi_{order.paid}",
        "created": order.seconds,
        **more,
    }
    return [_stripe_event(order, kind, thing)]


def _stripe_refund(order: Order) -> list[Json]:
    return _stripe_return(order, "refund.created", "re", object="refund", status="succeeded")


def _stripe_dispute(order: Order) -> list[Json]:
    kind = "charge.dispute.funds_withdrawn"
    return _stripe_return(order, kind, "du", object="dispute", status="needs_response")


def _stripe_cancellation(order: Order) -> list[Json]:
    ended = {"status": "canceled", "canceled_at": order.seconds, "ended_at": order.seconds}
    thing = _stripe_subscription(order, **ended)
    return [_stripe_event(order, "customer.subscription.deleted", thing)]


# Paddle


def _paddle_event(order: Order, kind: str, data: Json) -> Json:
    return {
        "event_id": f"evt_{order.tag}",
        "event_type": kind,
        "occurred_at": order.iso,
        "notification_id": f"ntf_{order.tag}",
        "data": {"customer_id": f"ctm_{order.customer}", **data},
    }


def _paddle_totals(order: Order) -> Json:
    minor = str(order.minor)
    totals = dict.fromkeys(("subtotal", "total", "grand_total", "earnings"), minor)
    return {**totals, "tax": "0", "fee": "0", "currency_code": order.currency}


def _paddle_transaction(order: Order, origin: str, subscription: str | None) -> list[Json]:
    data = {
        "id": f"txn_{order.tag}",
        "status": "completed",
        "origin": origin,
        "subscription_id": subscription,
        "currency_code": order.currency,
        "custom_data": dict(order.clues),
        "details": {"totals": _paddle_totals(order)},
        "items": [{"price": {"id": "pri_yearly"}, "quantity": 1}],
        "billing_period": {"starts_at": order.iso, "ends_at": order.iso} if subscription else None,
        "billed_at": order.iso,
        "payments": [{"method_details": {"card": {"cardholder_name": PERSON["name"]}}}],
    }
    return [_paddle_event(order, "transaction.completed", data)]


def _paddle_subscription(order: Order, kind: str, **more: object) -> list[Json]:
    data = {
        "id": f"sub_{order.tag}",
        "custom_data": dict(order.clues),
        "started_at": order.iso,
        "items": [{"price": {"id": "pri_yearly"}, "quantity": 1}],
        **more,
    }
    return [_paddle_event(order, kind, data)]


def _paddle_adjustment(order: Order, action: str) -> list[Json]:
    data = {
        "id": f"adj_{order.tag}",
        "action": action,
        "status": "approved",
        "transaction_id": f"txn_{order.paid}",
        "currency_code": order.currency,
        "totals": _paddle_totals(order),
        "created_at": order.iso,
        "updated_at": order.iso,
    }
    return [_paddle_event(order, "adjustment.updated", data)]


def _paddle_trial(order: Order) -> list[Json]:
    trial = {"status": "trialing", "current_billing_period": {"ends_at": order.iso}}
    return _paddle_subscription(order, "subscription.created", **trial)


def _paddle_cancellation(order: Order) -> list[Json]:
    ended = {"status": "canceled", "canceled_at": order.iso}
    return _paddle_subscription(order, "subscription.canceled", **ended)


# RevenueCat


def _revenuecat(order: Order, kind: str, transaction: str, price: Decimal, **more: object) -> Json:
    moment = order.seconds * 1000
    attributes = {"$email": {"value": PERSON["email"], "updated_at_ms": moment}}
    if appsflyer_id := order.clues.get("appsflyer_id"):
        attributes["$appsflyerId"] = {"value": appsflyer_id, "updated_at_ms": moment}
    event = {
        "id": f"{kind}-{order.tag}",
        "type": kind,
        "event_timestamp_ms": moment,
        "purchased_at_ms": moment,
        "environment": "PRODUCTION",
        "store": "APP_STORE",
        "period_type": "NORMAL",
        "product_id": "premium_yearly",
        "transaction_id": transaction,
        "original_transaction_id": transaction,
        "app_user_id": order.customer,
        "original_app_user_id": order.customer,
        "aliases": [order.customer],
        "currency": order.currency,
        "price": float(price),
        "price_in_purchased_currency": float(price),
        "tax_percentage": 0.1597,
        "commission_percentage": 0.2521,
        "subscriber_attributes": attributes,
        **more,
    }
    return {"api_version": "1.0", "event": event}


def _revenuecat_of(kind: str, **more: object) -> Callable[[Order], list[Json]]:
    return lambda order: [_revenuecat(order, kind, order.tag, order.amount, **more)]


def _revenuecat_refund(order: Order) -> list[Json]:
    refund = {"cancel_reason": "CUSTOMER_SUPPORT"}
    return [_revenuecat(order, "CANCELLATION", order.paid, -order.amount, **refund)]


def _revenuecat_trial(order: Order) -> list[Json]:
    ends = {"period_type": "TRIAL", "expiration_at_ms": (order.seconds + 7 * 86_400) * 1000}
    return [_revenuecat(order, "INITIAL_PURCHASE", order.tag, Decimal(0), **ends)]


# Adyen


def _adyen(code: str, sort: str) -> Callable[[Order], list[Json]]:
    def made(order: Order) -> list[Json]:
        is_payment = code == "AUTHORISATION"
        item: Json = {
            "additionalData": {"shopperEmail": PERSON["email"]},
            "amount": {"currency": order.currency, "value": order.minor},
            "eventCode": code,
            "eventDate": f"{order.now:%Y-%m-%dT%H:%M:%S}+00:00",
            "merchantAccountCode": "ExampleECOM",
            "merchantReference": f"order-{order.paid}",
            "paymentMethod": "visa",
            "pspReference": f"{sort}{order.tag}",
            "reason": "033899:4242:08/2030",
            "success": "true",
        }
        if is_payment:
            clues = {f"metadata.{name}": value for name, value in order.clues.items()}
            item["additionalData"] |= {"shopperReference": order.customer, **clues}
        else:
            item["originalReference"] = f"P{order.paid}"
        return [{"live": "true", "notificationItems": [{"NotificationRequestItem": item}]}]

    return made


# Standard Webhooks


def _standard(
    kind: str, *, has_money: bool = True, takes_back: bool = False
) -> Callable[[Order], list[Json]]:
    def made(order: Order) -> list[Json]:
        data: Json = {"id": f"{kind}-{order.tag}", "subscription_id": f"s-{order.paid}"}
        if has_money:
            places = places_of(order.currency, {})
            data |= {"amount": f"{order.amount:.{places}f}", "currency": order.currency}
        if takes_back:
            data["original_id"] = f"first_payment-{order.paid}"
        else:
            names = {"app_user_id": "customer_user_id", "af_app_id": "app_id"}
            data |= {names.get(name, name): value for name, value in order.clues.items()}
        return [{"type": f"payment.{kind}", "timestamp": order.iso, "data": data}]

    return made


KINDS: Final[Mapping[str, Mapping[str, Callable[[Order], list[Json]]]]] = {
    "stripe": {
        "trial": _stripe_trial,
        "first_payment": lambda order: _stripe_invoice(order, "subscription_create"),
        "renewal": lambda order: _stripe_invoice(order, "subscription_cycle"),
        "purchase": _stripe_purchase,
        "refund": _stripe_refund,
        "dispute": _stripe_dispute,
        "cancellation": _stripe_cancellation,
    },
    "revenuecat": {
        "trial": _revenuecat_trial,
        "first_payment": _revenuecat_of("INITIAL_PURCHASE"),
        "renewal": _revenuecat_of("RENEWAL"),
        "purchase": _revenuecat_of("NON_RENEWING_PURCHASE"),
        "refund": _revenuecat_refund,
        "cancellation": _revenuecat_of("CANCELLATION", cancel_reason="UNSUBSCRIBE"),
    },
    "paddle": {
        "trial": _paddle_trial,
        "first_payment": lambda order: _paddle_transaction(order, "web", f"sub_{order.tag}"),
        "renewal": lambda order: _paddle_transaction(
            order, "subscription_recurring", f"sub_{order.tag}"
        ),
        "purchase": lambda order: _paddle_transaction(order, "web", None),
        "refund": lambda order: _paddle_adjustment(order, "refund"),
        "dispute": lambda order: _paddle_adjustment(order, "chargeback"),
        "cancellation": _paddle_cancellation,
    },
    "adyen": {
        "purchase": _adyen("AUTHORISATION", "P"),
        "refund": _adyen("REFUND", "R"),
        "dispute": _adyen("CHARGEBACK", "C"),
    },
    "standard_webhooks": {
        "trial": _standard("trial", has_money=False),
        "first_payment": _standard("first_payment"),
        "renewal": _standard("renewal"),
        "purchase": _standard("purchase"),
        "refund": _standard("refund", takes_back=True),
        "dispute": _standard("dispute", takes_back=True),
        "cancellation": _standard("cancellation", has_money=False),
    },
}

PAYMENT_OF: Final = {"adyen": "purchase"}
"""What is told first where a refund names no payment; elsewhere a first payment."""
TAKING_BACK: Final = frozenset({"refund", "dispute"})

_STRIPE_IDS: Final = {
    "trial": "sub_{tag}:trial",
    "first_payment": "in_{tag}",
    "renewal": "in_{tag}",
    "purchase": "pi_{tag}",
    "refund": "re_{tag}",
    "dispute": "du_{tag}",
    "cancellation": "sub_{tag}:cancelled",
}
_PADDLE_IDS: Final = {
    **dict.fromkeys(("first_payment", "renewal", "purchase"), "txn_{tag}"),
    **dict.fromkeys(("refund", "dispute"), "adj_{tag}"),
    "trial": "sub_{tag}:trial",
    "cancellation": "sub_{tag}:cancelled",
}
_REVENUECAT_IDS: Final = {
    **dict.fromkeys(("trial", "first_payment", "renewal", "purchase"), "{tag}"),
    "refund": "{paid}:refund",
    "cancellation": "{tag}:cancelled",
}
_IDS: Final[Mapping[str, Mapping[str, str]]] = {
    "stripe": _STRIPE_IDS,
    "paddle": _PADDLE_IDS,
    "revenuecat": _REVENUECAT_IDS,
    "adyen": {"purchase": "P{tag}", "refund": "R{tag}", "dispute": "C{tag}"},
    "standard_webhooks": {kind: kind + "-{tag}" for kind in _STRIPE_IDS},
}
