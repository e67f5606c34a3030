"""Why a type of webhook does not count, as `relay payments explain` says it."""

from relay.payments.providers.registry import PROVIDERS
from tests.support.every import every


@every(
    "provider, kind, reason",
    [
        ("stripe", "invoice.payment_succeeded", "the same payment"),
        ("stripe", "charge.refunded", "the same refund"),
        ("stripe", "payout.paid", "between Stripe and the account"),
        ("stripe", "payment_intent.succeeded", "does not say whose"),
        ("paddle", "transaction.paid", "the same payment"),
        ("adyen", "NOTIFICATION_OF_CHARGEBACK", "moves no money"),
        ("adyen", "CAPTURE", "did not succeed, or"),
        ("adyen", "recurring.token.created", "no money"),
        ("revenuecat", "SUBSCRIPTION_EXTENDED", "the same money"),
    ],
)
def test_why_ignored_says_what_else_tells_of_it(provider: str, kind: str, reason: str) -> None:
    assert reason in PROVIDERS[provider].why_ignored(kind)
