"""Amounts in minor units: how many decimal places a currency has at each provider.

Some providers write 10.00 USD as 1000. In a few currencies they differ from ISO 4217 and from each
other, so each has a list of its own (`PLACES`). A currency in no list has two places, as nine in
ten do; whether AppsFlyer knows the currency is checked with the event. `minor_units` in a source's
settings overrides every list.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from relay.errors import UnreadableWebhookError

DEFAULT_PLACES: Final = 2

_CODE: Final = re.compile(r"[A-Z]{3}", re.ASCII)


def places(**currencies: str) -> dict[str, int]:
    """Places by currency, from a list of currencies for each number: `none="JPY", three="KWD"`."""
    numbers = {"none": 0, "one": 1, "three": 3}
    return {code: numbers[name] for name, codes in currencies.items() for code in codes.split()}


def from_minor(
    places_at: Mapping[str, int], currency: str, minor: int, overrides: Mapping[str, int]
) -> Decimal:
    """An amount in major units, with all its places: 1000 is `10.00` USD and `1000` JPY.

    `places_at`: the provider's `PLACES`. Raises `UnreadableWebhookError` for a malformed currency
    code (ISO 4217, upper case) and for an amount below zero: the sign comes from the kind of
    movement.
    """
    if _CODE.fullmatch(currency) is None:
        raise UnreadableWebhookError("a currency is not three capital letters")
    if minor < 0:
        raise UnreadableWebhookError("an amount is below zero")
    default = places_at.get(currency, DEFAULT_PLACES)
    return Decimal((0, Decimal(minor).as_tuple().digits, -overrides.get(currency, default)))
