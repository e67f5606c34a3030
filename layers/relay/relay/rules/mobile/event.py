"""Checks of ids, name, value, currency, time and other text: rules M1 to M6, M17 and M19."""

import re
from typing import Any, Final

from relay.exact_json import (
    NameTwiceError,
    UnwritableError,
    dumps_with_room,
    without_lone_surrogates,
)
from relay.instants import mobile_form
from relay.rules.fields import is_no_value, json_object, reject_name_twice, warn_of_clear_email
from relay.rules.mobile.context import CheckContext
from relay.rules.money import MoneyRead, check_currency, look_for_money
from relay.rules.times import read_time

_APPSFLYER_ID: Final = re.compile(r"\d+-\d+", re.ASCII)  # M1
_LONGEST_NAME: Final = 100  # M2


def appsflyer_id(value: object, field: str, context: CheckContext) -> str | None:
    """M1."""
    if not isinstance(value, str):
        context.findings.reject("M1", field, "must be a string, like 1415211453000-6513894")
        return None
    if not _APPSFLYER_ID.fullmatch(value):
        context.findings.warn(
            "M1", field, "does not look like an AppsFlyer id (digits-digits): the event may "
            "not be attributed",
        )  # fmt: skip
    return value


def no_appsflyer_id(field: str, context: CheckContext) -> None:
    """M1."""
    context.findings.reject(
        "M1", field, "is missing, or a placeholder: AppsFlyer needs the id of an install of this "
        "same app",
    )  # fmt: skip


def event_name(value: object, field: str, context: CheckContext) -> str | None:
    """M2."""
    if not isinstance(value, str):
        no_event_name(field, context)
        return None
    if len(value) > _LONGEST_NAME:
        context.findings.warn(
            "M2", field, f"is longer than {_LONGEST_NAME} characters: AppsFlyer may cut it"
        )
    return value


def no_event_name(field: str, context: CheckContext) -> None:
    """M2."""
    context.findings.reject("M2", field, "must be a non-empty string, like af_purchase")


def event_value(value: object, field: str, context: CheckContext) -> str | None:
    """M3, M4, H9: always sent as a string, whether the producer sends an object or a string."""
    if is_no_value(value):
        return ""
    try:
        parsed = json_object(value)
    except NameTwiceError as error:
        reject_name_twice(error.name, field, context.findings)
        return None
    if parsed is None:
        context.findings.reject("M3", field, "must be a JSON object, or a string that holds one")
        return None
    text = _text_of(parsed)
    context.money = MoneyRead(parsed)
    # Of other values, none has a name of revenue at any depth: it has this letter.
    if text is None or "v" in text or "V" in text:
        context.money = look_for_money(parsed, field, context.findings)
        if context.money.is_rejected:
            return None
        if context.money.value is not parsed:
            text = _text_of(context.money.value)
    if text is None:
        context.findings.reject("M3", field, "cannot be written as JSON: " + _UNWRITABLE)
    elif "@" in text:
        warn_of_clear_email(field, parsed, context.findings)
    return text


_UNWRITABLE: Final = "it is nested too deeply, or holds a number of hundreds of digits"


def no_event_value(_field: str, _context: CheckContext) -> str:
    """M3: an event without a value."""
    return ""


def _text_of(value: dict[str, Any]) -> str | None:
    """M3: compact, keys in the order given; None if it has no JSON form."""
    try:
        return dumps_with_room(value).decode()
    except UnwritableError:
        pass
    try:
        return dumps_with_room(without_lone_surrogates(value)).decode()
    except UnwritableError:
        return None


def currency(value: object, field: str, context: CheckContext) -> str | None:
    """M5."""
    return check_currency(value, "M5", field, context.findings)


def event_time(value: object, field: str, context: CheckContext) -> str | None:
    """M6."""
    read = read_time(value)
    if read is None or read.form == "twelve_digits":
        context.leave_out("M6", field, _NO_TIME)
        return None
    context.event_time = read.instant
    if read.form == "other":
        context.findings.repair("M6", field, "in a form that AppsFlyer does not read; sent as UTC")
    return mobile_form(read.instant)


_NO_TIME: Final = (
    "is no time that AppsFlyer reads (send 2026-11-22 12:00:00.000 in UTC, ISO 8601, or epoch "
    "milliseconds), so the arrival time will be recorded"
)


def custom_data(value: object, field: str, context: CheckContext) -> str | None:
    """M17, H9."""
    try:
        parsed = json_object(value)
    except NameTwiceError as error:
        reject_name_twice(error.name, field, context.findings)
        return None
    text = None if parsed is None else _text_of(parsed)
    if text is None:
        context.leave_out("M17", field, "is no JSON object, nor a string that holds one")
    elif "@" in text:
        warn_of_clear_email(field, parsed, context.findings)
    return text


def text(value: object, field: str, context: CheckContext) -> str | None:
    """M19."""
    if isinstance(value, str):
        return value
    context.leave_out("M19", field, "is no text")
    return None


def customer_user_id(value: object, field: str, context: CheckContext) -> str | None:
    """M19, H9."""
    user = text(value, field, context)
    if user is not None and "@" in user:
        warn_of_clear_email(field, user, context.findings)
    return user
