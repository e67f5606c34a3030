"""Amounts in major units: how many decimal places a currency has by ISO 4217.

For providers that write 10.00 USD as 10 or "10.00": RevenueCat, and a company's own billing.
Providers that use minor units have their own decimal places (`minor_units`).
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_PLACES: Final[Mapping[str, int]] = {
    code: places
    for places, codes in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for code in codes.split()
}


def places_of(currency: str, overrides: Mapping[str, int]) -> int:
    """Decimal places of a currency: the source's setting, else ISO 4217's, else two."""
    return overrides.get(currency, _PLACES.get(currency, 2))


def rounded(currency: str, amount: Decimal, overrides: Mapping[str, int]) -> Decimal:
    """An amount rounded half up to its currency's places: 4.995 USD becomes `5.00`."""
    unit = Decimal((0, (1,), -places_of(currency, overrides)))
    return amount.quantize(unit, ROUND_HALF_UP)


def fits(currency: str, amount: Decimal, overrides: Mapping[str, int]) -> bool:
    """Whether an amount can be paid in a currency: 4.995 USD and 10.5 JPY cannot."""
    return rounded(currency, amount, overrides) == amount
