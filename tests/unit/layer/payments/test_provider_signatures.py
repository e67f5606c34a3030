"""Who speaks: what holds for every payment provider, and for the one that is made up."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import SignatureRefusedError, StaleSignatureError
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.registry import PROVIDERS as REGISTERED
from relay.secrets import Secret
from tests.support.builders import Json
from tests.support.every import every
from tests.support.providers import (
    DATA,
    NOW,
    PROVIDERS,
    body_of,
    purchase_of,
    samples_of,
    settings_of,
    signed,
)

VECTORS = json.loads((DATA / "webhook_signatures.json").read_text("utf-8"))
SHORT = '{"name":"Zoë"}'.encode()

every_provider = every("name", PROVIDERS)


def verify(name: str, webhook: Webhook, *secrets: str) -> None:
    given = [Secret(one) for one in secrets or (samples_of(name).ACCOUNT.secret,)]
    PROVIDERS[name].verify(webhook, given, settings_of(name), NOW)


def refusal(name: str, webhook: Webhook, *secrets: str) -> SignatureRefusedError:
    with pytest.raises(SignatureRefusedError) as refused:
        verify(name, webhook, *secrets)
    return refused.value


def other_secret(name: str) -> str:
    """Another in the provider's format: what differs stands behind its prefix."""
    return samples_of(name).ACCOUNT.secret[:-4] + "AAAA"


def flipped(raw: bytes) -> list[bytes]:
    """Every change of a single bit."""
    number = int.from_bytes(raw)
    return [(number ^ 1 << bit).to_bytes(len(raw)) for bit in range(8 * len(raw))]


SIGNS_THE_TIME = [
    name for name in PROVIDERS if signed(name) != signed(name, moment=NOW + timedelta(seconds=1))
]
SIGNS_THE_BODY = [
    name
    for name in PROVIDERS
    if name != "adyen" and signed(name, SHORT).headers != signed(name, b"{}").headers
]
"""As a whole; Adyen signs some fields of it."""


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
    assert {vector["provider"].replace("-", "_") for vector in VECTORS} == set(REGISTERED)
    assert len(VECTORS) == 26


@every_provider
def test_verify_what_the_samples_sign_is_accepted_by_any_of_the_secrets(name: str) -> None:
    """In a rotation there are two."""
    secret = samples_of(name).ACCOUNT.secret
    for kept in ((secret,), (other_secret(name), secret), (secret, other_secret(name))):
        verify(name, signed(name), *kept)


SEVERAL: dict[str, Callable[[str, str], str]] = {
    "stripe": lambda one, other: f"{one},{other.partition(',')[2]},v0=beef",
    "paddle": lambda one, other: f"{one};h2=later;{other.partition(';')[2]};x",
    "standard_webhooks": lambda one, other: f"v1a,AAAA {one} {other}",
}
"""A header with two signatures, and something of a later scheme."""


@every("name", SEVERAL)
def test_verify_one_of_several_signatures_is_enough(name: str) -> None:
    right, header = signed(name), PROVIDERS[name].SIGNATURE_HEADER
    wrong = signed(name, secret=other_secret(name))
    pair = right.headers[header], wrong.headers[header]

    for one, other in (pair, pair[::-1]):
        both = {**right.headers, header: SEVERAL[name](one, other)}
        verify(name, Webhook(both, right.body))
    twice_wrong = {**right.headers, header: SEVERAL[name](pair[1], pair[1])}
    refusal(name, Webhook(twice_wrong, right.body))


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
@every("secret", ["", " ", "\n"])
def test_verify_what_a_blank_secret_signed_is_refused(name: str, secret: str) -> None:
    try:
        webhook = signed(name, secret=secret)
    except ValueError:
        return  # the provider's own way to sign knows no such secret
    refusal(name, webhook, secret)


@every_provider
def test_verify_without_its_headers_or_in_another_body_is_refused(name: str) -> None:
    webhook = signed(name)
    refusal(name, Webhook({}, body_of(purchase_of(name))))
    for header in webhook.headers:
        rest = {other: value for other, value in webhook.headers.items() if other != header}
        refusal(name, Webhook(rest, webhook.body))
    if webhook.headers.get(PROVIDERS[name].SIGNATURE_HEADER) != samples_of(name).ACCOUNT.secret:
        for body in (b"", webhook.body[:-1], webhook.body.replace(b"a-b", b"a-c")):
            refusal(name, Webhook(webhook.headers, body))


def changed_by_a_bit(name: str) -> Iterator[Webhook]:
    webhook = signed(name, SHORT) if name != "adyen" else signed(name)
    for header, value in webhook.headers.items():
        for changed in flipped(value.encode("ascii")):
            yield Webhook({**webhook.headers, header: changed.decode("latin-1")}, webhook.body)
    if name in SIGNS_THE_BODY:
        for changed in flipped(webhook.body):
            yield Webhook(webhook.headers, changed)


@every_provider
def test_verify_each_bit_of_headers_and_body_counts(name: str) -> None:
    for webhook in changed_by_a_bit(name):
        refusal(name, webhook)


def test_whole_body_is_signed_where_the_provider_s_page_says_so() -> None:
    assert SIGNS_THE_BODY == ["stripe", "paddle", "standard_webhooks", "made_up"]


@pytest.mark.parametrize("name", PROVIDERS)
@given(value=st.text() | st.text(alphabet=st.sampled_from("thvs10=,;9a \ud800é")))
def test_verify_garbage_in_the_header_is_refused_and_nothing_else(name: str, value: str) -> None:
    webhook = signed(name, SHORT) if name != "adyen" else signed(name)
    headers = {**webhook.headers, PROVIDERS[name].SIGNATURE_HEADER: value}

    refusal(name, Webhook(headers, webhook.body))


# The time


def test_time_is_signed_where_the_provider_s_page_says_so() -> None:
    assert SIGNS_THE_TIME == ["stripe", "paddle", "standard_webhooks"]


@every("name", SIGNS_THE_TIME)
def test_verify_time_is_right_within_the_tolerance_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The providers' own libraries take any time in the future, or give five seconds.

    Paddle's takes any time at all in a test mode, which an environment variable switches on.
    """
    monkeypatch.setenv("TEST_MODE", "1")
    for age in (-300, 0, 300):
        verify(name, signed(name, moment=NOW - timedelta(seconds=age)))
    for age in (-301, 301, 3600, -(10**8)):
        stale = refusal(name, signed(name, moment=NOW - timedelta(seconds=age)))
        assert isinstance(stale, StaleSignatureError)


@every("name", SIGNS_THE_TIME)
def test_verify_stale_and_forged_is_refused_as_forged(name: str) -> None:
    """The time says something only where it is signed."""
    forged = signed(name, moment=NOW - timedelta(seconds=301), secret=other_secret(name))

    assert not isinstance(refusal(name, forged), StaleSignatureError)
