"""Paddle Billing: which of its webhooks report money, and what they mean.

An adjustment (a refund, a chargeback) names its transaction but not the customer; the transaction's
`custom_data` has the customer hints. A chargeback reversal also names only the transaction and
never the chargeback. The ref `chargeback:<transaction>:<minor units>` leads to the one of the same
amount, or, by `chargeback:<transaction>`, to one that release 0.1 was told of.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from relay.domain.movements import Interpretation, ParsedWebhook
from relay.domain.payment_rules import SourceSettings
from relay.errors import UnreadableWebhookError
from relay.payments.providers.paddle.event import Event
from relay.payments.providers.paddle.kinds import COUNTED, IGNORED, treatment_of
from relay.payments.providers.parsing import (
    Shape,
    at,
    hint_shape,
    identifier,
    keep,
    moment_of_iso,
    moment_of_iso_or_none,
    read_object,
)
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.signatures import (
    check_age,
    check_hmac,
    header,
    in_hex,
    text_keys,
    timed_signatures,
)
from relay.secrets import Secret

ACKNOWLEDGEMENT: Final = ""
SIGNATURE_HEADER: Final = "paddle-signature"
SETTINGS: Final = SourceSettings


def verify(
    webhook: Webhook, secrets: Sequence[Secret], settings: SourceSettings, now: datetime
) -> None:
    """`Paddle-Signature: ts=...;h1=...`: HMAC-SHA256 in hex over `<ts>:<body>`."""
    given = timed_signatures(header(webhook, SIGNATURE_HEADER), ";", "ts", "h1")
    message = b"%s:%s" % (given.timestamp.encode(), webhook.body)
    check_hmac(given.signatures, text_keys(secrets), message, in_hex)
    check_age(given.timestamp, now, settings.tolerance_seconds)


def parse(body: bytes, settings: SourceSettings) -> list[ParsedWebhook]:
    """The one event in a webhook. Paddle never marks a sandbox account; the settings do."""
    event = read_object(body)
    webhook_type = identifier(event, "event_type")
    counted = COUNTED.get(webhook_type)
    content = {}
    if counted:
        shape: Shape = {"occurred_at": None, "data": counted.shape(hint_shape(settings.metadata))}
        content = keep(event, shape)
    return [
        ParsedWebhook(
            id=identifier(event, "event_id"),
            type=webhook_type,
            treatment=treatment_of(webhook_type),
            occurred_at=moment_of_iso_or_none(event, "occurred_at"),
            test=settings.test,
            content=content,
        )
    ]


def interpret(
    webhook_type: str, content: Mapping[str, Any], settings: SourceSettings
) -> Interpretation:
    """What an event means: links for the money trail, and at most one movement."""
    if webhook_type not in COUNTED:
        raise UnreadableWebhookError("its type does not count")
    entity = at(content, "data") or {}
    return COUNTED[webhook_type].interpret(
        Event(entity, moment_of_iso(content, "occurred_at"), settings)
    )


def why_ignored(webhook_type: str) -> str:
    """Why a type does not count."""
    return IGNORED.get(webhook_type, "")
