"""Money: amounts that AppsFlyer accepts, where it sees them, and currencies (M4, M5, W3, W4)."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from relay.domain.findings import Findings
from relay.exact_json import UnwritableError, decimal_of, plain_number
from relay.rules.leniency import PLAIN_AMOUNT, ascii_lower, ascii_upper, is_placeholder, trim
from relay.rules.names import fold

_MOST_DECIMALS: Final = 5
"""M4: more digits after the point may be cut."""

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

WEB_CURRENCIES: Final = frozenset({"BTC", "BYR", "CNH", "GGP", "IMP", "JEP", "MRO", "STD", "VEF"})
"""W4: codes that only AppsFlyer's list for web has: sent with a warning there."""

_REPLACED: Final = {"BYR": "BYN", "MRO": "MRU", "STD": "STN", "VEF": "VES"}
"""Codes that are no longer in use, and what has replaced them."""

# Amounts


def is_plain_amount(value: object) -> bool:
    """M4: whether AppsFlyer accepts this as revenue: a JSON number, or a string of plain digits."""
    if isinstance(value, str):
        return PLAIN_AMOUNT.fullmatch(value) is not None
    return is_finite_number(value)


def is_finite_number(value: object) -> bool:
    """A JSON number that can be written without exponent; not a boolean, NaN or infinity."""
    number = decimal_of(value)
    if number is None:
        return False
    try:
        plain_number(number)
    except UnwritableError:
        return False
    return True


def is_web_amount(value: object) -> bool:
    """W3: a JSON number that is finite as a double too."""
    return is_finite_number(value) and math.isfinite(float(decimal_of(value) or 0))


def canonical_amount(amount: object) -> str:
    """An amount (`is_plain_amount`) as digits: the same for 9.9, "9.90" and "09.9"."""
    text = amount if isinstance(amount, str) else plain_number(decimal_of(amount) or Decimal(0))
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits = f"{whole.lstrip('0') or '0'}.{fraction.rstrip('0')}".removesuffix(".")
    return f"-{digits}" if text.startswith("-") and digits != "0" else digits


def _decimals(amount: object) -> int:
    """How many digits an amount has after the point, as it is sent."""
    if isinstance(amount, str):
        return len(amount.partition(".")[2])
    exponent = (decimal_of(amount) or Decimal(0)).as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


# The money of a mobile event's value

_REVENUE: Final = "af_revenue"
_PLAIN_NAMES: Final = frozenset({"revenue", "afrevenue"})


_NOTHING: Final[dict[str, Any]] = {}


class MoneyRead(NamedTuple):
    """What the look for the money of an event's value found (M4)."""

    value: dict[str, Any] = _NOTHING
    """The event's value, `af_revenue` under its right name."""
    is_at_the_top: bool = False
    """Whether AppsFlyer sees an `af_revenue`."""
    is_rejected: bool = False
    amount: object = None
    """The amount that makes the event one that carries revenue; None if it does not."""


def look_for_money(value: dict[str, Any], field: str, findings: Findings) -> MoneyRead:
    """M4, with its table of money in the wrong place: the first row that fits."""
    if _REVENUE in value:
        return _seen_money(value, field, findings, is_renamed=False)
    spelt = [name for name in value if _is_revenue(name)]
    if not spelt:
        return _unseen_money(value, field, findings)
    if len(spelt) > 1:
        findings.reject(
            "M4", f"{field}.{_REVENUE}", "is there in several spellings, and which amount is "
            "meant cannot be told: send it once, as af_revenue",
        )  # fmt: skip
        return MoneyRead(value, is_rejected=True)
    renamed = {_REVENUE if name == spelt[0] else name: item for name, item in value.items()}
    return _seen_money(renamed, field, findings, is_renamed=True)


def _seen_money(
    value: dict[str, Any], field: str, findings: Findings, *, is_renamed: bool
) -> MoneyRead:
    revenue, name = value[_REVENUE], f"{field}.{_REVENUE}"
    if not is_plain_amount(revenue):
        findings.reject(
            "M4", name, "is no plain amount, and AppsFlyer would lose the money: digits, an "
            "optional leading -, an optional decimal point, like -123.45",
        )  # fmt: skip
        return MoneyRead(value, is_rejected=True)
    if is_renamed:
        findings.repair("M4", name, "was spelt in another way, which AppsFlyer does not see")
    if _decimals(revenue) > _MOST_DECIMALS:
        findings.warn(
            "M4", name, f"has more than {_MOST_DECIMALS} digits after the point: AppsFlyer may "
            "cut the rest",
        )  # fmt: skip
    return MoneyRead(value, is_at_the_top=True, amount=revenue)


def _unseen_money(value: dict[str, Any], field: str, findings: Findings) -> MoneyRead:
    amounts = [item for name, item in value.items() if fold(name) in _PLAIN_NAMES]
    amounts += _amounts_below(value)
    if not amounts:
        return MoneyRead(value)
    findings.warn(
        "M4", field, "holds an amount where AppsFlyer does not see it: it reads revenue only as "
        "af_revenue at the top of the event value; move it there if it is the event's money",
    )  # fmt: skip
    return MoneyRead(value, amount=next(filter(is_plain_amount, amounts), None))


def _amounts_below(value: Mapping[str, Any]) -> Iterator[Any]:
    """What stands under any spelling of `af_revenue` below the top of a value."""
    pending = [item for item in value.values() if isinstance(item, (dict, list))]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield from (inner for name, inner in item.items() if _is_revenue(name))
        inside = item.values() if isinstance(item, dict) else item
        pending.extend(inner for inner in inside if isinstance(inner, (dict, list)))


def _is_revenue(name: str) -> bool:
    return ascii_lower(trim(name)) == _REVENUE


# Currencies


def check_currency(
    value: object, rule: str, field: str, findings: Findings, more: frozenset[str] = frozenset()
) -> str | None:
    """M5, W4: the currency code to send; None if rejected. `more` are further codes to take."""
    if not isinstance(value, str):
        findings.reject(rule, field, "must be a three-letter ISO 4217 code as a string, like USD")
        return None
    code = ascii_upper(value)
    is_listed = code in LISTED_CURRENCIES
    if not is_listed and code not in NEWER_CURRENCIES and code not in more:
        findings.reject(rule, field, _unknown_currency(code))
        return None
    if code != value:
        findings.repair(rule, field, "lower case; sent in upper case")
    if not is_listed:
        warn_of_unlisted_currency(code, rule, field, findings)
    return code


def warn_of_unlisted_currency(code: str, rule: str, field: str, findings: Findings) -> None:
    """M5, W4: a code that is sent although AppsFlyer may not know it here."""
    findings.warn(
        rule, field, "is a valid ISO 4217 code, but newer than AppsFlyer's list: check the report"
        if code in NEWER_CURRENCIES
        else "is a code that AppsFlyer lists for web alone, and some of these are no longer in "
        "use: check the report",
    )  # fmt: skip


def currency_inside(value: Mapping[str, Any]) -> str | None:
    """M5: the `af_currency` at the top of an event's value, in upper case; None if it is none."""
    named = value.get("af_currency")
    if not isinstance(named, str):
        return None
    code = trim(named)
    return None if not code or is_placeholder(code) else ascii_upper(code)


def is_known_currency(code: str) -> bool:
    """M5: whether a code may be sent, perhaps with a warning."""
    return code in LISTED_CURRENCIES or code in NEWER_CURRENCIES


def _unknown_currency(code: str) -> str:
    # No hint by likeness: any two codes are alike, and a wrong one would cost money.
    hint = f"; {_REPLACED[code]} has replaced it" if code in _REPLACED else ""
    return f"is not a currency that AppsFlyer lists (three-letter ISO 4217, like USD){hint}"
