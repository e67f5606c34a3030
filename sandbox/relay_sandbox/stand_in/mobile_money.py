"""The revenue that AppsFlyer finds in a mobile event, and how it gets lost (M3, M4, M5).

Deliberately independent of `relay.rules.money`, so that it can disagree with the relay about what
a valid amount is. Only AppsFlyer's list of currencies is shared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from relay.rules.money import LISTED_CURRENCIES, NEWER_CURRENCIES
from relay_sandbox.stand_in.calls import Money

KNOWN_CURRENCIES = LISTED_CURRENCIES | NEWER_CURRENCIES

_PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


class _NumberText(str):
    """A JSON number as it was written; its spelling decides whether AppsFlyer accepts it."""

    __slots__ = ()


def read_money(payload: Mapping[str, Any], default_currency: str) -> Money:
    """Return the revenue that AppsFlyer records for a mobile event, or why it records none."""
    currency = payload.get("eventCurrency")
    value = _event_value(payload.get("eventValue"))
    if value is None:
        return Money(None, None, "M3: the event value is not a string that holds a JSON object")
    if "af_revenue" not in value:
        return Money(None, None, "the event has no af_revenue")
    amount = value["af_revenue"]
    if not isinstance(amount, str) or not _PLAIN.fullmatch(amount):
        return Money(None, None, "M4: af_revenue is not plain digits, so the revenue is lost")
    if currency is None:
        return Money(str(amount), default_currency, "M5: the app's default currency is assumed")
    if currency not in KNOWN_CURRENCIES:
        return Money(None, None, "M5: AppsFlyer does not list the currency; the revenue is lost")
    return Money(str(amount), str(currency), "as sent")


def _event_value(text: object) -> dict[str, Any] | None:
    """The event value's object, with numbers as they were written; None if there is none."""
    if text == "":
        return {}
    try:
        value = _DECODER.decode(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _no_constant(_name: str) -> NoReturn:
    message = "NaN and Infinity are not JSON"
    raise ValueError(message)


_DECODER = json.JSONDecoder(
    parse_float=_NumberText, parse_int=_NumberText, parse_constant=_no_constant
)
