"""The revenue that AppsFlyer finds in a mobile event: the guide's own examples, and losses."""

from __future__ import annotations

import pytest

from relay_sandbox.stand_in.mobile_money import read_money
from tests.support.every import every


def _event(event_value: object, currency: object = "USD") -> dict[str, object]:
    return {"eventValue": event_value, "eventCurrency": currency}


@every(
    "written, amount",
    [
        ("123", "123"),
        ("-123.45", "-123.45"),
        ("123.456", "123.456"),
        ('"123"', "123"),
        ('"-123.45"', "-123.45"),
        ('"49.90"', "49.90"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("12345678901234567890.01", "12345678901234567890.01"),
    ],
)
def test_money_in_plain_digits_is_kept_to_the_digit(written: str, amount: str) -> None:
    money = read_money(_event(f'{{"af_revenue":{written}}}'), "USD")

    assert (money.amount, money.currency) == (amount, "USD")


@every(
    "written",
    [
        '"1,234.56"',
        '"1,234"',
        '"$5"',
        '"5 USD"',
        '"1e3"',
        "1e3",
        "1.5E1",
        '"+5"',
        '".5"',
        '"5."',
        '""',
        '" "',
        '" 5"',
        "null",
        "true",
        "[5]",
        '"NaN"',
        '"\u0665"',
    ],
)
def test_money_in_any_other_spelling_is_lost_by_rule_m4(written: str) -> None:
    money = read_money(_event(f'{{"af_revenue":{written}}}'), "USD")

    assert money.amount is None
    assert money.why.startswith("M4")


@pytest.mark.parametrize(
    "event_value", ["no JSON", "[1]", "5", '{"af_revenue":NaN}', {"af_revenue": 5}, "[" * 100_000]
)
def test_money_in_a_value_that_is_no_object_in_a_string_is_lost_by_rule_m3(
    event_value: object,
) -> None:
    money = read_money(_event(event_value), "USD")

    assert money.amount is None
    assert money.why.startswith("M3")


@pytest.mark.parametrize("event_value", ["", "{}", '{"af_quantity":"2"}'])
def test_money_of_an_event_without_revenue_is_none_and_no_loss(event_value: str) -> None:
    money = read_money(_event(event_value), "USD")

    assert (money.amount, money.why) == (None, "the event has no af_revenue")


@pytest.mark.parametrize("currency", ["ABC", "usd", "", 840, "US"])
def test_money_in_a_currency_that_is_not_listed_is_lost_by_rule_m5(currency: object) -> None:
    money = read_money(_event('{"af_revenue":"5"}', currency), "USD")

    assert (money.amount, money.currency) == (None, None)
    assert money.why.startswith("M5")


@pytest.mark.parametrize("currency", ["EUR", "XCG", "SLE"])
def test_money_in_a_listed_or_newer_currency_is_kept(currency: str) -> None:
    assert read_money(_event('{"af_revenue":"5"}', currency), "USD").currency == currency


def test_money_without_a_currency_is_in_the_apps_default() -> None:
    money = read_money({"eventValue": '{"af_revenue":"5"}'}, "SEK")

    assert (money.amount, money.currency) == ("5", "SEK")
    assert money.why.startswith("M5")
