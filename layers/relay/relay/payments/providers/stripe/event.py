"""An event of Stripe's, and how to read its fields."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from relay.domain.movements import Amount, CustomerHints
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.parsing import at, currency, hints_from, identifier_or_none
from relay.payments.providers.stripe.places import PLACES
from relay.payments.providers.stripe.settings import StripeSettings
from relay.payments.providers.stripe.versions import Version

NEWEST: Final = Version.of(None)


class Event(NamedTuple):
    """One event, reduced to its allow-list."""

    entity: Mapping[str, Any]
    """The object of the event: `data.object`."""
    created: datetime
    settings: StripeSettings
    version: Version = NEWEST
    previous: Mapping[str, Any] = MappingProxyType({})
    """What some of the object's fields were before: `data.previous_attributes`."""
    moved_nothing: bool = False
    """A refund of money that was never captured, as was found when the webhook came in."""

    def amount(self, gross: int, net_of_tax: int | None = None) -> Amount:
        """An amount in the entity's currency, from minor units. Stripe does not send its fee."""
        code = currency(self.entity, "currency")
        places = self.settings.minor_units
        return Amount(
            code,
            from_minor(PLACES, code, gross, places),
            None if net_of_tax is None else from_minor(PLACES, code, net_of_tax, places),
        )

    def hints(self, *paths: str) -> CustomerHints:
        """The customer hints in metadata; those at an earlier path win."""
        found = CustomerHints()
        for path in paths:
            found = found.or_else(hints_from(at(self.entity, path), self.settings.metadata))
        return found

    def customer(self) -> str | None:
        """The customer's id; customers of the newer kind have it in `customer_account`."""
        return first_id(self.entity, "customer", "customer_account")


def first_id(content: object, *paths: str) -> str | None:
    """The id at the first path that has one; None if none has."""
    found = (identifier_or_none(content, path) for path in paths)
    return next((given for given in found if given), None)


PREVIOUS_SHAPE: Final = dict.fromkeys(("amount_refunded", "status"))
"""The allow-list of `data.previous_attributes`."""


def price_of(item: object) -> str | None:
    """The id of the price of an invoice line or a subscription item."""
    return first_id(item, "pricing.price_details.price", "price.id")


def scalars(names: str) -> dict[str, None]:
    """The allow-list of texts, numbers and booleans; their names are separated by spaces."""
    return dict.fromkeys(names.split())
