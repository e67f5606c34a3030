"""What people should know of a webhook of Stripe's that cannot be treated in full."""

from collections.abc import Mapping
from typing import Any, Final

from relay.domain.movements import Caveat, Treatment
from relay.payments.providers.parsing import at
from relay.payments.providers.stripe.settings import StripeSettings
from relay.payments.providers.stripe.versions import NO_LINK, Version

FOREIGN_ACCOUNT: Final = Caveat(
    "StripeForeignAccount",
    "It is about another account, connected to yours (Stripe Connect): dropped. If its money is to "
    "be reported, list the account in the source's setting `accounts`.",
)
NO_PAYMENT_INTENT: Final = Caveat(
    "StripeChargeUnsupported",
    "A charge without a PaymentIntent (made by the Charges API) is not supported: its money is not "
    "reported. Payments are reported by invoices, Checkout or PaymentIntents.",
)
_LINKED: Final = ("invoice.paid", "refund.", "charge.dispute.")
_CHARGES: Final = frozenset({"charge.succeeded", "charge.captured"})


def caveats_of(
    webhook_type: str,
    event: Mapping[str, Any],
    treatment: Treatment,
    settings: StripeSettings,
) -> tuple[Caveat, ...]:
    """The caveats of an event as it came in."""
    if is_foreign(event, settings):
        return (FOREIGN_ACCOUNT,)
    if webhook_type in _CHARGES and _stands_alone(at(event, "data.object")):
        return (NO_PAYMENT_INTENT,)
    version = Version.of(event.get("api_version"))
    is_linked = treatment is Treatment.COUNTED and webhook_type.startswith(_LINKED)
    return (NO_LINK,) if is_linked and not version.links_payments else ()


def is_foreign(event: Mapping[str, Any], settings: StripeSettings) -> bool:
    """Whether it is about a connected account that the source does not list."""
    account = event.get("account")
    return account is not None and account not in settings.accounts


def _stands_alone(charge: object) -> bool:
    """Whether it is captured money that nothing else reports; older versions name its invoice."""
    reported = at(charge, "payment_intent") or at(charge, "invoice")
    return not reported and at(charge, "captured") is not False
