"""Signs a webhook as its provider does, for the present."""

from datetime import datetime
from typing import NamedTuple

from relay.payments.providers.registry import samples_of


class SignedWebhook(NamedTuple):
    """A signed webhook, ready to be sent."""

    headers: dict[str, str]
    body: bytes


def sign(provider: str, body: bytes, secret: str, now: datetime) -> SignedWebhook:
    """Signs a body as the provider does, at the time `now`."""
    signed = samples_of(provider).sign(body, secret, int(now.timestamp()))
    return SignedWebhook({"content-type": "application/json", **signed.headers}, signed.body)
