"""What a module has to have to be a payment provider."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from relay.domain.movements import Interpretation, ParsedWebhook
from relay.domain.payment_rules import SourceSettings
from relay.secrets import Secret


class Webhook(NamedTuple):
    """A request as it came: the signature is over these very bytes."""

    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes


class Provider(Protocol):
    """One payment provider. Nothing here does I/O or reads a clock."""

    ACKNOWLEDGEMENT: str
    """The body of the answer 200."""
    SIGNATURE_HEADER: str
    """The header, in lower case, in which a webhook shows whose it is."""

    def verify(
        self, webhook: Webhook, secrets: Sequence[Secret], settings: SourceSettings, now: datetime
    ) -> None:
        """Raises `SignatureRefusedError` unless one of the secrets signed all that is told.

        Several are valid at once while one is rotated.
        """
        ...

    def parse(self, body: bytes, settings: SourceSettings) -> list[ParsedWebhook]:
        """Everything that a verified webhook tells, cut down to an allow-list.

        Raises `UnreadableWebhookError`.
        """
        ...

    def interpret(
        self, webhook_type: str, content: Mapping[str, Any], settings: SourceSettings
    ) -> Interpretation:
        """What the content of one `ParsedWebhook` means, by its type.

        Raises `UnreadableWebhookError` where what is told cannot be (an amount that is none).
        """
        ...

    def why_ignored(self, webhook_type: str) -> str:
        """Why a type of webhook that is known does not count; empty where it does, or is unknown.

        For people: `read` is what decides.
        """
        ...
