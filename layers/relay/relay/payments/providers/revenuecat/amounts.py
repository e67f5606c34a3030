"""Amounts of RevenueCat's: a price, and what tax and the store's commission leave of it.

Amounts are in the buyer's currency; `price`, in US dollars, is only for a payment whose own price
or currency is not known. Tax and commission come as estimated shares of the price, so the net
amounts are price x (1 - tax) and price x (1 - tax - commission). Each is rounded once, half up, to
the currency's places by ISO 4217 (or by the source's `minor_units`).
"""

from decimal import Decimal
from typing import Final

from relay.domain.movements import Amount
from relay.errors import UnreadableWebhookError
from relay.payments.providers.major_units import rounded
from relay.payments.providers.parsing import currency, number_or_none, text_or_none
from relay.payments.providers.revenuecat.event import PRICE, Event

_DOLLARS: Final = "USD"


def price_paid(event: Event) -> tuple[Decimal | None, str | None]:
    """A payment's price and its currency; None if neither of the two prices is known."""
    price = event.price
    if price is not None and (not price or text_or_none(event.content, "currency")):
        return price, None
    dollars = number_or_none(event.content, "price")
    return (price, None) if dollars is None else (dollars, _DOLLARS)


def amount_paid(event: Event, price: Decimal, code: str | None) -> Amount:
    """A payment on each basis that is told."""
    code = code or currency(event.content, "currency")
    places = event.settings.minor_units
    net_of_tax, net_of_both = _net_shares(event)
    return Amount(
        code,
        rounded(code, price, places),
        None if net_of_tax is None else rounded(code, price * net_of_tax, places),
        None if net_of_both is None else rounded(code, price * net_of_both, places),
    )


def amount_returned(event: Event) -> Amount | None:
    """What a refund or its reversal is about; None if it does not say how much.

    Gross alone: what tax and commission are of it follows from the payment, so that what is given
    back is exactly what was reported.
    """
    if not event.price or not text_or_none(event.content, "currency"):
        return None
    code = currency(event.content, "currency")
    return Amount(code, rounded(code, abs(event.price), event.settings.minor_units))


def _net_shares(event: Event) -> tuple[Decimal | None, Decimal | None]:
    """The shares of a price that remain without tax, and without tax and commission."""
    tax, commission = _share(event, "tax_percentage"), _share(event, "commission_percentage")
    if tax is None:
        return None, None
    if commission is None:
        return 1 - tax, None
    return 1 - tax, 1 - tax - commission if tax + commission <= 1 else None


def _share(event: Event, path: str) -> Decimal | None:
    """An estimated share; None for what is none, since the price does not hang on it."""
    share = number_or_none(event.content, path)
    return share if share is not None and 0 <= share <= 1 else None


def below_zero(price: Decimal | None) -> None:
    """Refuses a payment that takes money away."""
    if price is not None and price < 0:
        raise UnreadableWebhookError(f"{PRICE} of a payment is below zero")
