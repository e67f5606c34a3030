"""Webhooks to try the made-up provider with, and how it signs them."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.protocol import Webhook
from relay.payments.providers.samples import Account, Build, Json, Names, Order
from tests.made_up_provider import PLACES, signature_of

NAMES: Final = Names("Made Up", "Made-Up-Signature")
ACCOUNT: Final = Account("made-up-sandbox", "made-up-secret")
RECOGNISED_BY: Final = frozenset({"made_up"})


def sign(body: bytes, secret: str, seconds: int) -> Webhook:
    """Over the body; no time is told."""
    del seconds
    return Webhook({"made-up-signature": signature_of(body, secret)}, body)


def _purchase(order: Order) -> list[Json]:
    app = order.metadata.get("af_app_id")
    sale = {"id": order.tag, "at": order.iso, "user": order.customer, "app": app}
    return [
        {"made_up": "sale", "cents": order.minor(PLACES), "currency": order.currency, **sale},
    ]


KINDS: Final[Mapping[str, Build]] = {"purchase": _purchase}
