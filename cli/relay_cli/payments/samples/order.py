"""The order: what a webhook is to tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, cast

from relay.payments.providers.major_units import fits, rounded
from relay.payments.providers.minor_units import from_minor
from relay_cli.terminal.errors import CliError

Json = dict[str, Any]
PERSON: Final = {"name": "Jane Roe", "email": "jane.roe@example.com"}


@dataclass(frozen=True, slots=True)
class Order:
    """What a webhook is to tell."""

    provider: str
    kind: str
    tag: str
    """Part of every id. What takes a payment back has the payment's in front: `4f2a-91c0`."""
    now: datetime
    customer: str
    amount: Decimal
    currency: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def payment_tag(self) -> str:
        """The tag of the payment that it is about."""
        return self.tag.partition("-")[0]

    @property
    def minor(self) -> int:
        """The amount in the provider's minor units; raises `CliError` where it has none."""
        provider = cast("Literal['stripe', 'paddle', 'adyen']", self.provider)
        units = self.amount / from_minor(provider, self.currency, 1, {})
        if units != int(units):
            raise _too_fine(self)
        return int(units)

    @property
    def major(self) -> Decimal:
        """The amount with all its currency's places; raises `CliError` where it has more."""
        if not fits(self.currency, self.amount, {}):
            raise _too_fine(self)
        return rounded(self.currency, self.amount, {})

    @property
    def seconds(self) -> int:
        """Unix time."""
        return int(self.now.timestamp())

    @property
    def iso(self) -> str:
        """RFC 3339."""
        return f"{self.now:%Y-%m-%dT%H:%M:%S}.000000Z"


Build = Callable[[Order], list[Json]]
"""All the webhooks that a provider sends for one thing."""


def _too_fine(order: Order) -> CliError:
    return CliError(f"--amount has more decimal places than {order.currency} has")
