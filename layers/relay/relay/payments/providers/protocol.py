"""The interface of a payment provider: what its package offers to the layer.

Its module `samples`, which no function loads, offers the rest: `providers/samples.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from relay.domain.movements import Interpretation, ParsedWebhook
from relay.domain.payment_rules import SourceSettings
from relay.secrets import Secret

Settings = TypeVar("Settings", bound=SourceSettings)
"""What a source of the provider has for settings: `SourceSettings`, or a subclass with its own."""


class Webhook(NamedTuple):
    """A request as received: the signature covers exactly these bytes."""

    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes


class Provider(Protocol[Settings]):
    """One payment provider. Nothing here does I/O or reads a clock."""

    ACKNOWLEDGEMENT: str
    """The body of the response 200."""
    SIGNATURE_HEADER: str
    """The header, in lower case, with a webhook's signature or secret (Adyen: or in the body)."""
    SETTINGS: type[Settings]
    """Settings that no other provider has the names of: a source's settings are one JSON object."""

    def verify(
        self, webhook: Webhook, secrets: Sequence[Secret], settings: Settings, now: datetime
    ) -> None:
        """Raises `SignatureRefusedError` unless one of the secrets shows that the provider sent it.

        Several secrets are valid at once during a rotation.
        """
        ...

    def parse(self, body: bytes, settings: Settings) -> list[ParsedWebhook]:
        """The parts of a verified webhook, reduced to an allow-list of fields.

        Raises `UnreadableWebhookError`.
        """
        ...

    def interpret(
        self, webhook_type: str, content: Mapping[str, Any], settings: Settings
    ) -> Interpretation:
        """What the content of one `ParsedWebhook` means, by its type.

        Raises `UnreadableWebhookError` for content that makes no sense (a malformed amount).
        """
        ...

    def why_ignored(self, webhook_type: str) -> str:
        """Why a known type of webhook does not count; empty if it counts or is unknown.

        For people to read: `parse` makes the decision.
        """
        ...
