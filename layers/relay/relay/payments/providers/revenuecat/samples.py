"""Webhooks to try RevenueCat with, and how it signs them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from relay.payments.providers.protocol import Webhook
from relay.payments.providers.samples import PERSON, Account, Build, Json, Names, Order

# A secret is of the owner's choice, and often begins so.
NAMES: Final = Names("RevenueCat", "Authorization", prefix="Bearer ")
ACCOUNT: Final = Account("revenuecat-sandbox", f"Bearer {'sandbox0' * 4}")
RECOGNISED_BY: Final = frozenset({"event", "api_version"})


def sign(body: bytes, secret: str, seconds: int) -> Webhook:
    """No signature: the secret itself."""
    del seconds  # no time is told
    return Webhook({"authorization": secret}, body)


def _event(order: Order, kind: str, price: Decimal, **more: object) -> list[Json]:
    """Later events of a transaction have the transaction's own id."""
    moment = order.seconds * 1000
    attributes = {"$email": {"value": PERSON["email"], "updated_at_ms": moment}}
    if appsflyer_id := order.metadata.get("appsflyer_id"):
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
        "transaction_id": order.payment_tag,
        "original_transaction_id": order.payment_tag,
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
    return [{"api_version": "1.0", "event": event}]


def _of(kind: str, **more: object) -> Build:
    return lambda order: _event(order, kind, order.major, **more)


def _refund(order: Order) -> list[Json]:
    return _event(order, "CANCELLATION", -order.major, cancel_reason="CUSTOMER_SUPPORT")


def _trial(order: Order) -> list[Json]:
    ends = {"period_type": "TRIAL", "expiration_at_ms": (order.seconds + 7 * 86_400) * 1000}
    return _event(order, "INITIAL_PURCHASE", Decimal(0), **ends)


KINDS: Final[Mapping[str, Build]] = {
    "trial": _trial,
    "first_payment": _of("INITIAL_PURCHASE"),
    "renewal": _of("RENEWAL"),
    "purchase": _of("NON_RENEWING_PURCHASE"),
    "refund": _refund,
    "refund_reversed": _of("REFUND_REVERSED"),
    "cancellation": _of("CANCELLATION", cancel_reason="UNSUBSCRIBE"),
}
