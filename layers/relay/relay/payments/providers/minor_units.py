"""Amounts in minor units: how many decimal places a currency has at each provider.

These providers write 10.00 USD as 1000. In a few currencies they differ from ISO 4217 and from each
other. A currency in no list has two places, as nine in ten do; whether AppsFlyer knows the currency
is checked with the event. `minor_units` in a source's settings overrides everything here.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from relay.errors import UnreadableWebhookError

MinorUnitsProvider = Literal["stripe", "paddle", "adyen"]

DEFAULT_PLACES: Final = 2

_CODE: Final = re.compile(r"[A-Z]{3}", re.ASCII)


def _places(**currencies: str) -> dict[str, int]:
    """Places by currency, from a list of currencies for each number of places."""
    numbers = {"none": 0, "one": 1, "three": 3}
    return {code: numbers[name] for name, codes in currencies.items() for code in codes.split()}


_PLACES: Final[Mapping[MinorUnitsProvider, Mapping[str, int]]] = {
    # ISK and UGX have no cents, but Stripe writes them with two places, which are always 00. HUF
    # and TWD lack places in payouts only.
    "stripe": _places(
        none="BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF",
        three="BHD JOD KWD OMR TND",
    ),
    "paddle": _places(none="CLP JPY KRW VND"),
    # Different from ISO 4217: CLP and ISK have two places, CVE and IDR none.
    "adyen": _places(
        none="BIF CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
        one="MRO",
        three="BHD IQD JOD KWD LYD OMR TND",
    ),
}


def from_minor(
    provider: MinorUnitsProvider, currency: str, minor: int, overrides: Mapping[str, int]
) -> Decimal:
    """An amount in major units, with all its places: 1000 is `10.00` USD and `1000` JPY.

    Raises `UnreadableWebhookError` for a malformed currency code (ISO 4217, upper case) and for an
    amount below zero: the sign comes from the kind of movement.
    """
    if _CODE.fullmatch(currency) is None:
        raise UnreadableWebhookError("a currency is not three capital letters")
    if minor < 0:
        raise UnreadableWebhookError("an amount is below zero")
    default = _PLACES[provider].get(currency, DEFAULT_PLACES)
    return Decimal((0, Decimal(minor).as_tuple().digits, -overrides.get(currency, default)))
