"""How each type of Adyen's webhooks is treated."""

from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.movements import Interpretation, Treatment
from relay.payments.providers.adyen import payments, returns
from relay.payments.providers.adyen.item import Item
from relay.payments.providers.adyen.settings import AdyenSettings

_CAPTURE: Final = "CAPTURE"
_REFUND: Final = "REFUND"

_AUTHORISATION_ENDED: Final[Mapping[str, Callable[[Item], Interpretation]]] = {
    "CANCELLATION": returns.cancellation,
    "TECHNICAL_CANCEL": returns.cancellation,
    "EXPIRE": returns.expiry,
}
"""These end an authorisation without a capture; they count only if authorisations do."""

COUNTED: Final[Mapping[str, Callable[[Item], Interpretation]]] = {
    "AUTHORISATION": payments.authorisation,
    _CAPTURE: payments.capture,
    "CAPTURE_FAILED": returns.capture_failed,
    _REFUND: returns.refund,
    "CANCEL_OR_REFUND": returns.cancel_or_refund,
    "REFUND_FAILED": returns.refund_reversed,
    "REFUNDED_REVERSED": returns.refund_reversed,
    "CHARGEBACK": returns.chargeback,
    "SECOND_CHARGEBACK": returns.second_chargeback,
    "CHARGEBACK_REVERSED": returns.chargeback_reversed,
    **_AUTHORISATION_ENDED,
}

_REASONS: Final = {
    "no money was moved": (
        "AUTHENTICATION AUTHORISATION_ADJUSTMENT CANCEL_AUTORESCUE HANDLED_EXTERNALLY "
        "OFFER_CLOSED PENDING"
    ),
    "a step of a dispute that moves no money; chargebacks tell of that": (
        "DISPUTE_DEFENSE_PERIOD_ENDED INFORMATION_SUPPLIED ISSUER_COMMENTS "
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED NOTIFICATION_OF_CHARGEBACK NOTIFICATION_OF_FRAUD "
        "PREARBITRATION_OPEN REQUEST_FOR_INFORMATION SCHEME_ARBITRATION"
    ),
    "payments tell one by one of what is paid": (
        "AUTORESCUE MANUAL_REVIEW_ACCEPT MANUAL_REVIEW_REJECT ORDER_CLOSED ORDER_OPENED"
    ),
    "a stored payment method: no money was moved": "RECURRING_CONTRACT",
    "the shopper's bank account has changed: no money was moved": (
        "ACH_NOTIFICATION_OF_CHANGE DIRECT_DEBIT_NOTICE_OF_CHANGE_NOTIFICATION "
        "ach.notificationOfChange eft.notificationOfChange"
    ),
    "the refund is told when it is made": "POSTPONED_REFUND",
    "a refund that was called off before it was made": "VOID_PENDING_REFUND",
    "money that is paid to others, of no payment that is known": (
        "PAIDOUT_REVERSED PAYOUT_DECLINE PAYOUT_EXPIRE PAYOUT_THIRDPARTY REFUND_WITH_DATA"
    ),
    "a tool": "REPORT_AVAILABLE",
}

IGNORED: Final[Mapping[str, str]] = {
    name: reason for reason, names in _REASONS.items() for name in names.split()
}
"""Types that are only acknowledged and counted, and why.

Results of an arbitration (`PREARBITRATION_WON` and the like) are unknown on purpose: card schemes
differ in what they do to the money, so a person should look.
"""

_STORED_METHOD_PREFIX: Final = "recurring.token."
"""The prefix of types about stored payment methods: signed by a header, and no money."""


def treatment_of_item(webhook_type: str, success: str | None, settings: AdyenSettings) -> Treatment:
    """How an item is treated, by its type and by what the source counts as the payment."""
    if webhook_type in IGNORED:
        return Treatment.IGNORED
    if webhook_type not in COUNTED or success not in {"true", "false"}:
        return Treatment.UNKNOWN
    is_moot = webhook_type in _AUTHORISATION_ENDED and settings.payment_event == "capture"
    # A refund that fails after all is told by its own type as well.
    has_failed = success == "false" and webhook_type != _REFUND
    return Treatment.IGNORED if is_moot or has_failed else Treatment.COUNTED


def treatment_of_event(webhook_type: str) -> Treatment:
    """How an event that is signed by a header is treated."""
    is_ignored = webhook_type.startswith(_STORED_METHOD_PREFIX) or webhook_type in IGNORED
    return Treatment.IGNORED if is_ignored else Treatment.UNKNOWN


def why_ignored(webhook_type: str) -> str:
    """Why an item does not count; for a type that normally counts, why an item may not."""
    if webhook_type.startswith(_STORED_METHOD_PREFIX):
        return "a stored payment method: no money was moved"
    by_rule = "it did not succeed, or by the source's settings another type tells of the money"
    return IGNORED.get(webhook_type) or (by_rule if webhook_type in COUNTED else "")
