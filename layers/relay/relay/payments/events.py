"""From what was decided about a movement to AppsFlyer's event. Pure."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from relay.domain.kinds import Kind, Surface
from relay.domain.movements import NEGATIVE, MovementKind
from relay.domain.payment_rules import PaymentRules
from relay.exact_json import dumps
from relay.instants import from_milliseconds, mobile_form
from relay.stores.decision import Decision

NAMES: Final[Mapping[MovementKind, str]] = {
    MovementKind.TRIAL: "af_start_trial",
    MovementKind.FIRST_PAYMENT: "af_subscribe",
    MovementKind.RENEWAL: "af_subscribe",
    MovementKind.PURCHASE: "af_purchase",
    MovementKind.CANCELLATION: "subscription_cancelled",
}
"""What AppsFlyer is told; the other kinds have the name of what they take back."""


def event_name(kind: MovementKind, rules: PaymentRules, original: Decision | None) -> str | None:
    """The name for an app; None where the app does not want to hear of it.

    Nor does it hear that something is taken back of which it never heard.
    """
    if original is not None and original.name is None:
        return None
    if kind in rules.names:
        return rules.names[kind]
    return NAMES[kind] if original is None else original.name


def digest_of(decision: Decision) -> str:
    """A digest of the movement, whatever the app is told of it: a retelling has the same one."""
    text = dumps([decision.kind, decision.id, decision.currency, decision.gross])
    return hashlib.sha256(text).hexdigest()


def event_of(decision: Decision) -> tuple[Kind, dict[str, Any]]:
    """The event, as a producer would hand it in. The decision has a name."""
    if decision.surface == Surface.MOBILE:
        return Kind.MOBILE_EVENT, _mobile(decision)
    return Kind.WEB_EVENT, _web(decision)


def _mobile(decision: Decision) -> dict[str, Any]:
    revenue, currency = _revenue(decision)
    return _given(
        appsflyer_id=decision.appsflyer_id,
        customer_user_id=decision.customer_user_id,
        eventName=decision.name,
        eventValue=_given(af_revenue=revenue, af_currency=currency, **_sold(decision)),
        eventCurrency=currency,
        eventTime=mobile_form(from_milliseconds(decision.at)),
        idfa=decision.idfa,
        idfv=decision.idfv,
        advertising_id=decision.advertising_id,
        # An Android app's id is its package name (E9); the bundle of an iOS app is not known here.
        bundleIdentifier=decision.app_id if "." in decision.app_id else None,
    )


def _web(decision: Decision) -> dict[str, Any]:
    revenue, currency = _revenue(decision)
    sold = _given(**_sold(decision))
    return _given(
        user_id=_given(
            customer_user_id=decision.customer_user_id, appsflyer_id=decision.appsflyer_id
        ),
        event_name=decision.name,
        event_revenue=None if revenue is None else Decimal(revenue),
        event_revenue_currency=currency,
        event_value={"custom_parameters": sold} if sold else None,
        timestamp=decision.at,
    )


def _revenue(decision: Decision) -> tuple[str | None, str | None]:
    """Signed revenue and its currency; neither where the app hears of no revenue."""
    if decision.revenue is None:
        return None, None
    is_taken = decision.kind in NEGATIVE and Decimal(decision.revenue)
    return f"-{decision.revenue}" if is_taken else decision.revenue, decision.currency


def _sold(decision: Decision) -> dict[str, str | int | None]:
    return {
        "af_order_id": decision.order_id,
        "af_content_id": decision.product_id,
        "af_quantity": decision.quantity,
    }


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
