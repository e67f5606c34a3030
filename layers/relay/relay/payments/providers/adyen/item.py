"""An item of a standard webhook, and how to read its fields."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from relay.domain.movements import Amount, CustomerHints, Movement, MovementKind, Ref, Rounds
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
    keep,
    moment_of_iso,
    objects,
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


SHOPPER_REFERENCES: Final = (
    "shopperReference",
    "tokenization.shopperReference",
    "recurring.shopperReference",
)
"""Where `additionalData` names the shopper: of this payment, of its stored method, and the latter's
former name (before version 68 of the Checkout API). The first that is there is taken."""

_INSTANT: Final = timedelta(milliseconds=1)

_RECAPTURED: Final = "recaptured"
"""In the `reason` of a capture that Adyen has repaired, after `Transaction ` or `Auto-`."""


def shape(settings: AdyenSettings) -> Shape:
    """The allow-list: without the card (`reason`) or the shopper's name, e-mail and address."""
    references = ("pspReference", "originalReference", "merchantReference")
    return {
        **dict.fromkeys((*references, "eventDate", "success")),
        "amount": {"currency": None, "value": None},
        "additionalData": {
            **dict.fromkeys((*SHOPPER_REFERENCES, "shopperInteraction", "modification.action")),
            **hint_shape(settings.metadata, "metadata."),
        },
    }


def content_of(item: Mapping[str, Any], settings: AdyenSettings) -> dict[str, Any]:
    """An item, reduced to its allow-list; of the `reason`, only that it tells of a repair."""
    reason = item.get("reason")
    is_repair = isinstance(reason, str) and _RECAPTURED in reason.casefold()
    return {**keep(item, shape(settings)), **({"is_repair": True} if is_repair else {})}


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
        """When it happened, according to Adyen: to the second, a repair after what it repairs."""
        moment = moment_of_iso(self.content, "eventDate")
        return moment + _INSTANT if self.content.get("is_repair") is True else moment

    def amount(self) -> Amount:
        """The gross amount; Adyen sends no other."""
        code = currency(self.content, "amount.currency")
        minor = whole(self.content, "amount.value")
        return Amount(code, from_minor(PLACES, code, minor, self.settings.minor_units))

    def hints(self) -> CustomerHints:
        """Customer hints: the merchant's metadata takes precedence over the shopper reference."""
        additional = self.content.get("additionalData", {})
        shopper = CustomerHints(customer_user_id=self._shopper())
        return hints_from(additional, self.settings.metadata, "metadata.").or_else(shopper)

    def _shopper(self) -> str | None:
        """The shopper's reference, wherever it stands."""
        given = (self.additional_field(name) for name in SHOPPER_REFERENCES)
        return next((one.strip() for one in given if isinstance(one, str) and one.strip()), None)

    def is_refused(self) -> bool:
        """Whether what was asked for did not succeed."""
        return self.content.get("success") == "false"

    def additional_field(self, name: str) -> object:
        """A field of `additionalData`, where names may contain dots."""
        additional = self.content.get("additionalData")
        return additional.get(name) if isinstance(additional, Mapping) else None

    def movement(
        self,
        kind: MovementKind,
        ref: Ref,
        original_ref: Ref,
        amount: Amount | None,
        rounds: Rounds | None = None,
    ) -> Movement:
        """A later movement of a payment; its id is the one in its ref."""
        return Movement(
            kind,
            ref.partition(":")[2],
            ref,
            at=self.occurred_at(),
            amount=amount,
            original_ref=original_ref,
            rounds=rounds,
        )
