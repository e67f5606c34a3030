"""A webhook that is refused, and what would have to be different for it to be accepted.

The provider's own `verify` is asked again and again, with one thing changed at a time: whatever it
then accepts was the fault. So nothing here knows how a signature is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from relay.domain.payment_rules import SourceSettings
from relay.errors import OperatorError, SignatureRefusedError, StaleSignatureError
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.registry import PROVIDERS
from relay.secrets import Secret


@dataclass(frozen=True, slots=True)
class Case:
    """What a webhook is verified by."""

    provider: str
    webhook: Webhook
    secrets: tuple[Secret, ...]
    settings: SourceSettings
    now: datetime

    @property
    def header_name(self) -> str:
        """The provider's header with the signature, in lower case."""
        return PROVIDERS[self.provider].SIGNATURE_HEADER

    @property
    def headers(self) -> dict[str, str]:
        """A copy of the headers, by lower-case names."""
        return dict(self.webhook.headers)

    @property
    def values(self) -> list[str]:
        """The secrets in clear. They never get into a text."""
        return [secret.reveal() for secret in self.secrets]

    def verify(self) -> None:
        """Raises what the provider's `verify` raises."""
        PROVIDERS[self.provider].verify(self.webhook, self.secrets, self.settings, self.now)

    def fits(self) -> bool:
        """Whether the signature is right, whenever it was made."""
        try:
            self.verify()
        except StaleSignatureError:
            return True
        except (SignatureRefusedError, OperatorError):
            return False
        return True

    def with_secrets(self, values: Sequence[str]) -> Self:
        """The same with other secrets."""
        return replace(self, secrets=tuple(map(Secret, values)))

    def with_body(self, body: bytes) -> Self:
        """The same with another body."""
        return replace(self, webhook=self.webhook._replace(body=body))

    def with_headers(self, headers: dict[str, str]) -> Self:
        """The same with other headers."""
        return replace(self, webhook=self.webhook._replace(headers=headers))

    def with_header(self, name: str, value: str) -> Self:
        """The same with one header set."""
        return self.with_headers({**self.headers, name: value})
