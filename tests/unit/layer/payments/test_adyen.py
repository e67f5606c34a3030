"""Adyen: who speaks, what is kept of it, and what it means."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import Adyen.util as sdk
import pytest

from relay.domain.movements import (
    Amount,
    CustomerHints,
    Interpretation,
    Link,
    MovementKind,
    Treatment,
)
from relay.domain.payment_rules import SourceApps
from relay.errors import ConfigurationError, SignatureRefusedError, UnreadableWebhookError
from relay.payments.providers import adyen
from relay.payments.providers.adyen.settings import AdyenSettings
from relay.payments.providers.protocol import Webhook
from relay.secrets import Secret
from tests.support.builders import Json
from tests.support.every import every

DATA = Path(__file__).parents[3] / "data"
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
NOW = datetime(2026, 10, 26, 8, tzinfo=UTC)
AT = datetime(2026, 10, 26, 8, 0, 5, tzinfo=UTC)
SETTINGS = AdyenSettings(provider="adyen", apps=SourceApps())
AT_CAPTURE = SETTINGS.model_copy(update={"payment_event": "capture"})
PAYMENT = "payment:PAY1"


def make_item(code: str = "AUTHORISATION", **overrides: Any) -> Json:
    item = {
        "additionalData": {"shopperReference": "user-1"},
        "amount": {"currency": "EUR", "value": 5949},
        "eventCode": code,
        "eventDate": "2026-10-26T10:00:05+02:00",
        "merchantAccountCode": "ExampleECOM",
        "merchantReference": "user-1:order-1",
        "pspReference": "PAY1" if code == "AUTHORISATION" else "PSP2",
        "reason": "033899:4242:08/2030",
        "success": "true",
        **({} if code == "AUTHORISATION" else {"originalReference": "PAY1"}),
    }
    return {name: value for name, value in (item | overrides).items() if value is not None}


def body_of(*items: Json, sign: bool = True, live: object = "true") -> bytes:
    """A webhook, signed by Adyen's own library."""
    for item in items:
        if sign:
            made = sdk.generate_notification_sig(item, KEY)
            signature = made.decode() if isinstance(made, bytes) else made
            item["additionalData"] = {**item["additionalData"], "hmacSignature": signature}
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": live, "notificationItems": wrapped}).encode()


def verify(
    body: bytes,
    settings: AdyenSettings = SETTINGS,
    secrets: Sequence[str] = (KEY,),
    **headers: str,
) -> None:
    adyen.verify(Webhook(headers, body), [Secret(one) for one in secrets], settings, NOW)


def meaning(item: Json, settings: AdyenSettings = SETTINGS) -> Interpretation:
    (told,) = adyen.parse(body_of(item), settings)
    return adyen.interpret(told.type, told.content, settings)


# Who speaks


def test_verify_what_adyens_library_signs_is_taken() -> None:
    verify(body_of(make_item(), make_item("REFUND")))


SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")


@every("field", [*SIGNED, "eventCode", "success", "currency", "value"])
def test_verify_each_bit_of_a_signed_field_counts(field: str) -> None:
    item = make_item("REFUND")
    body_of(item)
    holder = item["amount"] if field in ("currency", "value") else item
    raw = str(holder[field]).encode()
    number = int.from_bytes(raw)
    for bit in range(8 * len(raw)):
        changed = (number ^ 1 << bit).to_bytes(len(raw)).decode("latin-1")
        kept, holder[field] = holder[field], changed
        with pytest.raises(SignatureRefusedError):
            verify(body_of(item, sign=False))
        holder[field] = kept


def test_verify_second_item_that_is_forged_refuses_all() -> None:
    good, forged = make_item(), make_item("REFUND")
    body_of(good, forged)
    forged["amount"]["value"] = 1

    with pytest.raises(SignatureRefusedError):
        verify(body_of(good, forged, sign=False))


def test_verify_field_that_moved_over_a_colon_is_refused() -> None:
    """Colons are not escaped: the text that is signed would be the same."""
    item = make_item("REFUND", pspReference="A", originalReference="B:C")
    moved = {**item, "pspReference": "A:B", "originalReference": "C"}
    body_of(item)
    moved["additionalData"] = item["additionalData"]

    with pytest.raises(SignatureRefusedError, match="holds a colon"):
        verify(body_of(moved, sign=False))


@every(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"notificationItems": []}',
        b'{"notificationItems": [{}]}',
        b'{"notificationItems": [{"NotificationRequestItem": {"additionalData": {}}}]}',
        (
            b'{"notificationItems": [{"NotificationRequestItem": {"additionalData": '
            b'{"hmacSignature": "x"}, "success": true}}]}'
        ),
    ],
)
def test_verify_what_is_no_signed_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(body)


@every("key", ["not hexadecimal", "", "00"])
def test_verify_malformed_key_signs_nothing(key: str) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(body_of(make_item()), secrets=(key,))


def test_verify_header_signature_is_over_the_whole_body() -> None:
    body = b'{"type": "recurring.token.created"}'
    digest = hmac.digest(bytes.fromhex(KEY), body, "sha256")
    signature = base64.b64encode(digest).decode()

    verify(body, hmacsignature=signature)
    with pytest.raises(SignatureRefusedError):
        verify(body + b" ", hmacsignature=signature)


DIGEST = hashlib.sha256(b"adyen:pass").hexdigest()
OTHER_DIGEST = hashlib.sha256(b"adyen:other").hexdigest()
IN_SETTINGS = SETTINGS.model_copy(update={"basic_auth_sha256": (DIGEST,)})


def basic(credentials: bytes) -> str:
    return f"Basic {base64.b64encode(credentials).decode()}"


@every(
    "settings, secrets",
    [
        (SETTINGS, (KEY, f"basic_auth_sha256={DIGEST}")),
        (SETTINGS, (f"basic_auth_sha256={OTHER_DIGEST}", f"basic_auth_sha256={DIGEST}", KEY)),
        (IN_SETTINGS, (KEY,)),
    ],
    ids=["in-secrets", "two-in-secrets", "where-it-stood-before"],
)
def test_verify_basic_authentication_where_the_source_asks_for_it(
    settings: AdyenSettings, secrets: tuple[str, ...]
) -> None:
    body = body_of(make_item())
    right = basic(b"adyen:pass")

    verify(body, settings, secrets=secrets, authorization=right)
    for given in (basic(b"adyen:guess"), right.replace("Basic", "Bearer"), "Basic ***"):
        with pytest.raises(SignatureRefusedError):
            verify(body, settings, secrets=secrets, authorization=given)
    with pytest.raises(SignatureRefusedError):
        verify(body, settings, secrets=secrets)


def test_verify_basic_authentication_by_the_secrets_alone_once_they_hold_it() -> None:
    secrets = (KEY, f"basic_auth_sha256={OTHER_DIGEST}")

    with pytest.raises(SignatureRefusedError):
        verify(
            body_of(make_item()), IN_SETTINGS, secrets=secrets, authorization=basic(b"adyen:pass")
        )


@every("digest", ["", DIGEST.upper(), DIGEST[:-1], f" {DIGEST}"])
def test_verify_malformed_digest_among_the_secrets_lets_nobody_in(digest: str) -> None:
    with pytest.raises(ConfigurationError, match="basic_auth_sha256") as raised:
        verify(body_of(make_item()), secrets=(KEY, f"basic_auth_sha256={digest}"))

    assert DIGEST[:8] not in str(raised.value).lower()


# What is told


def test_read_tells_of_each_item() -> None:
    told = adyen.parse(body_of(make_item(), make_item("REFUND")), SETTINGS)

    assert [(one.id, one.type) for one in told] == [("PAY1", "AUTHORISATION"), ("PSP2", "REFUND")]
    assert told[0].occurred_at == AT


@every(
    "code, success, settings, treatment",
    [
        ("AUTHORISATION", "true", SETTINGS, Treatment.COUNTED),
        ("AUTHORISATION", "false", SETTINGS, Treatment.IGNORED),
        ("AUTHORISATION", "perhaps", SETTINGS, Treatment.UNKNOWN),
        ("AUTHORISATION", None, SETTINGS, Treatment.UNKNOWN),
        ("CAPTURE", "true", SETTINGS, Treatment.COUNTED),
        ("CAPTURE", "false", AT_CAPTURE, Treatment.IGNORED),
        ("REFUND", "false", SETTINGS, Treatment.COUNTED),
        ("CAPTURE", "true", AT_CAPTURE, Treatment.COUNTED),
        ("CANCELLATION", "true", SETTINGS, Treatment.COUNTED),
        ("CANCELLATION", "true", AT_CAPTURE, Treatment.IGNORED),
        ("NOTIFICATION_OF_CHARGEBACK", "true", SETTINGS, Treatment.IGNORED),
        ("REPORT_AVAILABLE", "true", SETTINGS, Treatment.IGNORED),
        ("PREARBITRATION_WON", "true", SETTINGS, Treatment.UNKNOWN),
    ],
)
def test_read_treats_each_type_as_it_counts(
    code: str, success: str | None, settings: AdyenSettings, treatment: Treatment
) -> None:
    (told,) = adyen.parse(body_of(make_item(code, success=success), sign=False), settings)

    assert told.treatment is treatment
    assert bool(told.content) is (treatment is Treatment.COUNTED)


@every(
    "fields, name",
    [
        ({"eventCode": None}, ("PAY1", "")),
        ({"pspReference": "Jane Roe"}, ("", "AUTHORISATION")),
        ({"eventDate": "then"}, ("PAY1", "AUTHORISATION")),
    ],
)
def test_read_item_that_cannot_be_read_does_not_cost_its_neighbour(
    fields: dict[str, Any], name: tuple[str, str]
) -> None:
    body = body_of({**make_item(), **fields}, make_item("REFUND"), sign=False)

    broken, refund = adyen.parse(body, SETTINGS)

    assert (broken.id, broken.type) == name
    assert (broken.treatment, broken.content) == (Treatment.UNKNOWN, {})
    assert next(iter(fields)) in str(broken.problem)
    assert "then" not in str(broken.problem)
    assert (refund.id, refund.treatment) == ("PSP2", Treatment.COUNTED)


@every(
    "kind, treatment",
    [
        ("recurring.token.created", Treatment.IGNORED),
        ("balancePlatform.transfer.created", Treatment.UNKNOWN),
    ],
)
def test_read_event_that_is_signed_by_a_header(kind: str, treatment: Treatment) -> None:
    body = json.dumps({"type": kind, "environment": "test"}).encode()

    (told,) = adyen.parse(body, SETTINGS)

    assert (told.id, told.type, told.treatment, told.test) == (kind, kind, treatment, True)


# What it means


def sample(name: str) -> Interpretation:
    body = (DATA / "webhooks" / f"{name}.json").read_bytes()
    (told,) = adyen.parse(body, SETTINGS)
    return adyen.interpret(told.type, told.content, SETTINGS)


def test_understand_authorisation_is_a_purchase() -> None:
    understood = sample("adyen_authorisation")

    hints = CustomerHints("user_84213", "1698765432100-1234567890123456789")
    assert understood.links == (Link("payment:QFQTPCQ8HXSKGK82", hints=hints),)
    movement = understood.movement
    assert movement is not None
    assert (movement.kind, movement.id) == (MovementKind.PURCHASE, "QFQTPCQ8HXSKGK82")
    assert movement.amount == Amount("EUR", Decimal("59.49"))
    assert movement.order_id == "user_84213:order-1001"
    assert movement.at == AT


def test_understand_refund_is_about_its_payment() -> None:
    movement = sample("adyen_refund").movement

    assert movement is not None
    assert (movement.kind, movement.id) == (MovementKind.REFUND, "RFNDPCQ8HXSKGK83")
    assert movement.original_ref == "payment:QFQTPCQ8HXSKGK82"
    assert movement.amount == Amount("EUR", Decimal("20.00"))


def test_understand_payment_without_the_shopper_is_a_renewal() -> None:
    movement = meaning(make_item(additionalData={"shopperInteraction": "ContAuth"})).movement

    assert movement is not None
    assert movement.kind is MovementKind.RENEWAL


def test_understand_capture_is_the_payment_where_captures_count() -> None:
    authorised = meaning(make_item(), AT_CAPTURE)
    captured = meaning(make_item("CAPTURE"), AT_CAPTURE)

    assert authorised.movement is None
    assert authorised.links[0].ref == PAYMENT
    assert captured.movement is not None
    assert (captured.movement.id, captured.movement.ref) == ("PAY1", PAYMENT)


@every("code", ["AUTHORISATION", "CAPTURE", "REFUND"])
def test_understand_nothing_is_no_movement(code: str) -> None:
    understood = meaning(make_item(code, amount={"currency": "EUR", "value": 0}))

    assert (understood.movement, understood.perhaps) == (None, None)


@every(
    "references, customer",
    [
        ({"tokenization.shopperReference": "user-2", "recurring.shopperReference": "u"}, "user-2"),
        ({"recurring.shopperReference": " user-3 "}, "user-3"),
        ({"shopperReference": "user-1", "tokenization.shopperReference": "u"}, "user-1"),
        ({"shopperReference": " ", "recurring.shopperReference": "user-3"}, "user-3"),
        ({"metadata.app_user_id": "user-4", "shopperReference": "user-1"}, "user-4"),
        ({}, None),
    ],
)
def test_understand_shopper_wherever_the_reference_stands(
    references: Json, customer: str | None
) -> None:
    (link,) = meaning(make_item(additionalData=references)).links

    assert link.hints.customer_user_id == customer


def test_understand_cancellation_of_what_was_not_captured_is_no_refund() -> None:
    cancelled = {"modification.action": "cancel"}
    item = make_item("CANCEL_OR_REFUND", additionalData=cancelled)

    assert meaning(item, AT_CAPTURE).movement is None
    assert meaning(make_item("CANCEL_OR_REFUND", additionalData=cancelled)).movement is not None


@every(
    "code, kind, id_, about",
    [
        ("CAPTURE_FAILED", MovementKind.REFUND, "PSP2", PAYMENT),
        ("CANCELLATION", MovementKind.REFUND, "PSP2", PAYMENT),
        ("EXPIRE", MovementKind.REFUND, "PSP2:expired", PAYMENT),
        ("REFUND_FAILED", MovementKind.REFUND_REVERSED, "PSP2:failed", "refund:PSP2"),
        ("REFUNDED_REVERSED", MovementKind.REFUND_REVERSED, "PSP2:failed", "refund:PSP2"),
        ("CHARGEBACK", MovementKind.DISPUTE, "PSP2", PAYMENT),
        ("SECOND_CHARGEBACK", MovementKind.DISPUTE, "PSP2:second", PAYMENT),
        ("CHARGEBACK_REVERSED", MovementKind.DISPUTE_WON, "PSP2:won", "dispute:PSP2"),
    ],
)
def test_understand_what_happens_to_a_payment(
    code: str, kind: MovementKind, id_: str, about: str
) -> None:
    understood = meaning(make_item(code))

    movement = understood.movement
    assert movement is not None
    assert (movement.kind, movement.id, movement.original_ref) == (kind, id_, about)
    links = {link.ref: link.to for link in understood.links}
    assert links[movement.ref] == (about,)
    assert links.get(about, (PAYMENT,)) == (PAYMENT,)


@every(
    "code, about",
    [("SECOND_CHARGEBACK", "dispute:PSP2"), ("CHARGEBACK_REVERSED", "dispute:PSP2")],
)
def test_understand_later_step_may_leave_the_payment_out(code: str, about: str) -> None:
    movement = meaning(make_item(code, originalReference=None)).movement

    assert movement is not None
    assert movement.original_ref == about


def test_understand_expiry_of_what_it_names_itself() -> None:
    movement = meaning(make_item("EXPIRE", originalReference=None)).movement

    assert movement is not None
    assert movement.original_ref == "payment:PSP2"


@every("code", ["CANCELLATION", "CANCEL_OR_REFUND"])
def test_understand_cancellation_without_an_amount_is_of_all(code: str) -> None:
    nothing = {"currency": "EUR", "value": 0}
    movement = meaning(make_item(code, amount=nothing)).movement

    assert movement is not None
    assert movement.amount is None


@every(
    "code, settings",
    [("REFUND", SETTINGS), ("CHARGEBACK", SETTINGS), ("CAPTURE", AT_CAPTURE)],
)
def test_understand_without_its_payment_is_unreadable(code: str, settings: AdyenSettings) -> None:
    with pytest.raises(UnreadableWebhookError, match="originalReference"):
        meaning(make_item(code, originalReference=None), settings)
