"""Webhooks to try Paddle with, and how it signs them."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.paddle.places import PLACES
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.samples import PERSON, Account, Build, Json, Names, Order, digest_of

NAMES: Final = Names(
    "Paddle",
    "Paddle-Signature",
    form="ts=<Unix seconds>;h1=<64 hexadecimal digits>",
    signed="time and body",
    prefix="pdl_ntfset_",
    api_keys=("pdl_live_apikey", "pdl_sdbx_apikey", "pdl_apikey", "live_", "test_"),
    pairs=(";", "ts", "h1"),
)
ACCOUNT: Final = Account("paddle-sandbox", f"pdl_ntfset_{26 * '0'}_{'sandbox0' * 4}")
RECOGNISED_BY: Final = frozenset({"event_type", "notification_id"})


def sign(body: bytes, secret: str, seconds: int) -> Webhook:
    """`Paddle-Signature`: over the time, a colon and the body."""
    digest = digest_of(secret.encode(), b"%d:%s" % (seconds, body)).hex()
    return Webhook({"paddle-signature": f"ts={seconds};h1={digest}"}, body)


def _event(order: Order, kind: str, data: Json) -> Json:
    return {
        "event_id": f"evt_{order.tag}",
        "event_type": kind,
        "occurred_at": order.iso,
        "notification_id": f"ntf_{order.tag}",
        "data": {"customer_id": f"ctm_{order.customer}", **data},
    }


def _totals(order: Order) -> Json:
    minor = str(order.minor(PLACES))
    totals = dict.fromkeys(("subtotal", "total", "grand_total", "earnings"), minor)
    return {**totals, "tax": "0", "fee": "0", "currency_code": order.currency}


def _transaction(origin: str, *, is_recurring: bool) -> Build:
    def build(order: Order) -> list[Json]:
        period = {"starts_at": order.iso, "ends_at": order.iso}
        data = {
            "id": f"txn_{order.tag}",
            "status": "completed",
            "origin": origin,
            "subscription_id": f"sub_{order.tag}" if is_recurring else None,
            "currency_code": order.currency,
            "custom_data": dict(order.metadata),
            "details": {"totals": _totals(order)},
            "items": [{"price": {"id": "pri_yearly"}, "quantity": 1}],
            "billing_period": period if is_recurring else None,
            "billed_at": order.iso,
            "payments": [{"method_details": {"card": {"cardholder_name": PERSON["name"]}}}],
        }
        return [_event(order, "transaction.completed", data)]

    return build


def _subscription(order: Order, kind: str, **more: object) -> list[Json]:
    data = {
        "id": f"sub_{order.tag}",
        "custom_data": dict(order.metadata),
        "started_at": order.iso,
        "items": [{"price": {"id": "pri_yearly"}, "quantity": 1}],
        **more,
    }
    return [_event(order, kind, data)]


def _adjustment(action: str, status: str = "approved") -> Build:
    def build(order: Order) -> list[Json]:
        # The reversal of a chargeback is an adjustment of its own.
        own = "r" if action == "chargeback_reverse" else ""
        data = {
            "id": f"adj_{order.tag}{own}",
            "action": action,
            "status": status,
            "transaction_id": f"txn_{order.payment_tag}",
            "currency_code": order.currency,
            "totals": _totals(order),
            "created_at": order.iso,
            "updated_at": order.iso,
        }
        return [_event(order, "adjustment.updated", data)]

    return build


def _trial(order: Order) -> list[Json]:
    trial = {"status": "trialing", "current_billing_period": {"ends_at": order.iso}}
    return _subscription(order, "subscription.created", **trial)


def _cancellation(order: Order) -> list[Json]:
    ended = {"status": "canceled", "canceled_at": order.iso}
    return _subscription(order, "subscription.canceled", **ended)


KINDS: Final[Mapping[str, Build]] = {
    "trial": _trial,
    "first_payment": _transaction("web", is_recurring=True),
    "renewal": _transaction("subscription_recurring", is_recurring=True),
    "purchase": _transaction("web", is_recurring=False),
    "refund": _adjustment("refund"),
    "refund_reversed": _adjustment("refund", "reversed"),
    "dispute": _adjustment("chargeback"),
    "dispute_won": _adjustment("chargeback_reverse"),
    "cancellation": _cancellation,
}
