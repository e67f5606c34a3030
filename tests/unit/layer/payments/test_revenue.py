from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from relay.domain.movements import Amount, MovementKind
from relay.domain.payment_rules import PaymentRules
from relay.payments.errors import RevenueUnknownError
from relay.payments.revenue import (
    Money,
    money_brought_back,
    money_paid,
    money_returned,
    money_unreported,
)
from relay.stores.decision import Decision
from tests.support.every import every

FULL = Amount("EUR", Decimal("59.49"), Decimal("49.99"), Decimal("46.51"))
GROSS_ONLY = Amount("EUR", Decimal("59.49"))


def rules(revenue: Any) -> PaymentRules:
    return PaymentRules(revenue=revenue)


@every(
    "basis, expected",
    [("gross", "59.49"), ("net_of_tax", "49.99"), ("net_of_tax_and_fee", "46.51")],
)
def test_payment_is_told_on_the_basis_of_the_app(basis: Any, expected: str) -> None:
    assert money_paid(FULL, rules(basis)) == Money("EUR", "59.49", expected, basis)


def test_payment_without_revenue_keeps_what_it_was() -> None:
    assert money_paid(FULL, rules("none")) == money_unreported(FULL) == Money("EUR", "59.49")


@every("basis", ["net_of_tax", "net_of_tax_and_fee"])
def test_payment_on_a_basis_that_is_not_told_is_no_guess(basis: Any) -> None:
    with pytest.raises(RevenueUnknownError, match=f"^the provider does not tell {basis}$"):
        money_paid(GROSS_ONLY, rules(basis))


@every(
    "amount, expected",
    [
        ("500", "500"),
        ("1E+3", "1000"),
        ("0.50", "0.50"),
        ("12.345", "12.345"),
        ("7E-8", "0.00000007"),
    ],
)
def test_amount_is_plain_digits_with_the_places_it_came_with(amount: str, expected: str) -> None:
    assert money_paid(Amount("JPY", Decimal(amount)), rules("gross")).revenue == expected


@every("net", [("60.00", "46.51"), ("59.50", None), ("49.99", "50.00")])
def test_amounts_that_contradict_each_other_are_reported_gross_or_not_at_all(
    net: tuple[str, str | None],
) -> None:
    amount = Amount(
        "EUR", Decimal("59.49"), *(None if one is None else Decimal(one) for one in net)
    )

    assert money_paid(amount, rules("gross")).revenue == "59.49"
    for basis in ("net_of_tax", "net_of_tax_and_fee"):
        with pytest.raises(RevenueUnknownError, match=f"contradict each other.* no {basis}: net"):
            money_paid(amount, rules(basis))


# Given back


def original(basis: str | None, gross: str | None, revenue: str | None) -> Decision:
    return Decision(
        kind=MovementKind.RENEWAL,
        id="in_1",
        at=0,
        decided_at=0,
        surface="mobile",
        app_id="id1",
        currency="EUR",
        gross=gross,
        revenue=revenue,
        basis=basis,
    )


def test_refund_without_an_amount_is_all_of_the_original() -> None:
    whole = original("net_of_tax", "59.49", "49.99")

    assert money_returned(None, whole) == Money("EUR", "59.49", "49.99", "net_of_tax")


def test_refund_is_told_on_the_basis_of_its_original() -> None:
    whole = original("net_of_tax", "118.98", "99.98")

    assert money_returned(FULL, whole) == Money("EUR", "59.49", "49.99", "net_of_tax")


@every(
    "gross, expected",
    [
        ("20.00", "16.81"),  # 20.00 x 49.99 / 59.49 = 16.806...
        ("39.49", "33.18"),  # 33.183...
        ("59.49", "49.99"),
        ("0.01", "0.01"),  # 0.0084
    ],
)
def test_refund_of_which_only_the_gross_is_told_is_in_the_originals_proportion(
    gross: str, expected: str
) -> None:
    whole = original("net_of_tax", "59.49", "49.99")

    assert money_returned(Amount("EUR", Decimal(gross)), whole).revenue == expected


@every(
    "paid_gross, paid_net, back, expected",
    [
        ("1000", "909", "500", "455"),  # 454.5 yen: half a unit up
        ("10.000", "9.091", "5.000", "4.546"),  # 4.5455 dinars
        ("10", "9.09", "5", "4.55"),  # 4.545: the finer places of the two
        ("10.00", "9", "5.00", "4.50"),
    ],
)
def test_proportion_has_the_places_of_the_currency(
    paid_gross: str, paid_net: str, back: str, expected: str
) -> None:
    whole = original("net_of_tax", paid_gross, paid_net)

    assert money_returned(Amount("EUR", Decimal(back)), whole).revenue == expected


@every(
    "parts", [["19.83"] * 3, ["0.01"] * 10 + ["59.39"], ["59.48", "0.01"], ["7.77"] * 7 + ["5.10"]]
)
def test_parts_that_make_up_the_whole_add_up_to_it(parts: list[str]) -> None:
    whole = original("net_of_tax", "59.49", "49.99")
    before, told = Decimal(0), Decimal(0)

    for part in parts:
        revenue = money_returned(Amount("EUR", Decimal(part)), whole, before).revenue
        before, told = before + Decimal(part), told + Decimal(revenue or 0)

    assert before == Decimal("59.49")
    assert told == Decimal("49.99")


@every("returned_before, expected", [("59.49", "16.81"), ("39.49", "16.80"), ("20.00", "16.81")])
def test_reversal_brings_back_what_the_returns_that_are_left_took_less(
    returned_before: str, expected: str
) -> None:
    """16.81, 16.80 and 16.38 were taken, in this order or another: they make up 49.99."""
    payment = original("net_of_tax", "59.49", "49.99")
    taken = replace(original("net_of_tax", "20.00", "16.81"), kind=MovementKind.REFUND)

    back = money_brought_back(taken, payment, Decimal(returned_before))

    assert back == Money("EUR", "20.00", expected, "net_of_tax")
    assert money_brought_back(taken, None, Decimal(returned_before)).revenue == "16.81"


def test_refund_of_what_was_told_without_revenue_is_without_revenue() -> None:
    assert money_returned(FULL, original(None, "59.49", None)) == Money("EUR", "59.49")


def test_refund_in_proportion_to_nothing_is_no_guess() -> None:
    with pytest.raises(RevenueUnknownError):
        money_returned(GROSS_ONLY, original("net_of_tax", "0.00", "0.00"))
