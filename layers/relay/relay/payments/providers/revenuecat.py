"""RevenueCat: subscriptions and purchases from app stores, and from the web through RevenueCat.

RevenueCat does not sign its webhooks. Each one repeats an `Authorization` value of our choice,
which is the only proof of the sender: the value must be long, random and used nowhere else.

One transaction is one payment, and its id is the same in every redelivery. RevenueCat reports
refunds for the latest period only, once per transaction; refunds of earlier periods send no
webhook.

Amounts are in the buyer's currency (`price` would be in US dollars). Tax and commission come as
estimated shares of the price, so the net amounts are price x (1 - tax) and
price x (1 - tax - commission). Each is rounded once, half up, to the currency's places by ISO 4217
(or by the source's `minor_units`).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from relay.domain.movements import (
    Amount,
    CustomerHints,
    Interpretation,
    Link,
    Movement,
    MovementKind,
    ParsedWebhook,
    Ref,
    Treatment,
)
from relay.domain.payment_rules import SourceSettings
from relay.errors import SignatureRefusedError, UnreadableWebhookError
from relay.payments.providers.major_units import rounded
from relay.payments.providers.parsing import (
    MOST_ELEMENTS,
    Shape,
    at,
    chain,
    currency,
    flag,
    hint_shape,
    hints_from,
    identifier,
    identifier_or_none,
    keep,
    moment_of_milliseconds,
    moment_of_milliseconds_or_none,
    number_or_none,
    read_object,
    text,
    text_or_none,
)
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.signatures import any_matches, header
from relay.secrets import Secret

ACKNOWLEDGEMENT: Final = ""
SIGNATURE_HEADER: Final = "authorization"
SETTINGS: Final = SourceSettings

_PAYMENTS: Final = {
    "INITIAL_PURCHASE": MovementKind.FIRST_PAYMENT,
    "RENEWAL": MovementKind.RENEWAL,
    "NON_RENEWING_PURCHASE": MovementKind.PURCHASE,
}
_CANCELLATION: Final = "CANCELLATION"
_REFUND_REVERSED: Final = "REFUND_REVERSED"
_COUNTED: Final = frozenset({*_PAYMENTS, _CANCELLATION, _REFUND_REVERSED})

IGNORED: Final[Mapping[str, str]] = {
    "BILLING_ISSUE": "a payment that failed moved no money",
    "EXPERIMENT_ENROLLMENT": "no money",
    "EXPIRATION": "the end of what was paid for; the cancellation or refund was told before",
    "INVOICE_ISSUANCE": "asked for and not paid yet",
    "PRODUCT_CHANGE": "a wish; what comes of it is a renewal or a purchase with its price",
    "SUBSCRIBER_ALIAS": "each later webhook names the aliases itself",
    "SUBSCRIPTION_EXTENDED": "more time for the same money",
    "SUBSCRIPTION_PAUSED": "no money until it goes on, and then a renewal",
    "TEMPORARY_ENTITLEMENT_GRANT": "not seen by the store yet; the purchase follows, or nothing",
    "TEST": "sent from the dashboard by hand",
    "TRANSFER": "what was paid stays whose it was; later webhooks name the new owner",
    "UNCANCELLATION": "no money; the next renewal tells of some",
    "VIRTUAL_CURRENCY_TRANSACTION": "the app's own coins; the money for them is a purchase",
}
"""Types that report no money, or report it a second time, and why."""

_PRICE: Final = "price_in_purchased_currency"
_HEAD: Final[Shape] = {
    "event": dict.fromkeys(("id", "type", "environment", "event_timestamp_ms", "store"))
}
_SHAPE: Final[Shape] = dict.fromkeys(
    (
        *("cancel_reason", "event_timestamp_ms", "expiration_at_ms", "is_family_share"),
        *("is_trial_conversion", "original_transaction_id", "period_type", "product_id"),
        *("purchased_at_ms", "store", "transaction_id"),
        *(_PRICE, "currency", "tax_percentage", "commission_percentage"),
    )
)
_ATTRIBUTES: Final = ("$appsflyerId", "$idfa", "$idfv", "$gpsAdId")
"""The customer attributes that are kept; never e-mail, phone, name or network address."""

_ANONYMOUS: Final = "$RCAnonymousID:"
_PLATFORMS: Final = {
    "APP_STORE": "ios",
    "MAC_APP_STORE": "ios",
    "PLAY_STORE": "android",
    "AMAZON": "android",
}
"""Only stores that imply a platform. A web purchase (Stripe, Paddle, RevenueCat's own) may be used
in an app of any platform."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)

_REFUND_REASON: Final = "CUSTOMER_SUPPORT"
_CANCEL_REASONS: Final = frozenset(
    {"UNSUBSCRIBE", "DEVELOPER_INITIATED", "PRICE_INCREASE", "UNKNOWN"}
)
_BILLING_ERROR: Final = "BILLING_ERROR"
"""The store retries and the subscription may continue, so this is no cancellation."""


# Verify


def verify(
    webhook: Webhook, secrets: Sequence[Secret], settings: SourceSettings, now: datetime
) -> None:
    """Refuses unless the whole `Authorization` value is one of the secrets."""
    del settings, now  # nothing to set, and no time is signed
    expected = [value for secret in secrets if (value := secret.reveal()).strip()]
    if not any_matches([header(webhook, SIGNATURE_HEADER)], expected):
        raise SignatureRefusedError("the authorization value is none of the secrets")


# Parse


def parse(body: bytes, settings: SourceSettings) -> list[ParsedWebhook]:
    """The one event in a webhook."""
    content = read_object(body)
    head = keep(content, _HEAD)
    webhook_type = identifier(head, "event.type")
    treatment = _treatment_of(webhook_type)
    is_counted = treatment is Treatment.COUNTED
    return [
        ParsedWebhook(
            id=identifier(head, "event.id"),
            type=webhook_type,
            treatment=treatment,
            occurred_at=moment_of_milliseconds_or_none(head, "event.event_timestamp_ms"),
            test=settings.test or (is_counted and _is_test(head)),
            content=_content(content["event"], settings) if is_counted else {},
        )
    ]


def why_ignored(webhook_type: str) -> str:
    """Why a type does not count."""
    return IGNORED.get(webhook_type, "")


def _treatment_of(webhook_type: str) -> Treatment:
    if webhook_type in _COUNTED:
        return Treatment.COUNTED
    return Treatment.IGNORED if webhook_type in IGNORED else Treatment.UNKNOWN


def _is_test(head: object) -> bool:
    """Raises if the webhook does not say: money taken for a test would be dropped."""
    environment = text(head, "event.environment")
    if environment not in {"PRODUCTION", "SANDBOX"}:
        raise UnreadableWebhookError("event.environment is neither PRODUCTION nor SANDBOX")
    return environment == "SANDBOX" or text_or_none(head, "event.store") == "TEST_STORE"


def _content(event: Mapping[str, Any], settings: SourceSettings) -> dict[str, Any]:
    names = (*_ATTRIBUTES, *hint_shape(settings.metadata))
    attributes: Shape = {name: {"value": None} for name in names}
    kept = keep(event, {**_SHAPE, "subscriber_attributes": attributes})
    known = _customer_user_id(event)
    return {**kept, "customer_user_id": known} if known else kept


def _customer_user_id(event: Mapping[str, Any]) -> str | None:
    """The id that the app set, last seen first; anonymous ids are RevenueCat's and skipped."""
    aliases = at(event, "aliases")
    more = aliases[:MOST_ELEMENTS] if isinstance(aliases, list) else []
    for given in (at(event, "app_user_id"), at(event, "original_app_user_id"), *more):
        name = keep({"id": given}, {"id": None}).get("id")
        if isinstance(name, str) and name.strip() and not name.startswith(_ANONYMOUS):
            return name.strip()
    return None


# Interpret


def interpret(
    webhook_type: str, content: Mapping[str, Any], settings: SourceSettings
) -> Interpretation:
    """A movement, and customer hints for its transaction and subscription."""
    if flag(content, "is_family_share"):
        return Interpretation()  # another family member paid, and gets a webhook of their own
    movement = _movement(webhook_type, content, settings)
    transaction, subscription = _links(content)
    hints = _hints(content, settings)
    links = list(chain((transaction, subscription), hints, _trial_end(content)))
    if movement and movement.ref != transaction:
        links.append(Link(movement.ref, to=(movement.original_ref or subscription,)))
    if movement and movement.kind is MovementKind.REFUND_REVERSED and movement.original_ref:
        links.append(Link(movement.original_ref, to=(transaction,)))
    return Interpretation(tuple(links), movement)


def _movement(
    webhook_type: str, content: Mapping[str, Any], settings: SourceSettings
) -> Movement | None:
    if webhook_type in _PAYMENTS:
        return _payment(_PAYMENTS[webhook_type], content, settings)
    if webhook_type == _REFUND_REVERSED:
        return _refund_reversal(content, settings)
    if webhook_type != _CANCELLATION:
        raise UnreadableWebhookError("not a type that counts")
    reason = text(content, "cancel_reason")
    if reason == _REFUND_REASON:
        return _refund(content, settings)
    if reason in _CANCEL_REASONS:
        return _cancellation(content)
    if reason == _BILLING_ERROR:
        return None
    raise UnreadableWebhookError("cancel_reason is none that is known")


def _links(content: Mapping[str, Any]) -> tuple[Ref, Ref]:
    """Transaction and subscription; a subscription is named after its first transaction."""
    transaction = identifier(content, "transaction_id")
    first = identifier_or_none(content, "original_transaction_id") or transaction
    return f"transaction:{transaction}", f"subscription:{first}"


def _trial_end(content: Mapping[str, Any]) -> datetime | None:
    if text_or_none(content, "period_type") != "TRIAL":
        return None
    return moment_of_milliseconds_or_none(content, "expiration_at_ms")


def _payment(
    kind: MovementKind, content: Mapping[str, Any], settings: SourceSettings
) -> Movement | None:
    price = number_or_none(content, _PRICE)
    period = text_or_none(content, "period_type")
    if price is not None and price < 0:
        raise UnreadableWebhookError(f"{_PRICE} of a payment is below zero")
    if not price and period == "TRIAL":
        return _payment_movement(MovementKind.TRIAL, content, None)
    if period == "PROMOTIONAL" or price == 0:
        return None  # free
    if price is None:
        raise UnreadableWebhookError(f"{_PRICE} is missing")
    if flag(content, "is_trial_conversion"):
        kind = MovementKind.FIRST_PAYMENT
    return _payment_movement(kind, content, _amount(content, settings))


def _payment_movement(
    kind: MovementKind, content: Mapping[str, Any], amount: Amount | None
) -> Movement:
    transaction = identifier(content, "transaction_id")
    return Movement(
        kind,
        transaction,
        f"transaction:{transaction}",
        at=moment_of_milliseconds(content, "purchased_at_ms"),
        amount=amount,
        order_id=transaction,
        product_id=text_or_none(content, "product_id"),
        device=_device(content),
    )


def _refund(content: Mapping[str, Any], settings: SourceSettings) -> Movement | None:
    """A refund; its price is negative. Without a price it returns all of the original."""
    price = number_or_none(content, _PRICE)
    if price == 0 or (price is None and text_or_none(content, "period_type") == "TRIAL"):
        return None  # customer support ended a trial
    amount = _amount(content, settings)
    return _later_movement(MovementKind.REFUND, "transaction", "refund", content, amount)


def _refund_reversal(content: Mapping[str, Any], settings: SourceSettings) -> Movement:
    amount = _amount(content, settings)
    return _later_movement(
        MovementKind.REFUND_REVERSED, "refund", "refund_reversed", content, amount
    )


def _later_movement(
    kind: MovementKind,
    original_ref: str,
    sort: str,
    content: Mapping[str, Any],
    amount: Amount | None,
) -> Movement:
    """A later movement of a transaction; its time is the same in a redelivered webhook."""
    transaction = identifier(content, "transaction_id")
    return Movement(
        kind,
        f"{transaction}:{sort}",
        f"{sort}:{transaction}",
        at=moment_of_milliseconds(content, "event_timestamp_ms"),
        amount=amount,
        original_ref=f"{original_ref}:{transaction}",
        product_id=text_or_none(content, "product_id"),
        device=_device(content),
    )


def _cancellation(content: Mapping[str, Any]) -> Movement:
    """A cancellation; its id has the time, because customers may return and cancel again."""
    cancelled_at = moment_of_milliseconds(content, "event_timestamp_ms")
    subscription = _links(content)[1].removeprefix("subscription:")
    name = f"{subscription}:cancelled:{int(cancelled_at.timestamp())}"
    return Movement(
        MovementKind.CANCELLATION,
        name,
        f"cancellation:{name}",
        at=cancelled_at,
        product_id=text_or_none(content, "product_id"),
        device=_device(content),
    )


# Amounts


def _amount(content: Mapping[str, Any], settings: SourceSettings) -> Amount | None:
    """The price on each basis, without its sign; None if there is no price."""
    price = number_or_none(content, _PRICE)
    if price is None:
        return None
    code, places = currency(content, "currency"), settings.minor_units
    net_of_tax, net_of_both = _net_shares(content)
    return Amount(
        code,
        rounded(code, abs(price), places),
        None if net_of_tax is None else rounded(code, abs(price) * net_of_tax, places),
        None if net_of_both is None else rounded(code, abs(price) * net_of_both, places),
    )


def _net_shares(content: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """The shares of a price that remain without tax, and without tax and commission."""
    tax, commission = _share(content, "tax_percentage"), _share(content, "commission_percentage")
    if tax is None:
        return None, None
    if commission is None:
        return 1 - tax, None
    if tax + commission > 1:
        raise UnreadableWebhookError("tax and commission are more than the price")
    return 1 - tax, 1 - tax - commission


def _share(content: Mapping[str, Any], path: str) -> Decimal | None:
    share = number_or_none(content, path)
    if share is not None and not 0 <= share <= 1:
        raise UnreadableWebhookError(f"{path} is not between 0 and 1")
    return share


# Customer hints


def _hints(content: Mapping[str, Any], settings: SourceSettings) -> CustomerHints:
    """Customer hints: the app's own attributes take precedence over what RevenueCat knows."""
    attributes = {name: _attribute(content, name) for name in hint_shape(settings.metadata)}
    known = CustomerHints(
        customer_user_id=text_or_none(content, "customer_user_id"),
        appsflyer_id=_attribute(content, "$appsflyerId"),
        platform=_platform(content),
    )
    return hints_from(attributes, settings.metadata).or_else(known)


def _device(content: Mapping[str, Any]) -> dict[str, str]:
    """Device ids of the store's platform only: a customer may have devices of two platforms."""
    if _platform(content) == "ios":
        named = {"idfa": "$idfa", "idfv": "$idfv"}
    else:
        named = {"advertising_id": "$gpsAdId"} if _platform(content) == "android" else {}
    given = {field: _attribute(content, attribute) for field, attribute in named.items()}
    return {field: value for field, value in given.items() if value and _UUID.fullmatch(value)}


def _platform(content: Mapping[str, Any]) -> str | None:
    return _PLATFORMS.get(text_or_none(content, "store") or "")


def _attribute(content: Mapping[str, Any], name: str) -> str | None:
    """A customer attribute; None if it is not a text."""
    attributes = content.get("subscriber_attributes")
    given = at(attributes.get(name), "value") if isinstance(attributes, Mapping) else None
    return given.strip() or None if isinstance(given, str) else None
