"""An event of Paddle's, and how to read its fields."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from relay.domain.movements import Amount, CustomerHints
from relay.domain.payment_rules import SourceSettings
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.paddle.places import PLACES
from relay.payments.providers.parsing import at, currency, hints_from


class Event(NamedTuple):
    """One event, reduced to its allow-list."""

    entity: Mapping[str, Any]
    """The object of the event: `data`."""
    occurred_at: datetime
    settings: SourceSettings

    def hints(self) -> CustomerHints:
        """The customer hints in its custom data."""
        return hints_from(at(self.entity, "custom_data"), self.settings.metadata)

    def amount(self, totals: str, gross: int, net: int | None, earnings: int | None) -> Amount:
        """An amount in the buyer's currency; `totals` is the path that names the currency.

        In minor units: `net` is without tax, `earnings` without tax and fee.
        """
        code = currency(self.entity, f"{totals}.currency_code")
        return Amount(
            code,
            from_minor(PLACES, code, gross, self.settings.minor_units),
            self._net(code, net),
            self._net(code, earnings),
        )

    def _net(self, code: str, minor: int | None) -> Decimal | None:
        """A net amount; None below zero (a fee above the price), since amounts have no sign."""
        if minor is None or minor < 0:
            return None
        return from_minor(PLACES, code, minor, self.settings.minor_units)
