"""Which types of RevenueCat's webhooks count.

The list is that of its page "Event types and fields", and of "Paywall integrations".
"""

from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.movements import Interpretation, Treatment
from relay.payments.providers.revenuecat import customers, payments, returns, subscriptions
from relay.payments.providers.revenuecat.event import Event

COUNTED: Final[Mapping[str, Callable[[Event], Interpretation]]] = {
    "INITIAL_PURCHASE": payments.payment,
    "RENEWAL": payments.payment,
    "NON_RENEWING_PURCHASE": payments.payment,
    "PRODUCT_CHANGE": payments.product_change,
    "CANCELLATION": subscriptions.cancellation,
    "UNCANCELLATION": subscriptions.uncancellation,
    "EXPIRATION": subscriptions.expiration,
    "REFUND_REVERSED": returns.reversal,
    "TRANSFER": customers.transfer,
    "SUBSCRIBER_ALIAS": customers.alias,
}
"""By type, what reads it."""

WITHOUT_MONEY: Final = frozenset(
    {"EXPIRATION", "PRODUCT_CHANGE", "SUBSCRIBER_ALIAS", "TRANSFER", "UNCANCELLATION"}
)
"""They may leave out whether they are tests: a temporary entitlement's `EXPIRATION` does."""

_PAYWALL: Final = "what a customer saw; a purchase has an event of its own"

IGNORED: Final[Mapping[str, str]] = {
    "BILLING_ISSUE": "a charge that failed moved no money; EXPIRATION tells if it failed for good",
    "EXPERIMENT_ENROLLMENT": "no money",
    "INVOICE_ISSUANCE": "asked for and not paid yet",
    "PAYWALL_CANCEL": _PAYWALL,
    "PAYWALL_CLOSE": _PAYWALL,
    "PAYWALL_COMPONENT_INTERACTED": _PAYWALL,
    "PAYWALL_EXIT_OFFER": _PAYWALL,
    "PAYWALL_IMPRESSION": _PAYWALL,
    "SUBSCRIPTION_EXTENDED": "more time for the same money",
    "SUBSCRIPTION_PAUSED": "no money until it goes on, and then a renewal",
    "TEMPORARY_ENTITLEMENT_GRANT": "not seen by the store yet; the purchase follows, or nothing",
    "TEST": "sent from the dashboard by hand",
    "VIRTUAL_CURRENCY_TRANSACTION": "the app's own coins; the money for them is a purchase",
}
"""Types that are only acknowledged and counted, and why."""


def treatment_of(webhook_type: str) -> Treatment:
    """How an event is treated, by its type."""
    if webhook_type in COUNTED:
        return Treatment.COUNTED
    return Treatment.IGNORED if why_ignored(webhook_type) else Treatment.UNKNOWN


def why_ignored(webhook_type: str) -> str:
    """Why a type does not count; empty if it counts or is unknown.

    Paywall events are written in small letters, by RevenueCat's default.
    """
    return IGNORED.get(webhook_type.upper(), "")
