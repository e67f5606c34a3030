"""The payment providers by name."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers import adyen, paddle, revenuecat, standard_webhooks, stripe
from relay.payments.providers.protocol import Provider

PROVIDERS: Final[Mapping[str, Provider]] = {
    "stripe": stripe,
    "revenuecat": revenuecat,
    "paddle": paddle,
    "adyen": adyen,
    "standard_webhooks": standard_webhooks,
}
"""By the name in a webhook's URL and in a source's settings."""
