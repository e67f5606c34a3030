import json
from decimal import Decimal
from pathlib import Path

from relay.domain.findings import Findings
from relay.rules.money import (
    LISTED_CURRENCIES,
    WEB_CURRENCIES,
    check_currency,
    is_finite_number,
    is_plain_amount,
)
from tests.support.every import every

DATA = Path(__file__).parents[3] / "data"


def found(findings: Findings) -> list[tuple[str, str]]:
    return [(item.severity.value, item.rule) for item in findings.as_tuple()]


@every(
    "value",
    [
        "123",
        "-123.45",
        "123.456",
        "0",
        "-0",
        "007",
        "0.0",
        "9" * 500,
        0,
        -5,
        Decimal("49.90"),
        Decimal("1E+3"),
        Decimal("1E+399"),
        10**30,
        0.1 + 0.2,
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:24]}",
)
def test_is_plain_amount_digits_and_json_numbers_are_amounts(value: object) -> None:
    """M4."""
    assert is_plain_amount(value)


@every(
    "value",
    [
        "",
        " ",
        "1,234.56",
        "1,234",
        "$5",
        "5 USD",
        "1e3",
        "1E3",
        "+5",
        ".5",
        "5.",
        "-",
        "--5",
        "- 5",
        " 5",
        "5 ",
        "5\n",
        "1.2.3",
        "1_000",
        "0x10",
        "NaN",
        "Infinity",
        "１２３",
        "٣",
        "5\x00",
        "\ud800",
        True,
        False,
        None,
        [5],
        {"amount": 5},
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("1E+401"),
        10**5_000,
    ],
    ids=lambda value: (
        f"{type(value).__name__}-{value!r:.24}" if value != 10**5_000 else "int-of-5001-digits"
    ),
)
def test_is_plain_amount_anything_else_is_none(value: object) -> None:
    """M4."""
    assert not is_plain_amount(value)


@every("value", ["5", "", True, None, float("nan"), float("-inf"), [], {}])
def test_is_finite_number_what_is_no_json_number_is_refused(value: object) -> None:
    """W3."""
    assert not is_finite_number(value)


def test_listed_currencies_are_the_ones_appsflyer_publishes() -> None:
    """M5."""
    published = json.loads((DATA / "appsflyer_currencies.json").read_text("utf-8"))

    assert sorted(LISTED_CURRENCIES) == sorted(published)
    assert len(LISTED_CURRENCIES) == 179


@every(
    "value, code, findings",
    [
        ("USD", "USD", []),
        ("usd", "USD", [("repair", "M5")]),
        ("Eur", "EUR", [("repair", "M5")]),
        ("SLE", "SLE", [("warn", "M5")]),
        ("VED", "VED", [("warn", "M5")]),
        ("XCG", "XCG", [("warn", "M5")]),
        ("zwg", "ZWG", [("repair", "M5"), ("warn", "M5")]),
        (" USD", None, [("reject", "M5")]),
        ("USD\n", None, [("reject", "M5")]),
        ("US", None, [("reject", "M5")]),
        ("USDT", None, [("reject", "M5")]),
        ("ＵＳＤ", None, [("reject", "M5")]),
        ("ıls", None, [("reject", "M5")]),  # its capital is I: not to be taken for ILS
        ("ﬀ", None, [("reject", "M5")]),
        ("\ud800", None, [("reject", "M5")]),
        ("x" * 65_536, None, [("reject", "M5")]),
        (840, None, [("reject", "M5")]),
        (True, None, [("reject", "M5")]),
        (["USD"], None, [("reject", "M5")]),
        ({"code": "USD"}, None, [("reject", "M5")]),
    ],
    ids=lambda value: f"{value!r:.24}",
)
def test_check_currency_value_gives_the_code_to_send(
    value: object, code: str | None, findings: list[tuple[str, str]]
) -> None:
    heard = Findings()

    assert check_currency(value, "M5", "eventCurrency", heard) == code
    assert found(heard) == findings


def test_check_currency_hints_at_what_replaced_a_code_and_never_at_a_likeness() -> None:
    """A wrong hint would cost money: MRO is neither MRU's amount by ten, nor OMR."""
    said = {}
    for code in ("MRO", "GPB", "EURO", "USDT", "UDS", "dollars"):
        heard = Findings()
        check_currency(code, "M5", "eventCurrency", heard)
        said[code] = heard.as_tuple()[0].message.partition("; ")[2]

    assert said == {**dict.fromkeys(said, ""), "MRO": "MRU has replaced it"}


def test_web_takes_codes_that_mobile_does_not() -> None:
    """W4."""
    mobile, web = Findings(), Findings()

    assert check_currency("BTC", "M5", "eventCurrency", mobile) is None
    assert check_currency("btc", "W4", "event_revenue_currency", web, WEB_CURRENCIES) == "BTC"
    assert found(web) == [("repair", "W4"), ("warn", "W4")]
