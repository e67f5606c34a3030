"""Checks of ids, name, value, currency, time and other text: rules M1 to M6, M17 and M19."""

import re
from typing import Any, Final

from relay import instants
from relay.exact_json import (
    InvalidJsonError,
    UnwritableError,
    decimal_of,
    dumps_with_room,
    loads,
    plain_number,
)
from relay.rules.fields import is_absent, optional_text, warn_of_clear_email
from relay.rules.mobile.context import CheckContext
from relay.rules.money import check_currency, is_plain_amount

_APPSFLYER_ID: Final = re.compile(r"\d+-\d+", re.ASCII)  # M1


def appsflyer_id(value: object, field: str, context: CheckContext) -> str | None:
    """M1."""
    if is_absent(value):
        context.findings.reject(
            "M1", field, "is missing: AppsFlyer needs the id of an install of this same app"
        )
    elif not isinstance(value, str):
        context.findings.reject("M1", field, "must be a string, like 1415211453000-6513894")
    else:
        if not _APPSFLYER_ID.fullmatch(value):
            context.findings.warn(
                "M1", field, "does not look like an AppsFlyer id (digits-digits): the event may "
                "not be attributed",
            )  # fmt: skip
        return value
    return None


def event_name(value: object, field: str, context: CheckContext) -> str | None:
    """M2."""
    if isinstance(value, str) and value.strip():
        return value
    context.findings.reject("M2", field, "must be a non-empty string, like af_purchase")
    return None


def event_value(value: object, field: str, context: CheckContext) -> str | None:
    """M3: always sent as a string; the producer sends an object, a JSON string or nothing."""
    parsed = _json_object(value, "M3", field, context)
    if not parsed:
        return ""
    if "af_revenue" in parsed:
        _check_revenue(parsed["af_revenue"], context)
    return _stringified(parsed, "M3", field, context)


def _check_revenue(revenue: object, context: CheckContext) -> None:
    """M4, and M5 if the currency is missing."""
    context.has_revenue = True
    context.revenue = revenue
    if not is_plain_amount(revenue):
        context.findings.reject(
            "M4", "eventValue.af_revenue", "is no plain amount, and AppsFlyer would lose the "
            "money: digits, an optional leading -, an optional decimal point, like -123.45",
        )  # fmt: skip
    if is_absent(context.event.get("eventCurrency")):
        context.findings.warn(
            "M5", "eventCurrency", "is missing for an event with revenue: AppsFlyer assumes the "
            "app's default currency",
        )  # fmt: skip


def currency(value: object, field: str, context: CheckContext) -> str | None:
    """M5."""
    return check_currency(value, "M5", field, context.findings)


def event_time(value: object, field: str, context: CheckContext) -> str | None:
    """M6."""
    if is_absent(value):
        return None
    context.event_time = instants.parse_mobile_time(value)
    if context.event_time is None:
        context.findings.warn(
            "M6", field, "is no time that AppsFlyer reads, so it is left out and the arrival time "
            "will be recorded: send 2026-11-22 12:00:00.000 (UTC), ISO 8601 or epoch milliseconds",
        )  # fmt: skip
        return None
    return instants.mobile_form(context.event_time)


def custom_data(value: object, field: str, context: CheckContext) -> str | None:
    """M17."""
    parsed = _json_object(value, "M17", field, context)
    return None if parsed is None else _stringified(parsed, "M17", field, context)


def _json_object(
    value: object, rule: str, field: str, context: CheckContext
) -> dict[str, Any] | None:
    """An object, or a string that holds one; None if absent or rejected."""
    if isinstance(value, dict):
        return value
    if is_absent(value):
        return None
    parsed: object = None
    if isinstance(value, str):
        try:
            parsed = loads(value)
        except InvalidJsonError:
            parsed = None
    if isinstance(parsed, dict):
        return parsed
    context.findings.reject(rule, field, "must be a JSON object, or a string that holds one")
    return None


def _stringified(value: dict[str, Any], rule: str, field: str, context: CheckContext) -> str | None:
    try:
        text = dumps_with_room(value).decode()
    except UnwritableError as error:
        context.findings.reject(rule, field, str(error))
        return None
    if "@" in text:
        warn_of_clear_email(field, value, context.findings)
    return text


def text_or_digits(value: object, field: str, context: CheckContext) -> str | None:
    """M19."""
    if value is None or isinstance(value, str):
        return optional_text(value, "M19", field, context.findings)
    digits = _digits(value)
    if digits is None:
        context.findings.reject("M19", field, "must be a string")
    else:
        context.findings.repair("M19", field, "a number; sent as a string of its digits")
    return digits


def _digits(value: object) -> str | None:
    """The digits of a JSON integer of up to 400 digits; None for anything else."""
    number = decimal_of(value)
    if number is None or number != number.to_integral_value():
        return None
    try:
        return plain_number(number.to_integral_value())
    except UnwritableError:
        return None


def customer_user_id(value: object, field: str, context: CheckContext) -> str | None:
    """M19, H9."""
    text = text_or_digits(value, field, context)
    if text is not None and "@" in text:
        warn_of_clear_email(field, text, context.findings)
    return text
