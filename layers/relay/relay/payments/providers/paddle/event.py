"""An event of Paddle's, and what those who read it have in common."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from relay.domain.movements import Amount, CustomerHints
from relay.domain.payment_rules import SourceSettings
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.parsing import at, currency, hints_from, whole_or_none


class Event(NamedTuple):
    """One event, cut down to its allow-list."""

    entity: Mapping[str, Any]
    """What it is about: `data`."""
    occurred_at: datetime
    settings: SourceSettings

    def hints(self) -> CustomerHints:
        """The clues in its custom data."""
        return hints_from(at(self.entity, "custom_data"), self.settings.metadata)

    def amount(self, totals: str, gross: int, tax: int | None) -> Amount:
        """An amount in the buyer's currency, from the minor units of totals at a path."""
        code = currency(self.entity, f"{totals}.currency_code")
        earnings = whole_or_none(self.entity, f"{totals}.earnings")
        return Amount(
            code,
            from_minor("paddle", code, gross, self.settings.minor_units),
            self._net(code, None if tax is None else gross - tax),
            self._net(code, earnings),
        )

    def _net(self, code: str, minor: int | None) -> Decimal | None:
        """Below zero (a fee that is higher than the price) it is not told: amounts have no sign."""
        if minor is None or minor < 0:
            return None
        return from_minor("paddle", code, minor, self.settings.minor_units)
