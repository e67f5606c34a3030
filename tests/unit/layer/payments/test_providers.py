"""What holds for every payment provider of the registry, tried with the samples that it brings."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config.sources import NAME
from relay.domain.movements import MovementKind, Treatment
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.errors import SignatureRefusedError, StaleSignatureError, UnreadableWebhookError
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.registry import PROVIDERS, samples_of, source_settings
from relay.payments.providers.samples import Json, Order, TooFineError
from relay.secrets import Secret
from tests.support.every import every

DATA = Path(__file__).parents[3] / "data"
VECTORS = json.loads((DATA / "webhook_signatures.json").read_text("utf-8"))
NOW = datetime(2026, 10, 26, 8, tzinfo=UTC)
METADATA = {"app_user_id": "u-1", "appsflyer_id": "1-2", "af_app_id": "id123456789"}
PRIVATE = (
    *("jane", "Jane", "Roe", "10115", "'DE'", "visa", "4242", "card", "hosted", "EX-0", "pm_1"),
    *("https", "Premium", "Example", "example.com", "10.4", "fraudulent", "req_"),
    *("Customer request", "hmacSignature"),
)

every_provider = pytest.mark.parametrize("name", PROVIDERS)


def settings_of(name: str, **more: Any) -> SourceSettings:
    return source_settings().model_validate({"provider": name, "apps": {}} | more)


def order(name: str, kind: str, **more: Any) -> Order:
    given: Json = {"amount": Decimal("9.99"), "currency": "EUR", "metadata": METADATA, **more}
    return Order(name, kind, "a-b", NOW, "u-1", **given)


def bodies(name: str) -> Iterator[tuple[str, bytes]]:
    """Every sample that the provider brings, by kind."""
    for kind, build in samples_of(name).KINDS.items():
        for metadata in (METADATA, {}):
            for webhook in build(order(name, kind, metadata=metadata)):
                yield kind, json.dumps(webhook).encode()


def body_of(name: str) -> bytes:
    """The last webhook of a purchase."""
    return json.dumps(samples_of(name).KINDS["purchase"](order(name, "purchase"))[-1]).encode()


def signed(name: str, moment: datetime = NOW, secret: str | None = None) -> Webhook:
    samples = samples_of(name)
    secret = samples.ACCOUNT.secret if secret is None else secret
    return samples.sign(body_of(name), secret, int(moment.timestamp()))


def verify(name: str, webhook: Webhook, *secrets: str, now: datetime = NOW) -> None:
    given = [Secret(one) for one in secrets or (samples_of(name).ACCOUNT.secret,)]
    PROVIDERS[name].verify(webhook, given, settings_of(name), now)


def other_secret(name: str) -> str:
    """Another in the provider's format: what differs stands behind its prefix."""
    return samples_of(name).ACCOUNT.secret[:-4] + "AAAA"


SIGNS_THE_TIME = [
    name for name in PROVIDERS if signed(name) != signed(name, NOW + timedelta(seconds=1))
]


# What a provider brings along


def test_names_of_sources_and_fields_belong_to_one_provider_each() -> None:
    """An entry of `sources` is one object, and each sandbox source has a parameter of its own."""
    sources = [samples_of(name).ACCOUNT.source for name in PROVIDERS]
    general = set(SourceSettings.model_fields)
    own = [
        field for one in PROVIDERS.values() for field in set(one.SETTINGS.model_fields) - general
    ]

    assert sorted(set(sources)) == sorted(sources)
    assert all(map(NAME.fullmatch, sources))
    assert sorted(set(own)) == sorted(own)
    assert set(source_settings().model_fields) == general | set(own)


@every_provider
def test_settings_of_a_source_are_those_that_its_provider_reads(name: str) -> None:
    assert isinstance(settings_of(name), PROVIDERS[name].SETTINGS)


def test_settings_of_another_provider_are_read_and_change_nothing() -> None:
    settings = settings_of("paddle", one_off="payment_intent", paid_at="capture")

    assert (settings.one_off_source, settings.payment_event) == ("payment_intent", "capture")  # type: ignore[attr-defined] # of Stripe and Adyen
    assert PROVIDERS["paddle"].parse(body_of("paddle"), settings) == PROVIDERS["paddle"].parse(
        body_of("paddle"), settings_of("paddle")
    )


def test_settings_of_no_provider_are_refused() -> None:
    with pytest.raises(ValueError, match="'stripe', 'revenuecat', 'paddle'"):
        settings_of("braintree")
    with pytest.raises(ValueError, match="Extra inputs"):
        settings_of("stripe", two_off="checkout")


@every_provider
def test_samples_are_kinds_of_movements_and_each_is_one(name: str) -> None:
    """A payment that can be taken back is among them."""
    moved = set()
    for kind, body in bodies(name):
        for told in PROVIDERS[name].parse(body, settings_of(name)):
            meaning = PROVIDERS[name].interpret(told.type, told.content, settings_of(name))
            moved |= {kind} if meaning.movement else set()

    assert moved == set(samples_of(name).KINDS)
    assert moved <= set(MovementKind)
    assert moved >= {"purchase", "refund"}


@every_provider
def test_samples_are_recognised_as_their_own_provider_s_and_no_other_s(name: str) -> None:
    recognised = {
        other
        for _, body in bodies(name)
        for other in PROVIDERS
        if json.loads(body).keys() >= samples_of(other).RECOGNISED_BY
    }

    assert recognised == {name}


@every_provider
@pytest.mark.parametrize("currency", ["EUR", "JPY"])
def test_samples_amount_that_cannot_be_paid_is_refused(name: str, currency: str) -> None:
    sent = order(name, "purchase", amount=Decimal("9.999"), currency=currency)

    with pytest.raises(TooFineError):
        samples_of(name).KINDS["purchase"](sent)


# Who speaks


@every("vector", VECTORS, ids=lambda vector: vector["id"])
def test_verify_vector_gives_its_verdict(vector: Json) -> None:
    """Made with the providers' own libraries."""
    name = vector["provider"].replace("-", "_")
    webhook = Webhook(
        {header.lower(): value for header, value in vector["headers"].items()},
        vector["payload"].encode(),
    )
    settings = settings_of(name, tolerance_seconds=vector["tolerance"] or 300)
    given = [Secret(one) for one in vector["secrets"]]
    moment = NOW if vector["now"] is None else datetime.fromtimestamp(vector["now"], UTC)

    if vector["expected_valid"]:
        PROVIDERS[name].verify(webhook, given, settings, moment)
        return
    with pytest.raises(SignatureRefusedError) as refused:
        PROVIDERS[name].verify(webhook, given, settings, moment)
    is_stale = vector["reason"].startswith("timestamp too")
    assert isinstance(refused.value, StaleSignatureError) is is_stale


def test_vectors_are_of_every_provider() -> None:
    assert {vector["provider"].replace("-", "_") for vector in VECTORS} == set(PROVIDERS)
    assert len(VECTORS) == 26


@every_provider
def test_verify_what_the_samples_sign_is_accepted_by_any_of_the_secrets(name: str) -> None:
    """In a rotation there are two."""
    secret = samples_of(name).ACCOUNT.secret
    for kept in ((secret,), (other_secret(name), secret), (secret, other_secret(name))):
        verify(name, signed(name), *kept)


@every_provider
def test_verify_by_no_or_another_secret_is_refused_and_the_refusal_says_nothing(name: str) -> None:
    webhook, secret = signed(name), samples_of(name).ACCOUNT.secret
    for kept in ([other_secret(name)], [secret[:-1]], [""], [" "], ["\n"], []):
        with pytest.raises(SignatureRefusedError) as refused:
            PROVIDERS[name].verify(webhook, list(map(Secret, kept)), settings_of(name), NOW)

        error = refused.value
        said = f"{error!r} {error.__cause__!r} {error.__context__!r}"
        assert not isinstance(error, StaleSignatureError)
        private = (secret, *webhook.headers.values(), "Jane")
        assert [text for text in private if text[-20:] in said] == []


@every_provider
@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_verify_what_a_blank_secret_signed_is_refused(name: str, secret: str) -> None:
    try:
        webhook = signed(name, secret=secret)
    except ValueError:
        return  # the provider's own way to sign knows no such secret
    with pytest.raises(SignatureRefusedError):
        verify(name, webhook, secret)


@every_provider
def test_verify_without_its_headers_or_in_another_body_is_refused(name: str) -> None:
    webhook = signed(name)
    unsigned = Webhook({}, body_of(name))
    with pytest.raises(SignatureRefusedError):
        verify(name, unsigned)
    for header in webhook.headers:
        rest = {other: value for other, value in webhook.headers.items() if other != header}
        with pytest.raises(SignatureRefusedError):
            verify(name, Webhook(rest, webhook.body))
    if webhook.headers.get(PROVIDERS[name].SIGNATURE_HEADER) != samples_of(name).ACCOUNT.secret:
        for body in (b"", webhook.body[:-1], webhook.body.replace(b"a-b", b"a-c")):
            with pytest.raises(SignatureRefusedError):
                verify(name, Webhook(webhook.headers, body))


@every_provider
@given(value=st.text() | st.text(alphabet=st.sampled_from("thvs10=,;9a \ud800é")))
def test_verify_garbage_in_the_header_is_refused_and_nothing_else(name: str, value: str) -> None:
    webhook = signed(name)
    headers = {**webhook.headers, PROVIDERS[name].SIGNATURE_HEADER: value}

    with pytest.raises(SignatureRefusedError):
        verify(name, Webhook(headers, webhook.body))


def test_time_is_signed_where_the_provider_s_page_says_so() -> None:
    assert SIGNS_THE_TIME == ["stripe", "paddle", "standard_webhooks"]


@every("name", SIGNS_THE_TIME)
def test_verify_time_is_right_within_the_tolerance_alone(name: str) -> None:
    """The providers' own libraries take any time in the future, or give five seconds."""
    for age in (-300, 0, 300):
        verify(name, signed(name, NOW - timedelta(seconds=age)))
    for age in (-301, 301, 3600, -(10**8)):
        with pytest.raises(StaleSignatureError):
            verify(name, signed(name, NOW - timedelta(seconds=age)))


@every("name", SIGNS_THE_TIME)
def test_verify_stale_and_forged_is_refused_as_forged(name: str) -> None:
    """The time says something only where it is signed."""
    forged = signed(name, NOW - timedelta(seconds=301), other_secret(name))

    with pytest.raises(SignatureRefusedError) as refused:
        verify(name, forged)
    assert not isinstance(refused.value, StaleSignatureError)


# What is told


@every_provider
def test_parse_keeps_nothing_of_person_or_card(name: str) -> None:
    samples = [path.read_bytes() for path in sorted((DATA / "webhooks").glob(f"{name}_*.json"))]
    kept = [
        str(told.content)
        for body in (*samples, *(body for _, body in bodies(name)))
        for told in PROVIDERS[name].parse(body, settings_of(name))
    ]

    assert [word for word in PRIVATE if any(word in one for one in kept)] == []


@every_provider
def test_parse_type_that_nobody_knows_is_unknown_and_nothing_of_it_is_kept(name: str) -> None:
    provider, settings = PROVIDERS[name], settings_of(name)
    (told,) = provider.parse(body_of(name), settings)
    new = body_of(name).replace(json.dumps(told.type).encode(), b'"something_new"')

    (found,) = provider.parse(new, settings)

    assert (found.type, found.treatment) == ("something_new", Treatment.UNKNOWN)
    assert found.content == {}
    assert provider.why_ignored("something_new") == ""


@every_provider
@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[]", b"7", b"{}", b'{"type": 7}'])
def test_parse_what_is_no_webhook_is_unreadable(name: str, body: bytes) -> None:
    with pytest.raises(UnreadableWebhookError):
        PROVIDERS[name].parse(body, settings_of(name))


@every_provider
def test_interpret_type_that_does_not_count_or_content_that_is_none_is_unreadable(
    name: str,
) -> None:
    provider, settings = PROVIDERS[name], settings_of(name)
    (told,) = provider.parse(body_of(name), settings)
    broken: list[Json] = [{}, dict.fromkeys(told.content, "x"), {key: {} for key in told.content}]
    for webhook_type, content in (
        ("something_new", told.content),
        *((told.type, one) for one in broken),
    ):
        with pytest.raises(UnreadableWebhookError):
            provider.interpret(webhook_type, content, settings)


@every_provider
def test_account_that_is_a_test_tells_of_tests(name: str) -> None:
    settings = PROVIDERS[name].SETTINGS(provider=name, apps=SourceApps(), test=True)
    (told,) = PROVIDERS[name].parse(body_of(name), settings)

    assert told.test
