"""What becomes of each type of Adyen's events."""

from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.movements import Interpretation, Treatment
from relay.domain.payment_rules import SourceSettings
from relay.payments.providers.adyen import payments, returns
from relay.payments.providers.adyen.item import Item

_CAPTURE: Final = "CAPTURE"

_GIVEN_UP: Final[Mapping[str, Callable[[Item], Interpretation]]] = {
    "CANCELLATION": returns.cancellation,
    "TECHNICAL_CANCEL": returns.cancellation,
    "EXPIRE": returns.expiry,
}
"""They end an authorisation without its money: no news, unless the authorisation was counted."""

COUNTED: Final[Mapping[str, Callable[[Item], Interpretation]]] = {
    "AUTHORISATION": payments.authorisation,
    _CAPTURE: payments.capture,
    "CAPTURE_FAILED": returns.refund,
    "REFUND": returns.refund,
    "CANCEL_OR_REFUND": returns.cancel_or_refund,
    "REFUND_FAILED": returns.refund_came_back,
    "REFUNDED_REVERSED": returns.refund_came_back,
    "CHARGEBACK": returns.chargeback,
    "SECOND_CHARGEBACK": returns.second_chargeback,
    "CHARGEBACK_REVERSED": returns.chargeback_reversed,
    **_GIVEN_UP,
}

_REASONS: Final = {
    "no money was moved": (
        "AUTHENTICATION AUTHORISATION_ADJUSTMENT CANCEL_AUTORESCUE HANDLED_EXTERNALLY "
        "OFFER_CLOSED PENDING RECURRING_CONTRACT VOID_PENDING_REFUND"
    ),
    "a step of a dispute that moves no money; chargebacks tell of that": (
        "DISPUTE_DEFENSE_PERIOD_ENDED INFORMATION_SUPPLIED ISSUER_COMMENTS "
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED NOTIFICATION_OF_CHARGEBACK NOTIFICATION_OF_FRAUD "
        "PREARBITRATION_OPEN REQUEST_FOR_INFORMATION SCHEME_ARBITRATION"
    ),
    "payments tell one by one of what is paid": (
        "AUTORESCUE MANUAL_REVIEW_ACCEPT MANUAL_REVIEW_REJECT ORDER_CLOSED ORDER_OPENED"
    ),
    "the refund is told when it is made": "POSTPONED_REFUND",
    "money that is paid to others, of no payment that is known": (
        "PAIDOUT_REVERSED PAYOUT_DECLINE PAYOUT_EXPIRE PAYOUT_THIRDPARTY REFUND_WITH_DATA"
    ),
    "a tool": "REPORT_AVAILABLE",
}

IGNORED: Final[Mapping[str, str]] = {
    name: reason for reason, names in _REASONS.items() for name in names.split()
}
"""Types that are acknowledged and counted, and why they are no more than that.

How an arbitration ended (`PREARBITRATION_WON` and the like) is unknown on purpose: card schemes
differ in what it does to the money, so that a person should look.
"""

_STORED_METHODS: Final = "recurring.token."
"""How the types about stored payment methods begin, which are signed by a header: no money."""


def treatment(kind: str, success: str | None, settings: SourceSettings) -> Treatment:
    """What becomes of an item, by its type and by what the source counts as the payment."""
    if kind in IGNORED:
        return Treatment.IGNORED
    if kind not in COUNTED or success not in {"true", "false"}:
        return Treatment.UNKNOWN
    at_capture = settings.payment_event == "capture"
    is_no_news = kind in _GIVEN_UP if at_capture else kind == _CAPTURE
    if success == "false" or is_no_news:
        return Treatment.IGNORED
    return Treatment.COUNTED


def treatment_of_event(kind: str) -> Treatment:
    """What becomes of an event that is signed by a header."""
    return Treatment.IGNORED if kind.startswith(_STORED_METHODS) else Treatment.UNKNOWN


def why_ignored(kind: str) -> str:
    """Why an item does not count, by its type; one that counts as a rule, why this one may not."""
    if kind.startswith(_STORED_METHODS):
        return "a stored payment method: no money was moved"
    by_rule = "it did not succeed, or by the source's settings another type tells of the money"
    return IGNORED.get(kind) or (by_rule if kind in COUNTED else "")
