"""Webhooks to try a company's own billing with, and how it signs them."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from relay.payments.providers.protocol import Webhook
from relay.payments.providers.samples import Account, Build, Json, Names, Order, digest_of

NAMES: Final = Names(
    "Standard Webhooks",
    "webhook-signature",
    form="v1,<44 characters of Base64>",
    signed="id, time and body",
)
ACCOUNT: Final = Account("webhooks-sandbox", "whsec_c2FuZGJveC1vbmx5LXNhbmRib3gtMDAh")
RECOGNISED_BY: Final = frozenset({"type", "timestamp", "data"})

_NAMES: Final = {"app_user_id": "customer_user_id", "af_app_id": "app_id"}


def sign(body: bytes, secret: str, seconds: int) -> Webhook:
    """Three headers; the id comes from the body, so that a redelivery has the same."""
    message_id = f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = digest_of(key, f"{message_id}.{seconds}.".encode() + body)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    return Webhook(headers, body)


def _webhook(order: Order, name: str, **more: object) -> list[Json]:
    data = {"id": f"{name}-{order.tag}", "subscription_id": f"s-{order.payment_tag}", **more}
    return [{"type": f"payment.{order.kind}", "timestamp": order.iso, "data": data}]


def _metadata(order: Order) -> Json:
    return {_NAMES.get(name, name): value for name, value in order.metadata.items()}


def _money(order: Order) -> Json:
    return {"amount": f"{order.major:f}", "currency": order.currency}


def _payment(order: Order) -> list[Json]:
    return _webhook(order, "payment", **_money(order), **_metadata(order))


def _step(order: Order) -> list[Json]:
    return _webhook(order, order.kind, **_metadata(order))


def _return(order: Order) -> list[Json]:
    return _webhook(order, order.kind, original_id=f"payment-{order.payment_tag}", **_money(order))


def _reversal(of: str) -> Build:
    return lambda order: _webhook(order, order.kind, original_id=f"{of}-{order.tag}")


KINDS: Final[Mapping[str, Build]] = {
    "trial": _step,
    "first_payment": _payment,
    "renewal": _payment,
    "purchase": _payment,
    "refund": _return,
    "refund_reversed": _reversal("refund"),
    "dispute": _return,
    "dispute_won": _reversal("dispute"),
    "cancellation": _step,
}
