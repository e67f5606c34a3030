"""What holds for every payment provider of the registry, and for the one that is made up.

Tried with the samples that each brings. What only one of them does, its own file tests.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from relay.config.sources import NAME
from relay.domain.movements import Interpretation, Movement, MovementKind, ParsedWebhook, Treatment
from relay.domain.payment_rules import HintKeys, SourceSettings
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps, loads
from relay.payments.providers.registry import PROVIDERS as REGISTERED
from relay.payments.providers.registry import source_settings
from relay.payments.providers.samples import Json, TooFineError
from tests.support.every import every
from tests.support.providers import (
    METADATA,
    PROVIDERS,
    WEBHOOKS,
    at,
    body_of,
    order,
    places,
    purchase_of,
    put,
    samples_of,
    settings_of,
    webhooks_of,
)

PRIVATE = (
    *("jane", "Jane", "Roe", "10115", "'DE'", "visa", "4242", "card", "hosted", "EX-0", "pm_1"),
    *("https", "Premium", "Example", "example.com", "10.4", "fraudulent", "req_"),
    *("Customer request", "hmacSignature"),
)
MINOR_UNITS = ["stripe", "paddle", "adyen", "made_up"]

every_provider = every("name", PROVIDERS)


def told(name: str, webhook: Json, **settings: Any) -> ParsedWebhook:
    (found,) = PROVIDERS[name].parse(body_of(webhook), settings_of(name, **settings))
    return found


def understood(name: str, webhook: Json, **settings: Any) -> Interpretation:
    """By way of the queue: what is not on the allow-list is gone."""
    found = told(name, webhook, **settings)
    content = loads(dumps(found.content))
    return PROVIDERS[name].interpret(found.type, content, settings_of(name, **settings))


def movement_of(name: str, webhook: Json, **settings: Any) -> Movement:
    movement = understood(name, webhook, **settings).movement
    assert movement is not None
    return movement


# What a provider brings along


def test_names_of_sources_and_fields_belong_to_one_provider_each() -> None:
    """An entry of `sources` is one object, and each sandbox source has a parameter of its own."""
    sources = [samples_of(name).ACCOUNT.source for name in REGISTERED]
    general = set(SourceSettings.model_fields)
    own = [
        field for one in REGISTERED.values() for field in set(one.SETTINGS.model_fields) - general
    ]

    assert sorted(set(sources)) == sorted(sources)
    assert all(map(NAME.fullmatch, sources))
    assert sorted(set(own)) == sorted(own)
    assert set(source_settings().model_fields) == general | set(own)


def registered(name: str, **more: Any) -> SourceSettings:
    return source_settings().model_validate({"provider": name, "apps": {}} | more)


def test_settings_of_a_source_are_those_that_its_provider_reads() -> None:
    for name, provider in REGISTERED.items():
        assert isinstance(registered(name), provider.SETTINGS)


def test_settings_of_another_provider_are_read_and_change_nothing() -> None:
    settings = registered("paddle", one_off="payment_intent", paid_at="capture")
    body, parse = body_of(purchase_of("paddle")), REGISTERED["paddle"].parse

    assert (settings.one_off_source, settings.payment_event) == ("payment_intent", "capture")  # type: ignore[attr-defined] # of Stripe and Adyen
    assert parse(body, settings) == parse(body, registered("paddle"))


def test_settings_of_no_provider_are_refused() -> None:
    with pytest.raises(ValueError, match="'stripe', 'revenuecat', 'paddle'"):
        registered("braintree")
    with pytest.raises(ValueError, match="Extra inputs"):
        registered("stripe", two_off="checkout")


@every_provider
def test_samples_are_kinds_of_movements_and_each_is_one(name: str) -> None:
    """A payment that can be taken back is among them."""
    kinds = samples_of(name).KINDS
    moved = {
        kind
        for kind, build in kinds.items()
        for metadata in (METADATA, {})
        for webhook in build(order(name, kind, metadata=metadata))
        if understood(name, webhook).movement
    }

    assert moved == set(kinds)
    assert moved <= set(MovementKind)
    assert moved >= {"purchase", "refund"} or name == "made_up"


@every_provider
def test_samples_are_recognised_as_their_own_provider_s_and_no_other_s(name: str) -> None:
    recognised = {
        other
        for webhook in webhooks_of(name)
        for other in PROVIDERS
        if webhook.keys() >= samples_of(other).RECOGNISED_BY
    }

    assert recognised == {name}


@every_provider
@every("currency", ["EUR", "JPY"])
def test_samples_amount_that_cannot_be_paid_is_refused(name: str, currency: str) -> None:
    with pytest.raises(TooFineError):
        purchase_of(name, amount=Decimal("9.999"), currency=currency)


# What is told


def moment(value: object) -> datetime:
    """A provider's time, to the millisecond."""
    if isinstance(value, int):
        seconds = value / 1000 if value > 10**11 else value
        return datetime.fromtimestamp(seconds, UTC)
    found = datetime.fromisoformat(str(value))
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


@every("name", REGISTERED)
def test_parse_says_which_webhook_it_was_and_when(name: str) -> None:
    where = WEBHOOKS[name]
    for webhook in webhooks_of(name):
        found = told(name, webhook)

        assert (found.id, found.type) == (at(webhook, where.id), at(webhook, where.type))
        assert found.occurred_at == moment(at(webhook, where.at))


@every_provider
def test_parse_without_what_says_which_webhook_it_is_is_unreadable(name: str) -> None:
    sample = purchase_of(name)
    for place, values in WEBHOOKS[name].needs.items():
        missing = [] if place[-1] in ("created", "occurred_at") else [None]
        for value in (*missing, *values):
            with pytest.raises(UnreadableWebhookError):
                PROVIDERS[name].parse(body_of(put(sample, place, value)), settings_of(name))


@every_provider
def test_parse_tells_tests_from_money(name: str) -> None:
    """By the webhook, or by the account."""
    sample = purchase_of(name)
    said = WEBHOOKS[name].test

    assert not told(name, sample).test
    assert told(name, sample, test=True).test
    assert said is None or told(name, put(sample, *said)).test


@every_provider
def test_parse_keeps_nothing_of_person_or_card(name: str) -> None:
    kept = [str(told(name, webhook).content) for webhook in webhooks_of(name)]

    assert [word for word in PRIVATE if any(word in one for one in kept)] == []


def with_more(content: Any) -> Any:
    """Each object with something in it that nobody knows yet."""
    if isinstance(content, dict):
        more = {"holder": "Quixotic", "$holder": {"value": "Quixotic"}}
        return {key: with_more(value) for key, value in content.items()} | more
    return [with_more(one) for one in content] if isinstance(content, list) else content


@every_provider
def test_parse_keeps_nothing_that_is_not_on_its_list(name: str) -> None:
    for webhook in webhooks_of(name):
        assert told(name, with_more(webhook)).content == told(name, webhook).content


@every("name", ["stripe", "paddle", "adyen"])
def test_customer_is_read_and_kept_by_the_key_of_the_settings_alone(name: str) -> None:
    """Adyen has a field of its own for it, which comes after; so has RevenueCat, in its tests."""
    metadata = {"uid": "user-9", "app_user_id": "user-8"}
    sample = purchase_of(name, metadata=metadata)
    keys = HintKeys(customer_user_id="uid")

    assert "user-8" not in str(told(name, sample, metadata=keys).content)
    for settings, customer in (({"metadata": keys}, "user-9"), ({}, "user-8")):
        links = understood(name, sample, **settings).links
        assert {link.hints.customer_user_id for link in links} - {None} == {customer}


@every_provider
def test_parse_type_that_nobody_knows_is_unknown_and_nothing_of_it_is_kept(name: str) -> None:
    provider, sample, where = PROVIDERS[name], purchase_of(name), WEBHOOKS[name].type
    known = told(name, sample).type
    for kind in ("something_new", f"{known}.again", f"{known}s", known[:-1], f"x.{known}"):
        found = told(name, put(sample, where, kind))

        assert (found.type, found.treatment) == (kind, Treatment.UNKNOWN)
        assert found.content == {}
        assert provider.why_ignored(kind) == ""


@every_provider
@every("body", [b"", b"\xff", b"{", b"[]", b"7", b"{}", b'{"type": 7}'])
def test_parse_what_is_no_webhook_is_unreadable(name: str, body: bytes) -> None:
    with pytest.raises(UnreadableWebhookError):
        PROVIDERS[name].parse(body, settings_of(name))


# What it means


@every_provider
def test_interpret_type_that_does_not_count_or_content_that_is_none_is_unreadable(
    name: str,
) -> None:
    provider, settings = PROVIDERS[name], settings_of(name)
    found = told(name, purchase_of(name))
    broken: list[Json] = [{}, dict.fromkeys(found.content, "x"), {key: {} for key in found.content}]
    for webhook_type, content in (
        ("something_new", found.content),
        *((found.type, one) for one in broken),
    ):
        with pytest.raises(UnreadableWebhookError):
            provider.interpret(webhook_type, content, settings)


@every_provider
def test_amount_has_the_places_of_its_currency(name: str) -> None:
    for currency, amount in (("JPY", "1190"), ("USD", "11.90")):
        sample = purchase_of(name, amount=Decimal(amount), currency=currency)

        told_amount = movement_of(name, sample).amount
        assert told_amount is not None
        assert (told_amount.currency, str(told_amount.gross)) == (currency, amount)


@every("name", MINOR_UNITS)
def test_minor_units_of_the_source_win(name: str) -> None:
    sample = purchase_of(name, amount=Decimal(1190), currency="JPY")

    amount = movement_of(name, sample, minor_units={"JPY": 2}).amount
    assert amount is not None
    assert str(amount.gross) == "11.90"


def test_table_of_places_is_of_every_provider_and_of_real_places() -> None:
    for name in PROVIDERS:
        where = WEBHOOKS[name]
        found = set(places(purchase_of(name)))
        assert {where.id, where.type, where.at, *where.needs} <= found

    assert WEBHOOKS.keys() == PROVIDERS.keys()
