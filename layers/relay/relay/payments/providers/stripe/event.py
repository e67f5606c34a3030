"""An event of Stripe's, and what those who read it have in common."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from relay.domain.movements import Amount, CustomerHints
from relay.domain.payment_rules import SourceSettings
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.parsing import at, currency, hints_from, identifier_or_none


class Event(NamedTuple):
    """One event, cut down to its allow-list."""

    entity: Mapping[str, Any]
    """What it is about: `data.object`."""
    created: datetime
    settings: SourceSettings

    def amount(self, gross: int, net_of_tax: int | None = None) -> Amount:
        """An amount in the thing's currency, from minor units. Stripe does not tell its fee."""
        code = currency(self.entity, "currency")
        places = self.settings.minor_units
        return Amount(
            code,
            from_minor("stripe", code, gross, places),
            None if net_of_tax is None else from_minor("stripe", code, net_of_tax, places),
        )

    def hints(self, *paths: str) -> CustomerHints:
        """The clues in metadata; what stands at an earlier path wins."""
        found = CustomerHints()
        for path in paths:
            found = found.or_else(hints_from(at(self.entity, path), self.settings.metadata))
        return found

    def customer(self) -> str | None:
        """The customer's id; accounts of the newer kind stand in a field of their own."""
        return first_id(self.entity, "customer", "customer_account")


def first_id(content: object, *paths: str) -> str | None:
    """The id at the first path that has one."""
    found = (identifier_or_none(content, path) for path in paths)
    return next((given for given in found if given), None)


def price_of(item: object) -> str | None:
    """The price behind an invoice's line or a subscription's item."""
    return first_id(item, "pricing.price_details.price", "price.id")


def scalars(names: str) -> dict[str, None]:
    """The allow-list of texts, numbers and booleans, by their names with spaces between."""
    return dict.fromkeys(names.split())
