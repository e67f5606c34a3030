"""An event of RevenueCat's, and how to read its fields."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from relay.domain.movements import CustomerHints, Link, Ref
from relay.domain.payment_rules import SourceSettings
from relay.payments.providers.parsing import (
    at,
    chain,
    hint_shape,
    hints_from,
    identifier,
    identifier_or_none,
    moment_of_milliseconds,
    moment_of_milliseconds_or_none,
    number_or_none,
    text_or_none,
    whole_or_none,
)

PRICE: Final = "price_in_purchased_currency"
APPS_ATTRIBUTES: Final = ("$appsflyerId", "$idfa", "$idfv", "$gpsAdId")
"""The customer attributes that are kept; never e-mail, phone, name or network address."""

_NAMING_STORES: Final = frozenset({"APP_STORE", "MAC_APP_STORE", "PLAY_STORE"})
"""Stores whose transaction id names one payment. Over Stripe it is the subscription item's, the
same in every period; RevenueCat promises nothing of the others."""

_FIRST_TYPES: Final = frozenset({"INITIAL_PURCHASE", "NON_RENEWING_PURCHASE"})
"""Their `renewal_number` is 1, also where it is not told."""

_PLATFORMS: Final = {
    "APP_STORE": "ios",
    "MAC_APP_STORE": "ios",
    "PLAY_STORE": "android",
    "AMAZON": "android",
}
"""Only stores that imply a platform. A web purchase (Stripe, Paddle, RevenueCat's own) may be used
in an app of any platform."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


class Event(NamedTuple):
    """One event, reduced to its allow-list. Every method raises `UnreadableWebhookError`."""

    type: str
    content: Mapping[str, Any]
    settings: SourceSettings

    # Which payment

    @property
    def transaction(self) -> str:
        """The store's transaction id."""
        return identifier(self.content, "transaction_id")

    @property
    def store(self) -> str | None:
        """`APP_STORE`, `PLAY_STORE`, `STRIPE` ..."""
        return text_or_none(self.content, "store")

    @property
    def number(self) -> int | None:
        """`renewal_number`: 1 for the first period, a trial's too; None if it is not told."""
        given = whole_or_none(self.content, "renewal_number")
        if given is not None and given > 0:
            return given
        return 1 if self.type in _FIRST_TYPES else None

    @property
    def needs_number(self) -> bool:
        """Whether the transaction id alone may name several payments."""
        return self.store not in _NAMING_STORES

    @property
    def payment_key(self) -> str:
        """Transaction and, where it is needed, the number.

        What a renewal without a number is known by is when it was bought. For whatever else comes
        without one, the bare transaction leads to the payment that was told last.
        """
        if not self.needs_number:
            return self.transaction
        if self.number is not None:
            return f"{self.transaction}:{self.number}"
        if self.type != "RENEWAL":
            return self.transaction
        bought_at = whole_or_none(self.content, "purchased_at_ms")
        return f"{self.transaction}@{bought_at}"

    @property
    def payment(self) -> Ref:
        """The ref of the payment that the event is about."""
        return f"transaction:{self.payment_key}"

    @property
    def payment_id(self) -> str:
        """The payment's own id. That of the first is the bare transaction's, as in release 0.1."""
        is_first = self.needs_number and self.number == 1
        return self.transaction if is_first else self.payment_key

    @property
    def former_payment(self) -> tuple[Ref, ...]:
        """Where release 0.1 kept it, if that was elsewhere."""
        former = f"transaction:{self.transaction}"
        return () if former == self.payment else (former,)

    # Whose

    @property
    def first_transaction(self) -> str:
        """The subscription's first transaction, by which the subscription is known."""
        return identifier_or_none(self.content, "original_transaction_id") or self.transaction

    @property
    def subscription(self) -> Ref:
        """The ref of the subscription."""
        return f"subscription:{self.first_transaction}"

    @property
    def customer(self) -> Ref | None:
        """The ref of RevenueCat's customer, by a digest; notices of release 0.1 have none."""
        digest = identifier_or_none(self.content, "subscriber")
        return f"customer:{digest}" if digest else None

    def links(self, trial_end: datetime | None = None) -> list[Link]:
        """From the payment to the subscription and the customer."""
        refs = [self.payment, self.subscription, *([self.customer] if self.customer else [])]
        return list(chain(refs, self._hints(), trial_end))

    def _hints(self) -> CustomerHints:
        """The app's own attributes take precedence over what RevenueCat knows."""
        keys = self.settings.metadata
        attributes = {name: self._attribute(name) for name in hint_shape(keys)}
        known = CustomerHints(
            customer_user_id=text_or_none(self.content, "customer_user_id"),
            appsflyer_id=self._attribute("$appsflyerId"),
            platform=_PLATFORMS.get(self.store or ""),
        )
        return hints_from(attributes, keys).or_else(known)

    @property
    def device(self) -> dict[str, str]:
        """Device ids of the store's platform: a customer may have devices of two platforms."""
        named = {
            "ios": {"idfa": "$idfa", "idfv": "$idfv"},
            "android": {"advertising_id": "$gpsAdId"},
        }.get(_PLATFORMS.get(self.store or "", ""), {})
        given = {field: self._attribute(attribute) for field, attribute in named.items()}
        return {field: value for field, value in given.items() if value and _UUID.fullmatch(value)}

    def _attribute(self, name: str) -> str | None:
        """A customer attribute; None if it is not a text."""
        attributes = self.content.get("subscriber_attributes")
        given = at(attributes.get(name), "value") if isinstance(attributes, Mapping) else None
        return given.strip() or None if isinstance(given, str) else None

    # What and when

    @property
    def id(self) -> str:
        """The event's id, the same in each retry; of notices of release 0.1, its time."""
        told = whole_or_none(self.content, "event_timestamp_ms")
        return identifier_or_none(self.content, "id") or str(told)

    @property
    def told_at(self) -> datetime:
        """When RevenueCat made the event, the same in each retry."""
        return moment_of_milliseconds(self.content, "event_timestamp_ms")

    @property
    def bought_at(self) -> datetime | None:
        """When the payment was made. Also for events about it later."""
        return moment_of_milliseconds_or_none(self.content, "purchased_at_ms")

    @property
    def expires_at(self) -> datetime | None:
        """Until when it pays."""
        return moment_of_milliseconds_or_none(self.content, "expiration_at_ms")

    @property
    def price(self) -> Decimal | None:
        """In the buyer's currency; None if it is not told."""
        return number_or_none(self.content, PRICE)

    @property
    def period(self) -> str | None:
        """`TRIAL`, `INTRO`, `NORMAL`, `PROMOTIONAL`, `PREPAID`."""
        return text_or_none(self.content, "period_type")

    @property
    def product_id(self) -> str | None:
        """The product, by the store's name."""
        return text_or_none(self.content, "product_id")
