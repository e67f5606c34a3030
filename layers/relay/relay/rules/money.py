"""Money: amounts that AppsFlyer accepts, and currencies that it lists (M4, M5, W3, W4)."""

import re
from decimal import Decimal
from typing import Final

from relay.domain.findings import Findings
from relay.exact_json import UnwritableError, decimal_of, plain_number

PLAIN_AMOUNT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
"""M4: digits, an optional leading minus, an optional decimal point followed by digits."""

LISTED_CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN
    BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP
    ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR
    ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STN SVC SYP SZL THB
    TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VES VND VUV WST XAF XAG XAU
    XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWL
    """.split()  # noqa: SIM905 - eight lines to read rather than 179
)
"""M5: the 179 ISO 4217 codes of AppsFlyer's published list."""

NEWER_CURRENCIES: Final = frozenset({"SLE", "VED", "XCG", "ZWG"})
"""M5: ISO 4217 codes newer than AppsFlyer's list: sent with a warning."""


def is_plain_amount(value: object) -> bool:
    """M4: whether AppsFlyer accepts this as revenue: a JSON number, or a string of plain digits."""
    if isinstance(value, str):
        return PLAIN_AMOUNT.fullmatch(value) is not None
    return is_finite_number(value)


def is_finite_number(value: object) -> bool:
    """W3: a JSON number that can be written without exponent; not a boolean, NaN or infinity."""
    number = decimal_of(value)
    if number is None:
        return False
    try:
        plain_number(number)
    except UnwritableError:
        return False
    return True


def canonical_amount(amount: object) -> str:
    """An amount (`is_plain_amount`) as digits: the same for 9.9, "9.90" and "09.9"."""
    text = amount if isinstance(amount, str) else plain_number(decimal_of(amount) or Decimal(0))
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits = f"{whole.lstrip('0') or '0'}.{fraction.rstrip('0')}".removesuffix(".")
    return f"-{digits}" if text.startswith("-") and digits != "0" else digits


def check_currency(value: object, rule: str, field: str, findings: Findings) -> str | None:
    """M5, W4: the currency code to send; None if absent or rejected."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        findings.reject(rule, field, "must be a three-letter ISO 4217 code as a string, like USD")
        return None
    code = value.upper() if value.isascii() else value
    if code not in LISTED_CURRENCIES and code not in NEWER_CURRENCIES:
        findings.reject(rule, field, _unknown_currency(code))
        return None
    if code != value:
        findings.repair(rule, field, "lower case; sent in upper case")
    if code in NEWER_CURRENCIES:
        findings.warn(
            rule, field, "a valid ISO 4217 code, but newer than AppsFlyer's list: check the report"
        )
    return code


def _unknown_currency(code: str) -> str:
    # Any two codes of three letters are similar, so only a longer or a transposed code gets a hint.
    similar = [
        listed
        for listed in sorted(LISTED_CURRENCIES)
        if code.startswith(listed) or sorted(listed) == sorted(code[:4])
    ]
    hint = f"; did you mean {similar[0]}?" if similar else ""
    return f"not a currency that AppsFlyer lists (three-letter ISO 4217, like USD){hint}"
