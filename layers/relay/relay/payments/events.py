"""Builds AppsFlyer's event from the decision about a movement. Pure."""

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
"""The default event names; the other kinds take the name of their original."""


def event_name(kind: MovementKind, rules: PaymentRules, original: Decision | None) -> str | None:
    """The event's name for an app; None if the app does not want the event.

    An app that got no event for the original gets none for its return or reversal either.
    """
    if original is not None and original.name is None:
        return None
    if kind in rules.names:
        return rules.names[kind]
    return NAMES[kind] if original is None else original.name


def movement_digest(decision: Decision) -> str:
    """A digest of the movement, whatever the event says: a redelivery has the same digest."""
    text = dumps([decision.kind, decision.id, decision.currency, decision.gross])
    return hashlib.sha256(text).hexdigest()


def event_of(decision: Decision) -> tuple[Kind, dict[str, Any]]:
    """The event, as a producer would hand it in. The decision must have a name."""
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
    """Signed revenue and its currency; neither if no revenue is reported to the app."""
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
