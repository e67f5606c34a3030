"""An item of a standard webhook, and how to read its fields."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from relay.domain.movements import Amount, CustomerHints, Movement, MovementKind, Ref
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.places import PLACES
from relay.payments.providers.adyen.settings import AdyenSettings
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.parsing import (
    Shape,
    at,
    currency,
    hint_shape,
    hints_from,
    identifier,
    identifier_or_none,
    moment_of_iso,
    objects,
    text_or_none,
    whole,
)


def items_of(content: object) -> list[Mapping[str, Any]]:
    """The items of a webhook, unwrapped; raises `UnreadableWebhookError`."""
    wrappers = objects(content, "notificationItems")
    items = [at(wrapper, "NotificationRequestItem") for wrapper in wrappers]
    if not all(isinstance(item, Mapping) for item in items):
        raise UnreadableWebhookError("notificationItems.NotificationRequestItem is no object")
    if not items:
        raise UnreadableWebhookError("notificationItems holds no item")
    return items


def shape(settings: AdyenSettings) -> Shape:
    """The allow-list: without the card (`reason`) or the shopper's name, e-mail and address."""
    return {
        **dict.fromkeys(("pspReference", "originalReference", "merchantReference", "eventDate")),
        "amount": {"currency": None, "value": None},
        "additionalData": {
            **dict.fromkeys(("shopperReference", "shopperInteraction", "modification.action")),
            **hint_shape(settings.metadata, "metadata."),
        },
    }


class Item(NamedTuple):
    """One item, reduced to its allow-list."""

    type: str
    content: Mapping[str, Any]
    settings: AdyenSettings

    def reference(self) -> str:
        """The reference of what the item reports: a payment, a refund, a dispute."""
        return identifier(self.content, "pspReference")

    def payment_reference(self) -> str | None:
        """The reference of the payment behind a refund, capture or dispute."""
        return identifier_or_none(self.content, "originalReference")

    def occurred_at(self) -> datetime:
        """When it happened, according to Adyen."""
        return moment_of_iso(self.content, "eventDate")

    def amount(self) -> Amount:
        """The gross amount; Adyen sends no other."""
        code = currency(self.content, "amount.currency")
        minor = whole(self.content, "amount.value")
        return Amount(code, from_minor(PLACES, code, minor, self.settings.minor_units))

    def hints(self) -> CustomerHints:
        """Customer hints: the merchant's metadata takes precedence over the shopper reference."""
        additional = self.content.get("additionalData", {})
        shopper = CustomerHints(customer_user_id=text_or_none(additional, "shopperReference"))
        return hints_from(additional, self.settings.metadata, "metadata.").or_else(shopper)

    def additional_field(self, name: str) -> object:
        """A field of `additionalData`, where names may contain dots."""
        additional = self.content.get("additionalData")
        return additional.get(name) if isinstance(additional, Mapping) else None

    def movement(
        self, kind: MovementKind, ref: Ref, original_ref: Ref, amount: Amount | None
    ) -> Movement:
        """A later movement of a payment; its id is the one in its ref."""
        name = ref.partition(":")[2]
        return Movement(
            kind, name, ref, at=self.occurred_at(), amount=amount, original_ref=original_ref
        )
