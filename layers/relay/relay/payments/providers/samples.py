"""The order that sample webhooks are built from."""

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

    @property
    def minor(self) -> int:
        """The amount in the provider's minor units; raises `CliError` unless it is an integer."""
        provider = cast("Literal['stripe', 'paddle', 'adyen']", self.provider)
        units = self.amount / from_minor(provider, self.currency, 1, {})
        if units != int(units):
            raise _too_fine(self)
        return int(units)

    @property
    def major(self) -> Decimal:
        """The amount with all decimal places of its currency; raises `CliError` if it has more."""
        if not fits(self.currency, self.amount, {}):
            raise _too_fine(self)
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
"""Builds all the webhooks that a provider sends for an order."""


def _too_fine(order: Order) -> CliError:
    return CliError(f"--amount has more decimal places than {order.currency} has")
