"""What a provider's module `samples` offers: webhooks to try it with, as the provider sends them.

For the command and the sandbox. No function in the cloud loads any of it. The samples hold as much
personal data as real webhooks, so that one can see that the relay keeps none of it.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

from relay.payments.providers.major_units import fits, rounded
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.protocol import Webhook

Json = dict[str, Any]
PERSON: Final = {"name": "Jane Roe", "email": "jane.roe@example.com"}


class TooFineError(ValueError):
    """An amount has more decimal places than its currency has at the provider."""


@dataclass(frozen=True, slots=True)
class Order:
    """The data of the webhooks to build."""

    provider: str
    kind: str
    tag: str
    """Part of every id. A return's tag begins with the payment's: `4f2a-91c0`."""
    now: datetime
    customer: str
    amount: Decimal
    currency: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def payment_tag(self) -> str:
        """The tag of the payment."""
        return self.tag.partition("-")[0]

    def minor(self, places_at: Mapping[str, int]) -> int:
        """The amount in a provider's minor units, by its `PLACES`; raises `TooFineError`."""
        units = self.amount / from_minor(places_at, self.currency, 1, {})
        if units != int(units):
            raise TooFineError
        return int(units)

    @property
    def major(self) -> Decimal:
        """The amount with all decimal places of its currency; raises `TooFineError`."""
        if not fits(self.currency, self.amount, {}):
            raise TooFineError
        return rounded(self.currency, self.amount, {})

    @property
    def seconds(self) -> int:
        """The time as Unix time."""
        return int(self.now.timestamp())

    @property
    def iso(self) -> str:
        """The time in RFC 3339."""
        return f"{self.now:%Y-%m-%dT%H:%M:%S}.000000Z"


Build = Callable[[Order], list[Json]]
"""Builds all the webhooks that a provider sends for an order, in the order of sending."""


class Account(NamedTuple):
    """An account at a provider that exists in the sandbox alone."""

    source: str
    """The name of its source."""
    secret: str
    """Fixed, since the samples in events/ are signed with it."""


class Names(NamedTuple):
    """What a provider calls things, for people who look for them in its dashboard."""

    provider: str
    """Its own name: `RevenueCat`."""
    header: str
    """`SIGNATURE_HEADER` as it stands in its pages: `Stripe-Signature`."""
    form: str = ""
    """The form of that header, or of a signature: `v1,<44 characters of Base64>`."""
    signed: str = "the body"
    """What a signature is over."""
    prefix: str | None = None
    """What a secret begins with."""
    api_keys: tuple[str, ...] = ()
    """What its keys begin with that are no secrets of webhooks and are taken for them."""
    pairs: tuple[str, str, str] | None = None
    """Of a header of pairs, `t=...,v1=...`: the separator, the time's name, the signature's."""


class Samples(Protocol):
    """The module `samples` of a provider."""

    NAMES: Names
    ACCOUNT: Account
    """With a secret in the provider's format."""
    RECOGNISED_BY: frozenset[str]
    """Fields that every body of the provider's has at its top, and no other provider's has."""
    KINDS: Mapping[str, Build]
    """What builds the webhooks, by kind of movement."""

    def sign(self, body: bytes, secret: str, seconds: int) -> Webhook:
        """Signs a body as the provider does, at a time in Unix seconds.

        From the provider's page, independent of `verify`: a mistake in one must not hide in both.
        """
        ...


def digest_of(key: bytes, message: bytes) -> bytes:
    """The message's HMAC-SHA256."""
    return hmac.digest(key, message, "sha256")
