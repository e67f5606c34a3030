"""A provider that does not exist, as small as one can be: a folder, and a line in the registry."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from relay.domain.movements import (
    Amount,
    CustomerHints,
    Interpretation,
    Link,
    Movement,
    MovementKind,
    ParsedWebhook,
    Treatment,
)
from relay.domain.payment_rules import SourceSettings
from relay.errors import UnreadableWebhookError
from relay.payments.providers.minor_units import from_minor
from relay.payments.providers.parsing import (
    currency,
    identifier,
    keep,
    moment_of_iso,
    read_object,
    text,
    text_or_none,
    whole,
)
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.signatures import check_hmac, header, in_hex, text_keys
from relay.secrets import Secret

PLACES: Final[Mapping[str, int]] = {"EUR": 1, "JPY": 0}
_SALE: Final = "sale"
_SHAPE: Final = dict.fromkeys(("id", "at", "user", "app", "cents", "currency"))


class MadeUpSettings(SourceSettings):
    """One account there."""

    counts: bool = True
    """Whether what is sold counts."""


ACKNOWLEDGEMENT: Final = "thanks"
SIGNATURE_HEADER: Final = "made-up-signature"
SETTINGS: Final = MadeUpSettings


def verify(
    webhook: Webhook, secrets: Sequence[Secret], settings: MadeUpSettings, now: datetime
) -> None:
    """`Made-Up-Signature`: HMAC-SHA256 in hex over the body."""
    del settings, now
    check_hmac([header(webhook, SIGNATURE_HEADER)], text_keys(secrets), webhook.body, in_hex)


def parse(body: bytes, settings: MadeUpSettings) -> list[ParsedWebhook]:
    """The one sale in a webhook."""
    event = read_object(body)
    kind = identifier(event, "made_up")
    ignored = Treatment.IGNORED if why_ignored(kind) or kind == _SALE else Treatment.UNKNOWN
    counts = kind == _SALE and settings.counts
    return [
        ParsedWebhook(
            id=identifier(event, "id"),
            type=kind,
            treatment=Treatment.COUNTED if counts else ignored,
            test=settings.test,
            content=keep(event, _SHAPE) if counts else {},
        )
    ]


def interpret(
    webhook_type: str, content: Mapping[str, Any], settings: MadeUpSettings
) -> Interpretation:
    """A sale is a purchase."""
    if webhook_type != _SALE:
        raise UnreadableWebhookError("no sale")
    name, code = identifier(content, "id"), currency(content, "currency")
    gross = from_minor(PLACES, code, whole(content, "cents"), settings.minor_units)
    ref = f"payment:{name}"
    hints = CustomerHints(
        appsflyer_id="1624875600000-2718281",
        customer_user_id=text(content, "user"),
        app_id=text_or_none(content, "app"),
    )
    movement = Movement(
        MovementKind.PURCHASE,
        name,
        ref,
        at=moment_of_iso(content, "at"),
        amount=Amount(code, gross),
    )
    return Interpretation((Link(ref, hints=hints),), movement)


def why_ignored(webhook_type: str) -> str:
    """Why a type does not count."""
    return "nothing was sold" if webhook_type == "visit" else ""


def signature_of(body: bytes, secret: str) -> str:
    """What the provider would put into its header."""
    return hmac.digest(secret.encode(), body, "sha256").hex()
