"""Webhooks to try Adyen with, and how it signs them."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from relay.payments.providers.adyen.places import PLACES
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.samples import PERSON, Account, Build, Json, Names, Order, digest_of

NAMES: Final = Names("Adyen", "HmacSignature", form="44 characters of Base64")
ACCOUNT: Final = Account("adyen-sandbox", 16 * "5A0D")
RECOGNISED_BY: Final = frozenset({"notificationItems"})


def sign(body: bytes, secret: str, seconds: int) -> Webhook:
    """Signs each item; the signature is part of the body."""
    del seconds  # no time is signed
    content = json.loads(body)
    for one in content["notificationItems"]:
        item = one["NotificationRequestItem"]
        digest = digest_of(bytes.fromhex(secret), _signed_text(item).encode())
        item.setdefault("additionalData", {})["hmacSignature"] = base64.b64encode(digest).decode()
    return Webhook({}, json.dumps(content).encode())


def _signed_text(item: Mapping[str, Any]) -> str:
    amount = item["amount"]
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    parts = [item.get(name, "") for name in names]
    parts += [amount["value"], amount["currency"], item["eventCode"], item["success"]]
    return ":".join(map(str, parts))


def _webhook(order: Order, code: str, reference: str, additional: Json, **more: object) -> Json:
    item: Json = {
        "additionalData": {"shopperEmail": PERSON["email"], **additional},
        "amount": {"currency": order.currency, "value": order.minor(PLACES)},
        "eventCode": code,
        "eventDate": f"{order.now:%Y-%m-%dT%H:%M:%S}+00:00",
        "merchantAccountCode": "ExampleECOM",
        "merchantReference": f"order-{order.payment_tag}",
        "paymentMethod": "visa",
        "pspReference": reference,
        "reason": "033899:4242:08/2030",
        "success": "true",
        **more,
    }
    return {"live": "true", "notificationItems": [{"NotificationRequestItem": item}]}


def _payment(interaction: str) -> Build:
    def build(order: Order) -> list[Json]:
        metadata = {f"metadata.{name}": value for name, value in order.metadata.items()}
        metadata |= {"shopperReference": order.customer, "shopperInteraction": interaction}
        return [_webhook(order, "AUTHORISATION", f"P{order.tag}", metadata)]

    return build


def _return(code: str, prefix: str) -> Build:
    """A refund or chargeback, or its reversal, which has the same reference."""
    return lambda order: [
        _webhook(order, code, f"{prefix}{order.tag}", {}, originalReference=f"P{order.payment_tag}")
    ]


KINDS: Final[Mapping[str, Build]] = {
    "renewal": _payment("ContAuth"),
    "purchase": _payment("Ecommerce"),
    "refund": _return("REFUND", "R"),
    "refund_reversed": _return("REFUND_FAILED", "R"),
    "dispute": _return("CHARGEBACK", "C"),
    "dispute_won": _return("CHARGEBACK_REVERSED", "C"),
}
