"""A company's own billing: signed by the Standard Webhooks specification, in our own schema.

The specification (https://www.standardwebhooks.com) defines how a webhook is signed. The payment
schema is ours: docs/payments-schema.md. A type is `payment.` plus the name of a kind of movement.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from relay.domain.movements import (
    NEGATIVE,
    REVERSALS,
    WITHOUT_MONEY,
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
from relay.payments.providers.major_units import fits, rounded
from relay.payments.providers.parsing import (
    Shape,
    chain,
    flag,
    identifier,
    identifier_or_none,
    keep,
    moment_of_iso,
    moment_of_iso_or_none,
    read_object,
    refs_of,
)
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.signatures import check_age, check_hmac, header, in_base64
from relay.secrets import Secret
from relay.validation import first_fault

Value = TypeVar("Value")

ACKNOWLEDGEMENT: Final = ""
SIGNATURE_HEADER: Final = "webhook-signature"
"""Or `svix-signature`. The id and the time in the neighbouring headers are signed too."""
SETTINGS: Final = SourceSettings


TYPES: Final = {f"payment.{kind}": kind for kind in MovementKind}

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with
_SCHEME: Final = "v1"
"""HMAC-SHA256. `v1a` would be Ed25519, but a source has no key for it."""


# Verify


def verify(
    webhook: Webhook, secrets: Sequence[Secret], settings: SourceSettings, now: datetime
) -> None:
    """`webhook-signature: v1,<Base64> ...` of `<id>.<timestamp>.<body>`; also with `svix-` names.

    A key is the Base64 behind `whsec_`. One that is malformed signs nothing.
    """
    prefix = "webhook" if SIGNATURE_HEADER in webhook.headers else "svix"
    message_id = header(webhook, f"{prefix}-id")
    timestamp = header(webhook, f"{prefix}-timestamp")
    given = header(webhook, f"{prefix}-signature").split(" ")
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogatepass") + webhook.body
    check_hmac(_signatures_of_scheme(given), list(_keys(secrets)), signed, in_base64)
    check_age(timestamp, now, settings.tolerance_seconds)


def _signatures_of_scheme(given: Sequence[str]) -> Iterator[str]:
    for one in given:
        scheme, _, signature = one.partition(",")
        if scheme == _SCHEME:
            yield signature


def _keys(secrets: Sequence[Secret]) -> Iterator[bytes]:
    for secret in secrets:
        text = secret.reveal().strip().removeprefix(_SECRET_PREFIX)
        try:
            yield b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            continue


# Parse

_SHAPE: Final[Shape] = {
    "timestamp": None,
    "data": dict.fromkeys(
        (
            *("id", "amount", "currency", "tax", "fee", "original_id", "subscription_id"),
            *("order_id", "product_id", "quantity"),
            *("customer_user_id", "appsflyer_id", "app_id", "platform"),
        )
    ),
}


def parse(body: bytes, settings: SourceSettings) -> list[ParsedWebhook]:
    """The one movement of a webhook; `interpret` reports what is wrong with its fields."""
    content = read_object(body)
    webhook_type = identifier(content, "type")
    is_known = webhook_type in TYPES
    return [
        ParsedWebhook(
            id=_if_readable(identifier_or_none, content, "data.id") or webhook_type,
            type=webhook_type,
            treatment=Treatment.COUNTED if is_known else Treatment.UNKNOWN,
            occurred_at=_if_readable(moment_of_iso_or_none, content, "timestamp"),
            test=settings.test or (is_known and flag(content, "data.test")),
            content=keep(content, _SHAPE) if is_known else {},
        )
    ]


def why_ignored(_webhook_type: str) -> str:
    """Always empty: every type of our schema counts, and all others are unknown."""
    return ""


def _if_readable(
    read_field: Callable[[object, str], Value | None], content: object, path: str
) -> Value | None:
    try:
        return read_field(content, path)
    except UnreadableWebhookError:
        return None


# Interpret


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _upper(value: str) -> str:
    return value.upper()


_Id = Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
_Text = Annotated[str | None, BeforeValidator(_none_if_blank)]
_Decimal = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$")]
_Currency = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$"), AfterValidator(_upper)]


class Data(BaseModel):
    """What a movement is; see docs/payments-schema.md."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    id: _Id
    amount: _Decimal | None = None
    currency: _Currency | None = None
    tax: _Decimal | None = None
    fee: _Decimal | None = None
    original_id: _Id | None = None
    subscription_id: _Id | None = None
    order_id: _Text = None
    product_id: _Text = None
    quantity: Annotated[int, Field(ge=1)] | None = None
    customer_user_id: _Text = None
    appsflyer_id: _Text = None
    app_id: _Text = None
    platform: Literal["ios", "android", "web"] | None = None


def interpret(
    webhook_type: str, content: Mapping[str, Any], settings: SourceSettings
) -> Interpretation:
    """A movement, and customer hints for it and its subscription."""
    if webhook_type not in TYPES:
        raise UnreadableWebhookError("not a type that counts")
    data = _data(content)
    _check_fields(TYPES[webhook_type], data)
    ref = f"movement:{data.id}"
    original = refs_of(movement=data.original_id)
    subscription = refs_of(subscription=data.subscription_id)
    hints = CustomerHints(data.customer_user_id, data.appsflyer_id, data.app_id, data.platform)
    movement = Movement(
        TYPES[webhook_type],
        data.id,
        ref,
        at=moment_of_iso(content, "timestamp"),
        amount=_amount(data, settings.minor_units),
        original_ref=data.original_id and f"movement:{data.original_id}",
        order_id=data.order_id,
        product_id=data.product_id,
        quantity=data.quantity,
    )
    links = (Link(ref, to=(*original, *subscription), hints=hints), *chain(subscription, hints))
    return Interpretation(links, movement)


def _data(content: Mapping[str, Any]) -> Data:
    try:
        return Data.model_validate(content.get("data", {}))
    except ValidationError as error:
        raise UnreadableWebhookError(f"data.{first_fault(error)}") from None


def _check_fields(kind: MovementKind, data: Data) -> None:
    """Checks the fields that a kind of movement must have, and must not have."""
    needs_original = kind in NEGATIVE | REVERSALS
    if kind in WITHOUT_MONEY and data.amount:
        raise UnreadableWebhookError(f"data.amount: a {kind} moves no money")
    if kind not in WITHOUT_MONEY and not needs_original and not data.amount:
        raise UnreadableWebhookError("data.amount: Field required")
    if needs_original and data.original_id is None:
        raise UnreadableWebhookError("data.original_id: Field required")
    if data.original_id is not None and (not needs_original or data.original_id == data.id):
        raise UnreadableWebhookError("data.original_id: must name another movement, taken back")
    if data.amount and not data.currency:
        raise UnreadableWebhookError("data.currency: Field required")


def _amount(data: Data, places: Mapping[str, int]) -> Amount | None:
    """The amount; None for a movement without money, or one of all the original's money."""
    if data.amount is None or data.currency is None:
        return None
    gross = _exact_amount("amount", data.amount, data.currency, places)
    if not gross:
        raise UnreadableWebhookError("data.amount: must be more than nothing")
    if data.tax is None:
        if data.fee is not None:
            raise UnreadableWebhookError("data.tax: Field required where there is a fee")
        return Amount(data.currency, gross)
    net = gross - _exact_amount("tax", data.tax, data.currency, places)
    fee = None if data.fee is None else _exact_amount("fee", data.fee, data.currency, places)
    if net < (fee or 0):
        raise UnreadableWebhookError("data.amount: is less than its tax and fee")
    return Amount(data.currency, gross, net, None if fee is None else net - fee)


def _exact_amount(name: str, given: str, currency: str, places: Mapping[str, int]) -> Decimal:
    """An amount with all its currency's places; raises if it has more, which nobody can pay."""
    amount = Decimal(given)
    if not fits(currency, amount, places):
        raise UnreadableWebhookError(f"data.{name}: has more decimal places than its currency")
    return rounded(currency, amount, places)
