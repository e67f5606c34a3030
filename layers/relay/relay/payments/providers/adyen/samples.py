"""Sample webhooks of Adyen."""

from collections.abc import Mapping
from typing import Final

from relay_cli.payments.samples.order import PERSON, Build, Json, Order


def _webhook(order: Order, code: str, reference: str, additional: Json, **more: object) -> Json:
    item: Json = {
        "additionalData": {"shopperEmail": PERSON["email"], **additional},
        "amount": {"currency": order.currency, "value": order.minor},
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
