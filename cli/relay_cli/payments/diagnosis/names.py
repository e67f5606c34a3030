"""What the providers call things, for people to find them in a dashboard."""

from typing import Final

LABELS: Final = {
    "stripe": "Stripe",
    "revenuecat": "RevenueCat",
    "paddle": "Paddle",
    "adyen": "Adyen",
    "standard_webhooks": "Standard Webhooks",
}
HEADERS: Final = {
    "stripe": "Stripe-Signature",
    "revenuecat": "Authorization",
    "paddle": "Paddle-Signature",
    "adyen": "HmacSignature",
    "standard_webhooks": "webhook-signature",
}
"""As they stand in the providers' pages."""
PREFIXES: Final = {
    "stripe": "whsec_",
    "paddle": "pdl_ntfset_",
    "revenuecat": "Bearer ",
}
"""What a secret begins with. RevenueCat's is of the owner's choice, and often begins so."""
FORMS: Final = {
    "stripe": "t=<Unix seconds>,v1=<64 hexadecimal digits>",
    "paddle": "ts=<Unix seconds>;h1=<64 hexadecimal digits>",
    "standard_webhooks": "v1,<44 characters of Base64>",
    "adyen": "44 characters of Base64",
}


def label(provider: str) -> str:
    """A provider's name for people."""
    return LABELS.get(provider, provider)


def header_label(provider: str, name: str) -> str:
    """The signature header's name, as it stands in the provider's pages."""
    return HEADERS.get(provider, name)
