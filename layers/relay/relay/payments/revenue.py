"""Reported revenue: how much of an amount is reported to an app. Pure and exact: no floats."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple, cast

from relay.domain.movements import Amount, Basis
from relay.domain.payment_rules import PaymentRules
from relay.payments.errors import RevenueUnknownError
from relay.stores.decision import Decision


class Money(NamedTuple):
    """Amounts as a decision stores them: texts in major units, never negative."""

    currency: str | None = None
    gross: str | None = None
    revenue: str | None = None
    basis: Basis | None = None


NO_MONEY: Final = Money()


def money_paid(amount: Amount, rules: PaymentRules) -> Money:
    """The money of a payment, on the app's basis; raises `RevenueUnknownError`."""
    if rules.revenue == "none":
        return money_unreported(amount)
    revenue = amount.on(rules.revenue)
    if rules.revenue != "gross" and not amount.is_in_order():
        raise RevenueUnknownError(
            f"the provider's amounts contradict each other, so there is no {rules.revenue}: "
            "net_of_tax_and_fee must be at most net_of_tax, and that at most gross"
        )
    if revenue is None:
        raise RevenueUnknownError(f"the provider does not tell {rules.revenue}")
    return Money(amount.currency, amount_text(amount.gross), amount_text(revenue), rules.revenue)


def money_unreported(amount: Amount) -> Money:
    """Money of which no revenue is reported to the app."""
    return Money(amount.currency, amount_text(amount.gross))


def money_returned(
    amount: Amount | None, original: Decision, returned_before: Decimal = Decimal(0)
) -> Money:
    """The money that a return takes of a payment, or a reversal brings back, on its basis.

    Without an amount it is all of the original. `returned_before`: the gross amount that earlier
    returns took of the payment. Net amounts that the return's notice tells are not used: a fee that
    is kept, or a tax that was rounded, would make the parts more or less than the whole. Raises
    `RevenueUnknownError`.
    """
    basis = cast("Basis | None", original.basis)
    if amount is None:
        return Money(original.currency, original.gross, original.revenue, basis)
    if basis is None:
        return money_unreported(amount)
    gross = amount.gross
    revenue = gross if basis == "gross" else _proportional(gross, original, returned_before)
    return Money(amount.currency, amount_text(gross), amount_text(revenue), basis)


def money_brought_back(
    returned: Decision, payment: Decision | None, returned_before: Decimal
) -> Money:
    """The money that a reversal brings back: what its return took, to the last place.

    On a net basis it is what the returns that are left took less, so that they still add up.
    """
    exact = money_returned(None, returned)
    if payment is None or returned.gross is None or exact.basis in (None, "gross"):
        return exact
    gross = Decimal(returned.gross)
    return exact._replace(
        revenue=amount_text(_proportional(gross, payment, returned_before - gross))
    )


def _proportional(gross: Decimal, original: Decision, returned_before: Decimal) -> Decimal:
    """A part's revenue in proportion to its gross amount, rounded half up.

    Rounded together with the earlier parts, so that parts of the whole add up to the whole.
    """
    original_gross, original_revenue = Decimal(original.gross or 0), Decimal(original.revenue or 0)
    if not original_gross:
        raise RevenueUnknownError("the original was of nothing, so nothing is in proportion to it")
    places = gross + original_revenue  # a sum has as many places as the finer of the two

    def share(part: Decimal) -> Decimal:
        return (part * original_revenue / original_gross).quantize(places, ROUND_HALF_UP)

    return share(returned_before + gross) - share(returned_before)


def amount_text(amount: Decimal) -> str:
    """An amount as plain digits, with all the decimal places it came with."""
    return f"{amount:f}"
