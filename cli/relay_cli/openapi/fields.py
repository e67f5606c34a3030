"""The JSON Schema of each field of an event, by the field's name: the form to prefer.

Bounds, patterns and lists come from the layer. A test compares the rest with the checks of the
layer: values that break a schema cause findings, and its examples are accepted.
"""

from collections.abc import Mapping
from typing import Any, Final

from relay.rules.hashing import DIGEST
from relay.rules.identity_fields import HASHED_FIELDS
from relay.rules.leniency import PLAIN_AMOUNT
from relay.rules.mobile.consent import CONSENT_FORMS
from relay.rules.mobile.context import IntRange
from relay.rules.mobile.device import APP_SET_SCOPE, ATT, UUID
from relay.rules.web import (
    FORBIDDEN_IN_NAME,
    LONGEST_IP,
    LONGEST_NAME,
    LONGEST_URL,
    LONGEST_USER_AGENT,
    USER_ID_LENGTHS,
)
from relay_cli.openapi.shapes import Schema

_PLAIN: Final[Mapping[type, str]] = {str: "string", bool: "boolean"}


def text(*examples: str, **bounds: Any) -> Schema:
    """A string schema."""
    return {"type": "string", **bounds, **({"examples": list(examples)} if examples else {})}


def whole_pattern(expression: str) -> str:
    """A pattern that must match the whole text, as JSON Schema writes it."""
    return f"^(?:{expression})$"


def _integer(bounds: IntRange, *examples: int) -> Schema:
    named = {"minimum": bounds.lowest, "maximum": bounds.highest}
    limits = {name: bound for name, bound in named.items() if bound is not None}
    return {"type": "integer", **limits, **({"examples": list(examples)} if examples else {})}


def _object(properties: Mapping[str, Schema], **bounds: Any) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    } | bounds


def _consent(form: str) -> Schema:
    """M15."""
    properties = {
        name: _integer(wanted) if isinstance(wanted, IntRange) else {"type": _PLAIN[wanted]}
        for name, wanted in CONSENT_FORMS[form].items()
    }
    return _object({form: _object(properties)}, required=[form])


def _user_id(longest: int | None) -> Schema:
    """W1."""
    return text(minLength=1, **({} if longest is None else {"maxLength": longest}))


_UUID: Final = "9d5c1a9c-1b1a-4b1e-9c1a-1b1a4b1e9c1a"
_IOS_ID: Final = text(_UUID.upper(), pattern=whole_pattern(UUID.pattern))
_CURRENCY: Final = text("USD", pattern=whole_pattern("[A-Za-z]{3}"))
_TEXT_OR_DIGITS: Final[Schema] = {"type": ["string", "integer"]}
_JSON_OBJECT: Final[Schema] = {"type": "string", "contentMediaType": "application/json"}
_REVENUE: Final[Schema] = {
    "description": "Digits, an optional leading minus, an optional decimal point (M4).",
    "type": ["string", "number"],
    "pattern": whole_pattern(PLAIN_AMOUNT.pattern),
}

MOBILE: Final[Mapping[str, Schema]] = {
    "appsflyer_id": text("1415211453000-6513894"),
    "customer_user_id": {**_TEXT_OR_DIGITS, "examples": ["user-84213", 84213]},
    "eventName": text("af_purchase", minLength=1),
    "eventValue": {
        "anyOf": [{"type": "object", "properties": {"af_revenue": _REVENUE}}, _JSON_OBJECT],
        "examples": [{"af_revenue": "9.99", "af_order_id": "order-1001"}, '{"af_revenue":-9.99}'],
    },
    "eventCurrency": _CURRENCY,
    "eventTime": {
        "type": ["string", "integer"],
        "examples": ["2026-03-02 11:59:00.000", "2026-03-02T12:59:00+01:00", 1772452740000],
    },
    "ip": text("192.0.2.1", format="ipv4"),
    "advertising_id": text(_UUID),
    "oaid": text(_UUID),
    "amazon_aid": text(_UUID),
    "imei": text("490154203237518"),
    "app_set_id": _object(
        {"scope": _integer(APP_SET_SCOPE), "id": text(pattern=whole_pattern(UUID.pattern))},
        required=["scope", "id"],
        examples=[{"scope": 1, "id": _UUID}],
    ),
    "idfa": _IOS_ID,
    "idfv": _IOS_ID,
    "att": _integer(ATT, 3),
    "aie": {"type": "boolean", "examples": [True]},
    "os": text("17.4"),
    "bundleIdentifier": text("com.example.shop"),
    "sharing_filter": {
        "anyOf": [
            {"const": "all"},
            {"type": "array", "minItems": 1, "items": text(minLength=1)},
        ],
        "examples": ["all", ["googleadwords_int"]],
    },
    "consent_data": {
        "anyOf": [_consent(form) for form in CONSENT_FORMS],
        "examples": [{"manual": {"gdpr_applies": True, "ad_user_data_enabled": False}}],
    },
    "app_type": {"const": "app_clip", "examples": ["app_clip"]},
    "custom_data": {"anyOf": [{"type": "object"}, _JSON_OBJECT], "examples": [{"plan": "premium"}]},
    "fb_login_id": text("1234567890", pattern=whole_pattern("[0-9]+")),
    "app_version_name": {**_TEXT_OR_DIGITS, "examples": ["4.2.0", 4]},
    "app_store": {**_TEXT_OR_DIGITS, "examples": ["com.example.store"]},
    "ua": {**_TEXT_OR_DIGITS, "examples": ["ExampleShop/4.2"]},
    "custom_dimension": {**_TEXT_OR_DIGITS, "examples": ["group-b"]},
}

WEB: Final[Mapping[str, Schema]] = {
    "user_id": _object(
        {name: _user_id(longest) for name, longest in USER_ID_LENGTHS.items()},
        minProperties=1,
        examples=[{"customer_user_id": "user-84213"}],
    ),
    "event_name": text(
        "purchase",
        minLength=1,
        maxLength=LONGEST_NAME,
        pattern=f"^[^{''.join(sorted(FORBIDDEN_IN_NAME - {'-'}))}-]*$",
    ),
    "event_revenue": {"type": "number", "examples": [9.99, -9.99]},
    "event_revenue_currency": _CURRENCY,
    "event_value": {
        "type": "object",
        "properties": {"custom_parameters": {"type": "object"}},
        "examples": [{"order_id": "order-1001"}],
    },
    "event_url": text("https://www.example.com/shoes", format="uri", maxLength=LONGEST_URL),
    "timestamp": {
        "type": ["integer", "string"],
        "examples": [1772452740000, "2026-03-02T12:59:00+01:00"],
    },
    "ip": text("192.0.2.1", "2001:db8::1", maxLength=LONGEST_IP),
    "user_agent": text("Mozilla/5.0", maxLength=LONGEST_USER_AGENT),
    "http_referrer": text("https://www.example.com/"),
    "customer_dedup_id": text("order-1001"),
}

_DIGEST: Final = text(
    "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d",
    pattern=whole_pattern(DIGEST.pattern),
)

IDENTITY: Final[Mapping[str, Schema]] = {
    "email": text("ada@example.com"),
    "phone": text("+1 202 555 0142"),
    "phone_region": text("US"),
    "first_name": text("Ada"),
    "last_name": text("Example"),
    **dict.fromkeys(HASHED_FIELDS, _DIGEST),
}
"""Fields of every kind of event: raw, to be hashed, or hashed already."""

IDENTITY_RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("H1", "H8"),
    "phone": ("H5",),
    "phone_region": ("H5",),
    "first_name": ("H4",),
    "last_name": ("H4",),
    **dict.fromkeys(HASHED_FIELDS, ("H6", "H7")),
}
