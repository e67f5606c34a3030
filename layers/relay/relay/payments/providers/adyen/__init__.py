"""Adyen: payments, refunds and disputes.

Adyen signs each item's references, amount, type and success. **Not signed** are the time, `live`,
and all of `additionalData`, which says whose a payment is. So anybody who obtains a genuine webhook
could send it again with another customer. TLS keeps webhooks from strangers, and a source that
requires basic authentication (`basic_auth_sha256=` among its secrets) accepts requests from Adyen
only. Either way the money counts once. Since no time is signed, there is no age to check.

Adyen has no subscriptions: a payment is a purchase, or a renewal if `shopperInteraction` says that
the shopper was absent (`ContAuth`). The source's `paid_at` says when a payment counts: at its
authorisation or at its capture.

A payment's id is the reference of its authorisation, no matter which of the two reports it; a
further capture has its own reference behind it. Adyen tells of one thing with one reference, also
when it is undone and done again, and may send what it sent before with another time: `rounds` tells
these apart (https://docs.adyen.com/development-resources/webhooks/handle-webhook-events).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from relay.domain.movements import Interpretation, ParsedWebhook, Treatment
from relay.errors import UnreadableWebhookError
from relay.payments.providers.adyen.item import Item, content_of, items_of
from relay.payments.providers.adyen.kinds import COUNTED, treatment_of_event, treatment_of_item
from relay.payments.providers.adyen.kinds import why_ignored as why_ignored
from relay.payments.providers.adyen.settings import AdyenSettings
from relay.payments.providers.adyen.signing import (
    BODY_SIGNATURE,
    basic_auth_digests,
    check_basic_auth,
    check_body,
    check_items,
    hex_keys,
)
from relay.payments.providers.parsing import (
    identifier,
    identifier_or_none,
    moment_of_iso_or_none,
    read_object,
    text,
    text_or_none,
)
from relay.payments.providers.protocol import Webhook
from relay.secrets import Secret

ACKNOWLEDGEMENT: Final = "[accepted]"
SIGNATURE_HEADER: Final = BODY_SIGNATURE
SETTINGS: Final = AdyenSettings


def verify(
    webhook: Webhook, secrets: Sequence[Secret], settings: AdyenSettings, now: datetime
) -> None:
    """`additionalData.hmacSignature` of each item, or the header `hmacsignature` over the body.

    HMAC-SHA256 in Base64; a key is a secret's hexadecimal digits.
    """
    del now  # no time is signed
    check_basic_auth(webhook, basic_auth_digests(secrets, settings))
    keys = hex_keys(secrets)
    if BODY_SIGNATURE in webhook.headers:
        check_body(webhook, keys)
    else:
        check_items(webhook.body, keys)


def parse(body: bytes, settings: AdyenSettings) -> list[ParsedWebhook]:
    """The items of a standard webhook, or the one event of a webhook signed by its header."""
    content = read_object(body)
    if "notificationItems" not in content:
        return [_parse_event(content, settings)]
    test = settings.test or _is_test(content)
    return [_parse_item(item, settings, test=test) for item in items_of(content)]


def _is_test(content: object) -> bool:
    """Raises if the webhook does not say: money taken for a test would be dropped."""
    live = text(content, "live")
    if live not in {"true", "false"}:
        raise UnreadableWebhookError("live is neither true nor false")
    return live == "false"


def _parse_item(item: Mapping[str, Any], settings: AdyenSettings, *, test: bool) -> ParsedWebhook:
    """One item; a problem in it must not cost the other items of the webhook."""
    try:
        return _parse_valid_item(item, settings, test=test)
    except UnreadableWebhookError as error:
        return ParsedWebhook(
            id=_id_or_empty(item, "pspReference"),
            type=_id_or_empty(item, "eventCode"),
            treatment=Treatment.UNKNOWN,
            problem=str(error),
        )


def _id_or_empty(item: Mapping[str, Any], field: str) -> str:
    """An id; empty if it is absent or malformed."""
    try:
        return identifier_or_none(item, field) or ""
    except UnreadableWebhookError:
        return ""


def _parse_valid_item(
    item: Mapping[str, Any], settings: AdyenSettings, *, test: bool
) -> ParsedWebhook:
    webhook_type = identifier(item, "eventCode")
    treatment = treatment_of_item(webhook_type, text_or_none(item, "success"), settings)
    return ParsedWebhook(
        id=identifier(item, "pspReference"),
        type=webhook_type,
        treatment=treatment,
        occurred_at=moment_of_iso_or_none(item, "eventDate"),
        test=test,
        content=content_of(item, settings) if treatment is Treatment.COUNTED else {},
    )


def _parse_event(content: Mapping[str, Any], settings: AdyenSettings) -> ParsedWebhook:
    webhook_type = identifier(content, "type")
    return ParsedWebhook(
        id=identifier_or_none(content, "eventId") or webhook_type,
        type=webhook_type,
        treatment=treatment_of_event(webhook_type),
        occurred_at=moment_of_iso_or_none(content, "createdAt"),
        test=settings.test or text_or_none(content, "environment") == "test",
    )


def interpret(
    webhook_type: str, content: Mapping[str, Any], settings: AdyenSettings
) -> Interpretation:
    """What an item means: whose a payment is, and a movement if money moved."""
    if webhook_type not in COUNTED:
        raise UnreadableWebhookError("its type does not count")
    return COUNTED[webhook_type](Item(webhook_type, content, settings))
