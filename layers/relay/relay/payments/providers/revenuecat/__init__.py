"""RevenueCat: subscriptions and purchases from app stores, and from the web through RevenueCat.

RevenueCat does not sign its webhooks. Each one repeats an `Authorization` value of our choice,
which is the only proof of the sender: the value must be long, random and used nowhere else.

A payment is a store's transaction; over Stripe and some other stores, whose transaction id is the
same in every period, it is the transaction with its `renewal_number` (`event.Event.payment_key`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from relay.domain.movements import Interpretation, ParsedWebhook, Treatment
from relay.domain.payment_rules import SourceSettings
from relay.errors import SignatureRefusedError, UnreadableWebhookError
from relay.payments.providers.parsing import (
    Shape,
    flag,
    hint_shape,
    identifier,
    keep,
    moment_of_milliseconds_or_none,
    read_object,
    text,
    text_or_none,
)
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.revenuecat import customers
from relay.payments.providers.revenuecat.event import APPS_ATTRIBUTES, PRICE, Event
from relay.payments.providers.revenuecat.kinds import COUNTED, WITHOUT_MONEY, treatment_of
from relay.payments.providers.revenuecat.kinds import why_ignored as why_ignored
from relay.payments.providers.signatures import any_matches, header
from relay.secrets import Secret

ACKNOWLEDGEMENT: Final = ""
SIGNATURE_HEADER: Final = "authorization"
SETTINGS: Final = SourceSettings

_HEAD: Final[Shape] = {
    "event": dict.fromkeys(("id", "type", "environment", "event_timestamp_ms", "store"))
}
_SHAPE: Final[Shape] = dict.fromkeys(
    (
        *("id", "event_timestamp_ms", "store", "product_id", "new_product_id", "period_type"),
        *("transaction_id", "original_transaction_id", "renewal_number", "is_family_share"),
        *("cancel_reason", "expiration_reason", "is_trial_conversion"),
        *("purchased_at_ms", "expiration_at_ms"),
        *("price", PRICE, "currency", "tax_percentage", "commission_percentage"),
    )
)


def verify(
    webhook: Webhook, secrets: Sequence[Secret], settings: SourceSettings, now: datetime
) -> None:
    """Refuses unless the whole `Authorization` value is one of the secrets."""
    del settings, now  # nothing to set, and no time is signed
    expected = [value for secret in secrets if (value := secret.reveal()).strip()]
    if not any_matches([header(webhook, SIGNATURE_HEADER)], expected):
        raise SignatureRefusedError("the authorization value is none of the secrets")


def parse(body: bytes, settings: SourceSettings) -> list[ParsedWebhook]:
    """The one event in a webhook."""
    content = read_object(body)
    head = keep(content, _HEAD)
    webhook_type = identifier(head, "event.type")
    treatment = treatment_of(webhook_type)
    is_counted = treatment is Treatment.COUNTED
    return [
        ParsedWebhook(
            id=identifier(head, "event.id"),
            type=webhook_type,
            treatment=treatment,
            occurred_at=moment_of_milliseconds_or_none(head, "event.event_timestamp_ms"),
            test=settings.test or (is_counted and _is_test(head, webhook_type)),
            content=_content(webhook_type, content["event"], settings) if is_counted else {},
        )
    ]


def _is_test(head: object, webhook_type: str) -> bool:
    """Raises if money does not say: taken for a test, it would be dropped."""
    if webhook_type in WITHOUT_MONEY and text_or_none(head, "event.environment") is None:
        return False
    environment = text(head, "event.environment")
    if environment not in {"PRODUCTION", "SANDBOX"}:
        raise UnreadableWebhookError("event.environment is neither PRODUCTION nor SANDBOX")
    return environment == "SANDBOX" or text_or_none(head, "event.store") == "TEST_STORE"


def _content(
    webhook_type: str, event: Mapping[str, Any], settings: SourceSettings
) -> dict[str, Any]:
    if webhook_type == "TRANSFER":
        return customers.transferred(event)
    names = (*APPS_ATTRIBUTES, *hint_shape(settings.metadata))
    attributes: Shape = {name: {"value": None} for name in names}
    kept = keep(event, {**_SHAPE, "subscriber_attributes": attributes})
    known = {
        "customer_user_id": customers.customer_user_id(event),
        "subscriber": customers.subscriber(event),
    }
    return kept | {name: value for name, value in known.items() if value}


def interpret(
    webhook_type: str, content: Mapping[str, Any], settings: SourceSettings
) -> Interpretation:
    """What an event means: links for the money trail, and at most one movement."""
    if webhook_type not in COUNTED:
        raise UnreadableWebhookError("its type does not count")
    if flag(content, "is_family_share"):
        return Interpretation()  # another family member paid, and gets a webhook of their own
    return COUNTED[webhook_type](Event(webhook_type, content, settings))
