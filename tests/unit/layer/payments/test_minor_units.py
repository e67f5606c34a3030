"""Every currency that a provider treats in a way of its own, and what 1234 of it is."""

from decimal import Decimal

import pytest

from relay.domain.movements import Amount
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.places import PLACES as ADYEN
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.paddle.places import PLACES as PADDLE
from relay.payments.providers.stripe.places import PLACES as STRIPE
from tests.support.every import every

PLACES = {"stripe": STRIPE, "paddle": PADDLE, "adyen": ADYEN}

_NONE = "BIF DJF GNF JPY KMF KRW PYG RWF VND VUV XAF XOF XPF"
_CASES: dict[tuple[str, str], str] = {
    # Stripe's list of currencies without decimals, in full; and those that only seem to be.
    ("stripe", f"{_NONE} CLP MGA"): "1234",
    ("stripe", "BHD JOD KWD OMR TND"): "1.234",
    ("stripe", "ISK UGX HUF TWD USD EUR GBP CVE IDR MRO"): "12.34",
    # Paddle sells in no other currency without decimals.
    ("paddle", "JPY KRW VND CLP"): "1234",
    ("paddle", "USD EUR GBP HUF TWD ISK COP IDR"): "12.34",
    # Adyen differs from ISO 4217 in five.
    ("adyen", f"{_NONE} CVE IDR UGX"): "1234",
    ("adyen", "CLP ISK"): "12.34",
    ("adyen", "MRO"): "123.4",
    ("adyen", "BHD IQD JOD KWD LYD OMR TND"): "1.234",
    ("adyen", "USD EUR GBP HUF TWD MGA MRU"): "12.34",
}


@every(
    "provider, currency, major",
    [
        (provider, currency, major)
        for (provider, currencies), major in _CASES.items()
        for currency in currencies.split()
    ],
)
def test_from_minor_currency_has_the_places_of_its_provider(
    provider: str, currency: str, major: str
) -> None:
    assert str(from_minor(PLACES[provider], currency, 1234, {})) == major


@every(
    "currency, minor, major",
    [
        ("USD", 1000, "10.00"),
        ("USD", 5, "0.05"),
        ("USD", 0, "0.00"),
        ("JPY", 500, "500"),
        ("JPY", 0, "0"),
        ("KWD", 1250, "1.250"),
        ("ISK", 500, "5.00"),
        ("USD", 999_999_999_999_999_999, "9999999999999999.99"),
        ("XYZ", 1000, "10.00"),
    ],
)
def test_from_minor_amount_is_exact_with_all_its_places(
    currency: str, minor: int, major: str
) -> None:
    assert str(from_minor(STRIPE, currency, minor, {})) == major


@every(
    "currency, places, major",
    [("UGX", 2, "12.34"), ("USD", 0, "1234"), ("USD", 4, "0.1234"), ("ISK", 0, "1234")],
)
def test_from_minor_settings_of_the_source_win(currency: str, places: int, major: str) -> None:
    assert str(from_minor(STRIPE, currency, 1234, {currency: places, "EUR": 3})) == major


@every("currency", ["", "US", "usd", "USDT", "ＵＳＤ", "U$D", "USD\n", "ÄÖÜ"])
def test_from_minor_no_currency_is_unreadable(currency: str) -> None:
    with pytest.raises(UnreadableWebhookError, match="currency"):
        from_minor(STRIPE, currency, 1, {})


def test_from_minor_amount_below_zero_is_unreadable() -> None:
    with pytest.raises(UnreadableWebhookError, match="below zero"):
        from_minor(ADYEN, "USD", -1, {})


def test_amount_gives_each_basis_by_its_name() -> None:
    amount = Amount("EUR", Decimal("59.49"), Decimal("49.99"))

    assert amount.on("gross") == Decimal("59.49")
    assert amount.on("net_of_tax") == Decimal("49.99")
    assert amount.on("net_of_tax_and_fee") is None
