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


def paid(amount: Amount, rules: PaymentRules) -> Money:
    """A payment, on the basis that an app asks for; raises `RevenueUnknownError`."""
    if rules.revenue == "none":
        return unreported(amount)
    revenue = amount.on(rules.revenue)
    if revenue is None:
        raise RevenueUnknownError(f"the provider does not tell {rules.revenue}")
    return Money(amount.currency, plain(amount.gross), plain(revenue), rules.revenue)


def unreported(amount: Amount) -> Money:
    """Money of which an app hears nothing."""
    return Money(amount.currency, plain(amount.gross))


def given_back(amount: Amount | None, original: Decision, before: Decimal = Decimal(0)) -> Money:
    """What is taken back of a payment, on the basis that the payment was told on.

    Without an amount it is all of the original; so is what a reversal brings back of a refund.
    `before`: the gross amount of what was taken back of the payment earlier.
    """
    basis = cast("Basis | None", original.basis)
    if amount is None:
        return Money(original.currency, original.gross, original.revenue, basis)
    if basis is None:
        return unreported(amount)
    revenue = amount.on(basis)
    if revenue is None:
        revenue = _in_proportion(amount.gross, original, before)
    return Money(amount.currency, plain(amount.gross), plain(revenue), basis)


def _in_proportion(gross: Decimal, original: Decision, before: Decimal) -> Decimal:
    """Where only the gross is told: as much of it as of the original, half a unit up.

    Rounded together with what went before, so that parts which make up the whole add up to it.
    """
    whole, counted = Decimal(original.gross or 0), Decimal(original.revenue or 0)
    if not whole:
        raise RevenueUnknownError("the original was of nothing, so nothing is in proportion to it")
    places = gross + counted  # a sum has the finer places of the two

    def share(of: Decimal) -> Decimal:
        return (of * counted / whole).quantize(places, ROUND_HALF_UP)

    return share(before + gross) - share(before)


def plain(amount: Decimal) -> str:
    """Digits alone, with the places that the amount came with."""
    return f"{amount:f}"
