"""Standard Webhooks: who speaks, and what our schema takes."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks import Webhook as Sdk

from relay.domain.movements import (
    Amount,
    CustomerHints,
    Interpretation,
    MovementKind,
    ParsedWebhook,
)
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.errors import SignatureRefusedError, UnreadableWebhookError
from relay.payments.providers import standard_webhooks
from relay.payments.providers.protocol import Webhook
from relay.secrets import Secret
from tests.support.builders import Json
from tests.support.every import every

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
NOW = datetime(2026, 10, 26, 8, tzinfo=UTC)
SETTINGS = SourceSettings(provider="standard_webhooks", apps=SourceApps())
BODY = b'{"type":"payment.trial"}'


def signed(body: bytes = BODY, at: datetime = NOW, prefix: str = "webhook") -> dict[str, str]:
    """Headers, made by the specification's own library."""
    return {
        f"{prefix}-id": "msg_1",
        f"{prefix}-timestamp": str(int(at.timestamp())),
        f"{prefix}-signature": Sdk(SECRET).sign("msg_1", at, body.decode()),
    }


def verify(headers: dict[str, str], body: bytes = BODY, *secrets: str) -> None:
    keys = [Secret(secret) for secret in secrets or (SECRET,)]
    standard_webhooks.verify(Webhook(headers, body), keys, SETTINGS, NOW)


def told(kind: str = "payment.purchase", **data: Any) -> ParsedWebhook:
    content = {"type": kind, "timestamp": "2026-10-26T10:00:00+02:00", "data": data}
    (one,) = standard_webhooks.parse(json.dumps(content).encode(), SETTINGS)
    return one


def meaning(kind: str = "payment.purchase", **data: Any) -> Interpretation:
    one = told(kind, **data)
    return standard_webhooks.interpret(one.type, one.content, SETTINGS)


PURCHASE: Json = {"id": "c-1", "amount": "9.99", "currency": "eur"}


# Who speaks


@every("prefix", ["webhook", "svix"])
def test_verify_what_the_library_signs_is_taken(prefix: str) -> None:
    verify(signed(prefix=prefix))


@every("secret", ["whsec_***", "", "whsec_"])
def test_verify_malformed_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(signed(), BODY, secret)


@every("headers", [{}, {"webhook-signature": "v1"}, {"webhook-signature": "v1a,AAAA"}])
def test_verify_headers_that_are_none_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(headers)


# What is told


def test_read_id_and_time_that_cannot_be_read_leave_it_to_be_understood() -> None:
    content = {"type": "payment.trial", "timestamp": 7, "data": {"id": {"a": 1}}}

    (one,) = standard_webhooks.parse(json.dumps(content).encode(), SETTINGS)

    assert (one.id, one.occurred_at) == ("payment.trial", None)


# What it means


def test_understand_payment_with_all_that_can_be_told() -> None:
    understood = meaning(
        "payment.renewal",
        **PURCHASE,
        tax="1.60",
        fee="0.4",
        subscription_id="s-1",
        order_id="o-1",
        product_id="premium",
        quantity=2,
        customer_user_id="user-1",
        appsflyer_id=" ",
        app_id="id123456789",
        platform="ios",
    )

    movement = understood.movement
    assert movement is not None
    assert (movement.kind, movement.id) == (MovementKind.RENEWAL, "c-1")
    assert movement.amount == Amount("EUR", Decimal("9.99"), Decimal("8.39"), Decimal("7.99"))
    assert (movement.order_id, movement.product_id, movement.quantity) == ("o-1", "premium", 2)
    hints = CustomerHints("user-1", None, "id123456789", "ios")
    assert [(link.ref, link.to) for link in understood.links] == [
        ("movement:c-1", ("subscription:s-1",)),
        ("subscription:s-1", ()),
    ]
    assert {link.hints for link in understood.links} == {hints}


@every(
    "kind, data",
    [
        ("refund", {"id": "r-1", "original_id": "c-1"}),
        ("dispute", {"id": "r-1", "original_id": "c-1", "amount": "1.00", "currency": "EUR"}),
        ("refund_reversed", {"id": "r-1", "original_id": "c-1"}),
        ("dispute_won", {"id": "r-1", "original_id": "c-1"}),
    ],
)
def test_understand_what_takes_back_names_its_original(kind: str, data: Json) -> None:
    movement = meaning(f"payment.{kind}", **data).movement

    assert movement is not None
    assert (movement.kind.value, movement.original_ref) == (kind, "movement:c-1")
    assert (movement.amount is None) is ("amount" not in data)


@every("kind", ["trial", "cancellation"])
def test_understand_steps_without_money(kind: str) -> None:
    movement = meaning(f"payment.{kind}", id="t-1").movement

    assert movement is not None
    assert (movement.kind.value, movement.amount) == (kind, None)


@every(
    "kind, data, field",
    [
        ("purchase", {"amount": "9.99", "currency": "EUR"}, "id"),
        ("purchase", {**PURCHASE, "amount": 9.99}, "amount"),
        ("purchase", {**PURCHASE, "amount": "-9.99"}, "amount"),
        ("purchase", {**PURCHASE, "amount": "1e3"}, "amount"),
        ("purchase", {**PURCHASE, "amount": "0"}, "amount"),
        ("purchase", {**PURCHASE, "amount": "9.999"}, "amount"),
        ("purchase", {**PURCHASE, "currency": None}, "currency"),
        ("purchase", {"id": "c-1"}, "amount"),
        ("purchase", {**PURCHASE, "fee": "1.00"}, "tax"),
        ("purchase", {**PURCHASE, "tax": "9.00", "fee": "1.00"}, "amount"),
        ("purchase", {**PURCHASE, "original_id": "c-0"}, "original_id"),
        ("purchase", {**PURCHASE, "quantity": 0}, "quantity"),
        ("purchase", {**PURCHASE, "platform": "windows"}, "platform"),
        ("refund", {"id": "r-1"}, "original_id"),
        ("refund", {"id": "r-1", "original_id": "r-1"}, "original_id"),
        ("trial", PURCHASE, "amount"),
    ],
)
def test_understand_field_that_is_wrong_is_named(kind: str, data: Json, field: str) -> None:
    with pytest.raises(UnreadableWebhookError, match=f"^data.{field}"):
        meaning(f"payment.{kind}", **data)
