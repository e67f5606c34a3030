"""The forms of tokens and secrets, by the code that will use them."""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from relay.appsflyer.client import checked_token
from relay.config.apps import parse_tokens
from relay.domain.payment_rules import SourceSettings
from relay.errors import ConfigurationError, SignatureRefusedError
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.registry import PROVIDERS, samples_of, source_settings
from relay.payments.providers.samples import Order
from relay.secrets import Secret
from relay_cli.payments.diagnosis.secrets import BASIC_AUTH, shape_fault
from relay_cli.payments.signing import sign

_ANY_TAG: Final = "5e7a0b1c2d3e"


def token_faults(text: str) -> Iterator[str]:
    """What is wrong with the S2S tokens of a parameter, one a line."""
    tokens = parse_tokens(text)
    if not tokens:
        yield "holds no token"
    for number, token in enumerate(tokens, 1):
        try:
            checked_token(f"token {number}", token)
        except ConfigurationError as error:
            yield str(error)


def secret_faults(provider: str, text: str, now: datetime) -> Iterator[str]:
    """What makes secrets of a source useless, one a line: a webhook signed by it is refused."""
    secrets = signing_secrets(text)
    if not secrets:
        yield "holds no secret"
    for number, secret in enumerate(secrets, 1):
        if not _signs(provider, secret, now):
            fault = shape_fault(provider, secret.reveal()) or "signs nothing"
            yield f"secret {number}: {fault}"


def secret_doubts(provider: str, text: str) -> Iterator[str]:
    """What looks wrong with secrets, although webhooks may be signed by them."""
    for number, secret in enumerate(signing_secrets(text), 1):
        if fault := shape_fault(provider, secret.reveal()):
            yield f"secret {number} {fault}"


def signing_secrets(text: str) -> list[Secret]:
    """The lines that sign: not Adyen's digests of user and password."""
    return [one for one in parse_tokens(text) if not one.reveal().startswith(BASIC_AUTH)]


def settings_of(provider: str) -> SourceSettings:
    """The settings of a source of this provider with nothing else set."""
    return source_settings().model_validate({"provider": provider, "apps": {}})


def sample_body(provider: str, now: datetime) -> bytes:
    """A webhook of the provider's, with invented values."""
    build = next(iter(samples_of(provider).KINDS.values()))
    order = Order(provider, "", _ANY_TAG, now, "customer", Decimal("9.99"), "USD")
    return json.dumps(build(order)[-1]).encode()


def _signs(provider: str, secret: Secret, now: datetime) -> bool:
    try:
        signed = sign(provider, sample_body(provider, now), secret.reveal(), now)
        webhook = Webhook(
            {name.lower(): value for name, value in signed.headers.items()}, signed.body
        )
        PROVIDERS[provider].verify(webhook, [secret], settings_of(provider), now)
    except (SignatureRefusedError, ValueError, LookupError):
        return False
    return True
