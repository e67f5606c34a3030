"""Every currency with another number of decimal places than two, for those who write major units.

The numbers are those of ISO 4217.
"""

from decimal import Decimal

from relay.domain.movements import Movement
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.payments.providers import revenuecat, standard_webhooks
from relay.payments.providers.major_units import fits, rounded
from tests.support.every import every

_AMOUNTS = {
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF": "1234",
    "BHD IQD JOD KWD LYD OMR TND": "1.234",
    "CLF UYW": "0.1234",
    # Others differ at some providers, or seem to have none.
    "CVE EUR HUF IDR MGA MRO MRU TWD USD": "12.34",
}
_CASES = [(code, amount) for codes, amount in _AMOUNTS.items() for code in codes.split()]
_EACH = every("currency, amount", _CASES)


def settings(provider: str, **minor_units: int) -> SourceSettings:
    return SourceSettings(provider=provider, apps=SourceApps(), minor_units=minor_units)


def by_revenuecat(currency: str, price: Decimal, **minor_units: int) -> str:
    content = {
        "transaction_id": "t-1",
        "purchased_at_ms": 1793001600000,
        "price_in_purchased_currency": price,
        "currency": currency,
    }
    given = settings("revenuecat", **minor_units)
    return gross(revenuecat.interpret("RENEWAL", content, given).movement)


def gross(movement: Movement | None) -> str:
    assert movement is not None
    assert movement.amount is not None
    return str(movement.amount.gross)


@_EACH
def test_revenuecat_price_has_the_places_of_its_currency(currency: str, amount: str) -> None:
    # A double may be a hair off what was paid.
    assert by_revenuecat(currency, Decimal(amount) + Decimal("1e-13")) == amount


@_EACH
def test_billing_amount_has_the_places_of_its_currency(currency: str, amount: str) -> None:
    content = {
        "timestamp": "2026-11-22T12:00:00Z",
        "data": {"id": "c-1", "amount": amount, "currency": currency},
    }

    understood = standard_webhooks.interpret(
        "payment.purchase", content, settings("standard_webhooks")
    )

    assert gross(understood.movement) == amount


@_EACH
def test_amount_with_one_more_place_cannot_be_paid(currency: str, amount: str) -> None:
    finer = Decimal(amount) + Decimal(amount).scaleb(-len(amount))

    assert fits(currency, Decimal(amount), {})
    assert not fits(currency, finer, {})


def test_settings_of_the_source_win_over_iso() -> None:
    assert by_revenuecat("UGX", Decimal("12.345"), UGX=2) == "12.35"


@every("amount, expected", [("4.995", "5.00"), ("4.994", "4.99"), ("5", "5.00"), ("0", "0.00")])
def test_rounded_is_half_a_unit_up(amount: str, expected: str) -> None:
    assert str(rounded("USD", Decimal(amount), {})) == expected
