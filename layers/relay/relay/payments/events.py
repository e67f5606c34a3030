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


def movement_digest(decision: Decision) -> str:
    """A digest of the movement, whatever the app is told of it: a retelling has the same one."""
    text = dumps([decision.kind, decision.id, decision.currency, decision.gross])
    return hashlib.sha256(text).hexdigest()


def event_of(decision: Decision) -> tuple[Kind, dict[str, Any]]:
    """The event, as a producer would hand it in. The decision has a name."""
    if decision.surface == Surface.MOBILE:
        return Kind.MOBILE_EVENT, _mobile_event(decision)
    return Kind.WEB_EVENT, _web_event(decision)


def _mobile_event(decision: Decision) -> dict[str, Any]:
    revenue, currency = _revenue(decision)
    return _without_none(
        appsflyer_id=decision.appsflyer_id,
        customer_user_id=decision.customer_user_id,
        eventName=decision.name,
        eventValue=_without_none(
            af_revenue=revenue, af_currency=currency, **_product_fields(decision)
        ),
        eventCurrency=currency,
        eventTime=mobile_form(from_milliseconds(decision.at)),
        idfa=decision.idfa,
        idfv=decision.idfv,
        advertising_id=decision.advertising_id,
        # An Android app's id is its package name (E9); the bundle of an iOS app is not known here.
        bundleIdentifier=decision.app_id if "." in decision.app_id else None,
    )


def _web_event(decision: Decision) -> dict[str, Any]:
    revenue, currency = _revenue(decision)
    product_fields = _without_none(**_product_fields(decision))
    return _without_none(
        user_id=_without_none(
            customer_user_id=decision.customer_user_id, appsflyer_id=decision.appsflyer_id
        ),
        event_name=decision.name,
        event_revenue=None if revenue is None else Decimal(revenue),
        event_revenue_currency=currency,
        event_value={"custom_parameters": product_fields} if product_fields else None,
        timestamp=decision.at,
    )


def _revenue(decision: Decision) -> tuple[str | None, str | None]:
    """Signed revenue and its currency; neither where the app hears of no revenue."""
    if decision.revenue is None:
        return None, None
    is_negative = decision.kind in NEGATIVE and Decimal(decision.revenue)
    return f"-{decision.revenue}" if is_negative else decision.revenue, decision.currency


def _product_fields(decision: Decision) -> dict[str, str | int | None]:
    return {
        "af_order_id": decision.order_id,
        "af_content_id": decision.product_id,
        "af_quantity": decision.quantity,
    }


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
