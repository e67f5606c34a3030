"""The interface of a payment provider."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from relay.domain.movements import Interpretation, ParsedWebhook
from relay.domain.payment_rules import SourceSettings
from relay.secrets import Secret


class Webhook(NamedTuple):
    """A request as received: the signature covers exactly these bytes."""

    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes


class Provider(Protocol):
    """One payment provider. Nothing here does I/O or reads a clock."""

    ACKNOWLEDGEMENT: str
    """The body of the response 200."""
    SIGNATURE_HEADER: str
    """The header, in lower case, with a webhook's signature or secret (Adyen: or in the body)."""

    def verify(
        self, webhook: Webhook, secrets: Sequence[Secret], settings: SourceSettings, now: datetime
    ) -> None:
        """Raises `SignatureRefusedError` unless one of the secrets shows that the provider sent it.

        Several secrets are valid at once during a rotation.
        """
        ...

    def parse(self, body: bytes, settings: SourceSettings) -> list[ParsedWebhook]:
        """The parts of a verified webhook, reduced to an allow-list of fields.

        Raises `UnreadableWebhookError`.
        """
        ...

    def interpret(
        self, webhook_type: str, content: Mapping[str, Any], settings: SourceSettings
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
