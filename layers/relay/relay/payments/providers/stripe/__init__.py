"""Stripe: which of its webhooks report money, and what they mean.

A refund or dispute names only the payment, and a payment does not have its subscription's metadata.
`invoice_payment.paid` links the payment to the invoice, whose snapshot of the subscription's
metadata says whose it is. Fields are those of API version 2025-03-31 and later; the few that moved
in it are also looked up in their older places, and `versions` says what else differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from relay.domain.movements import Interpretation, ParsedWebhook, Treatment
from relay.errors import UnreadableWebhookError
from relay.payments.providers.parsing import (
    Shape,
    at,
    flag,
    hint_shape,
    identifier,
    keep,
    moment_of_iso_or_none,
    moment_of_unix,
    moment_of_unix_or_none,
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
from relay.payments.providers.stripe.caveats import caveats_of
from relay.payments.providers.stripe.event import PREVIOUS_SHAPE, Event
from relay.payments.providers.stripe.kinds import COUNTED, treatment_of
from relay.payments.providers.stripe.kinds import why_ignored as why_ignored
from relay.payments.providers.stripe.returns import moved_nothing
from relay.payments.providers.stripe.settings import StripeSettings
from relay.payments.providers.stripe.versions import NO_LINK, Version
from relay.secrets import Secret

ACKNOWLEDGEMENT: Final = ""
SIGNATURE_HEADER: Final = "stripe-signature"
SETTINGS: Final = StripeSettings


def verify(
    webhook: Webhook, secrets: Sequence[Secret], settings: StripeSettings, now: datetime
) -> None:
    """`Stripe-Signature: t=...,v1=...`: HMAC-SHA256 in hex over `<t>.<body>`; `v0` is ignored.

    The key is the whole secret, `whsec_` included.
    """
    given = timed_signatures(header(webhook, SIGNATURE_HEADER), ",", "t", "v1")
    message = b"%s.%s" % (given.timestamp.encode(), webhook.body)
    check_hmac(given.signatures, text_keys(secrets), message, in_hex)
    check_age(given.timestamp, now, settings.tolerance_seconds)


def parse(body: bytes, settings: StripeSettings) -> list[ParsedWebhook]:
    """The one event in a webhook; a thin one (`v2.core.event`) holds nothing to count: unknown."""
    event = read_object(body)
    webhook_type = identifier(event, "type")
    treatment = treatment_of(webhook_type, event, settings)
    content = {}
    if treatment is Treatment.COUNTED:
        entity_shape = COUNTED[webhook_type].shape(hint_shape(settings.metadata))
        data: Shape = {"object": entity_shape, "previous_attributes": PREVIOUS_SHAPE}
        content = keep(event, {"created": None, "api_version": None, "data": data})
        content |= {"moved_nothing": True} if moved_nothing(webhook_type, event) else {}
    return [
        ParsedWebhook(
            id=identifier(event, "id"),
            type=webhook_type,
            treatment=treatment,
            occurred_at=_occurred_at(event),
            test=settings.test or at(event, "livemode") is False,
            content=content,
            caveats=caveats_of(webhook_type, event, treatment, settings),
        )
    ]


def _occurred_at(event: Mapping[str, Any]) -> datetime | None:
    """When it occurred: from Unix seconds, or ISO 8601 in a thin event."""
    if isinstance(event.get("created"), str):
        return moment_of_iso_or_none(event, "created")
    return moment_of_unix_or_none(event, "created")


def interpret(
    webhook_type: str, content: Mapping[str, Any], settings: StripeSettings
) -> Interpretation:
    """What an event means: links for the money trail, and at most one movement."""
    if webhook_type not in COUNTED:
        raise UnreadableWebhookError("its type does not count")
    event = Event(
        at(content, "data.object") or {},
        moment_of_unix(content, "created"),
        settings,
        Version.of(content.get("api_version")),
        at(content, "data.previous_attributes") or {},
        moved_nothing=flag(content, "moved_nothing"),
    )
    caveats = () if event.version.links_payments else (NO_LINK,)
    return replace(COUNTED[webhook_type].interpret(event), caveats=caveats)
