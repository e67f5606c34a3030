"""How much of a movement's money an app hears of. Pure and exact: never a float."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple, cast

from relay.domain.movements import Amount, Basis
from relay.domain.payment_rules import PaymentRules
from relay.payments.errors import RevenueUnknownError
from relay.stores.decision import Decision


class Money(NamedTuple):
    """Amounts as a decision keeps them: texts in major units, never negative."""

    currency: str | None = None
    gross: str | None = None
    revenue: str | None = None
    basis: Basis | None = None


NO_MONEY: Final = Money()


def money_paid(amount: Amount, rules: PaymentRules) -> Money:
    """A payment, on the basis that an app asks for; raises `RevenueUnknownError`."""
    if rules.revenue == "none":
        return money_unreported(amount)
    revenue = amount.on(rules.revenue)
    if revenue is None:
        raise RevenueUnknownError(f"the provider does not tell {rules.revenue}")
    return Money(amount.currency, amount_text(amount.gross), amount_text(revenue), rules.revenue)


def money_unreported(amount: Amount) -> Money:
    """Money of which an app hears nothing."""
    return Money(amount.currency, amount_text(amount.gross))


def money_returned(
    amount: Amount | None, original: Decision, returned_before: Decimal = Decimal(0)
) -> Money:
    """What is taken back of a payment, on the basis that the payment was told on.

    Without an amount it is all of the original; so is what a reversal brings back of a refund.
    `before`: the gross amount of what was taken back of the payment earlier.
    """
    basis = cast("Basis | None", original.basis)
    if amount is None:
        return Money(original.currency, original.gross, original.revenue, basis)
    if basis is None:
        return money_unreported(amount)
    revenue = amount.on(basis)
    if revenue is None:
        revenue = _proportional_revenue(amount.gross, original, returned_before)
    return Money(amount.currency, amount_text(amount.gross), amount_text(revenue), basis)


def _proportional_revenue(gross: Decimal, original: Decision, returned_before: Decimal) -> Decimal:
    """Where only the gross is told: as much of it as of the original, half a unit up.

    Rounded together with what went before, so that parts which make up the whole add up to it.
    """
    original_gross, original_revenue = Decimal(original.gross or 0), Decimal(original.revenue or 0)
    if not original_gross:
        raise RevenueUnknownError("the original was of nothing, so nothing is in proportion to it")
    places = gross + original_revenue  # a sum has the finer places of the two

    def share(part: Decimal) -> Decimal:
        return (part * original_revenue / original_gross).quantize(places, ROUND_HALF_UP)

    return share(returned_before + gross) - share(returned_before)


def amount_text(amount: Decimal) -> str:
    """Digits alone, with the places that the amount came with."""
    return f"{amount:f}"
