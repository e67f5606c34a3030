"""RevenueCat: who speaks, what is kept of it, and what it means."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from relay.domain.movements import (
    Amount,
    CustomerHints,
    Interpretation,
    Link,
    MovementKind,
    ParsedWebhook,
)
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.errors import UnreadableWebhookError
from relay.payments.providers import revenuecat
from tests.support.builders import Json
from tests.support.every import every

DATA = Path(__file__).parents[3] / "data"
NOW = datetime(2026, 10, 26, 8, tzinfo=UTC)
SETTINGS = SourceSettings(provider="revenuecat", apps=SourceApps())
EVENT = "7B1A6D0E-3C1F-4D59-8B5F-2C36E1A4F002"
IDFV = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"


def event(**overrides: Any) -> Json:
    content = json.loads((DATA / "webhooks/revenuecat_renewal_trial_conversion.json").read_text())
    return {**content["event"], **overrides}


def told(**overrides: Any) -> ParsedWebhook:
    body = json.dumps({"api_version": "1.0", "event": event(**overrides)}).encode()
    (one,) = revenuecat.parse(body, SETTINGS)
    return one


def meaning(settings: SourceSettings = SETTINGS, **overrides: Any) -> Interpretation:
    one = told(**overrides)
    return revenuecat.interpret(one.type, one.content, settings)


def sample(name: str) -> ParsedWebhook:
    (one,) = revenuecat.parse((DATA / "webhooks" / f"{name}.json").read_bytes(), SETTINGS)
    return one


# What is told


def test_read_of_the_test_store_is_a_test() -> None:
    assert told(store="TEST_STORE").test


def test_read_identity_and_ends_may_leave_out_where_they_are_from() -> None:
    assert not told(type="EXPIRATION", environment=None).test
    assert told(type="TRANSFER", environment="SANDBOX").test


@every(
    "names, customer",
    [
        ({"app_user_id": "user-1"}, "user-1"),
        ({"app_user_id": "$RCAnonymousID:1", "original_app_user_id": "user-2"}, "user-2"),
        (
            {
                "app_user_id": "$RCAnonymousID:1",
                "original_app_user_id": "$RCAnonymousID:2",
                "aliases": ["$RCAnonymousID:3", " user-3 "],
            },
            "user-3",
        ),
        (
            {"app_user_id": 7, "original_app_user_id": " ", "aliases": None},
            None,
        ),
    ],
)
def test_customer_is_never_an_anonymous_id(names: Json, customer: str | None) -> None:
    hints = meaning(**names).links[0].hints

    assert hints.customer_user_id == customer


@every(
    "came_from, went_to, customer",
    [
        (["$RCAnonymousID:1", "user-9"], ["$RCAnonymousID:2", "user-1"], "user-1"),
        (["user-9"], ["user-1"], None),
        (["$RCAnonymousID:1"], ["$RCAnonymousID:2"], None),
        (None, ["user-1"], None),
    ],
)
def test_transfer_says_who_an_anonymous_customer_is(
    came_from: list[str] | None, went_to: list[str], customer: str | None
) -> None:
    links = meaning(type="TRANSFER", transferred_from=came_from, transferred_to=went_to).links
    bought = meaning(original_app_user_id="$RCAnonymousID:1").links

    expected = [Link(bought[0].to[1], hints=CustomerHints(customer))] if customer else []
    assert list(links) == expected


def test_alias_says_who_an_anonymous_customer_is() -> None:
    names: Json = {"original_app_user_id": "$RCAnonymousID:1", "app_user_id": "user-1"}
    bought = meaning(original_app_user_id="$RCAnonymousID:1").links

    (link,) = meaning(type="SUBSCRIBER_ALIAS", **names).links

    assert link == Link(bought[0].to[1], hints=CustomerHints("user-1"))


def test_alias_of_nobody_says_nothing() -> None:
    names: Json = {"original_app_user_id": "$RCAnonymousID:1", "app_user_id": None, "aliases": []}

    assert meaning(type="SUBSCRIBER_ALIAS", **names).links == ()


# What it means


def test_understand_trial_has_no_money_and_an_end() -> None:
    one = sample("revenuecat_initial_purchase_trial")
    understood = revenuecat.interpret(one.type, one.content, SETTINGS)

    assert understood.movement is not None
    assert understood.movement.kind is MovementKind.TRIAL
    assert understood.movement.amount is None
    ends = {link.trial_end for link in understood.links if link.ref.startswith("subscription:")}
    assert datetime.fromtimestamp(1793606400, UTC) in ends


def test_understand_conversion_is_the_first_payment_in_the_buyers_currency() -> None:
    """49.99 less 15.97 %, and less 25.21 % of commission."""
    movement = meaning().movement

    assert movement is not None
    assert movement.kind is MovementKind.FIRST_PAYMENT
    assert movement.amount == Amount("EUR", Decimal("49.99"), Decimal("42.01"), Decimal("29.40"))
    assert movement.device == {"idfv": IDFV}


@every(
    "fields, amount",
    [
        ({"tax_percentage": None}, Amount("EUR", Decimal("49.99"))),
        ({"tax_percentage": 1.5}, Amount("EUR", Decimal("49.99"))),
        (
            {"tax_percentage": 0.8, "commission_percentage": 0.3},
            Amount("EUR", Decimal("49.99"), Decimal("10.00")),
        ),
        (
            {"tax_percentage": 0.8, "commission_percentage": 0.2},
            Amount("EUR", Decimal("49.99"), Decimal("10.00"), Decimal("0.00")),
        ),
        ({"commission_percentage": None}, Amount("EUR", Decimal("49.99"), Decimal("42.01"))),
        (
            {"currency": "JPY", "price_in_purchased_currency": 500, "tax_percentage": 0.1,
             "commission_percentage": 0.3},
            Amount("JPY", Decimal(500), Decimal(450), Decimal(300)),
        ),
    ],
)  # fmt: skip
def test_understand_bases_that_are_told(fields: Json, amount: Amount) -> None:
    movement = meaning(**fields).movement

    assert movement is not None
    assert movement.amount == amount


@every(
    "fields, kind",
    [
        ({"type": "RENEWAL", "is_trial_conversion": False}, MovementKind.RENEWAL),
        ({"type": "INITIAL_PURCHASE", "is_trial_conversion": None}, MovementKind.FIRST_PAYMENT),
        ({"type": "NON_RENEWING_PURCHASE", "is_trial_conversion": None}, MovementKind.PURCHASE),
    ],
)
def test_understand_payments(fields: Json, kind: MovementKind) -> None:
    movement = meaning(**fields).movement

    assert movement is not None
    assert (movement.kind, movement.id) == (kind, "2000000912345999")


@every(
    "fields",
    [
        {"period_type": "PROMOTIONAL"},
        {"price_in_purchased_currency": 0},
        {"is_family_share": True},
        {"type": "CANCELLATION", "cancel_reason": "BILLING_ERROR"},
        {"type": "EXPIRATION", "expiration_reason": "UNSUBSCRIBE"},
        {"type": "EXPIRATION", "transaction_id": None},
        {"type": "UNCANCELLATION"},
        {"type": "UNCANCELLATION", "transaction_id": None},
        {"type": "PRODUCT_CHANGE"},
        {"type": "PRODUCT_CHANGE", "transaction_id": None},
    ],
)
def test_understand_what_moves_no_money(fields: Json) -> None:
    assert meaning(**fields).movement is None


@every(
    "price, amount",
    [(-49.99, Decimal("49.99")), (0, None), (None, None)],
    ids=["told", "nothing", "null"],
)
def test_understand_refund_by_support(price: float | None, amount: Decimal | None) -> None:
    understood = meaning(
        type="CANCELLATION", cancel_reason="CUSTOMER_SUPPORT", price_in_purchased_currency=price
    )

    movement = understood.movement
    assert movement is not None
    assert (movement.kind, movement.id) == (MovementKind.REFUND, f"2000000912345999:refund:{EVENT}")
    assert movement.original_ref == "transaction:2000000912345999"
    assert (movement.amount.gross if movement.amount else None) == amount


@every("price", [0, None])
def test_understand_trial_that_support_ended_gives_no_money_back(price: int | None) -> None:
    understood = meaning(
        type="CANCELLATION",
        cancel_reason="CUSTOMER_SUPPORT",
        period_type="TRIAL",
        price_in_purchased_currency=price,
    )

    assert understood.movement is None


def test_understand_reversed_refund_names_the_payment() -> None:
    understood = meaning(type="REFUND_REVERSED")

    movement = understood.movement
    assert movement is not None
    assert movement.kind is MovementKind.REFUND_REVERSED
    assert movement.original_ref == "transaction:2000000912345999"


@every(
    "fields, name, ref",
    [
        ({"store": "APP_STORE"}, "t1", "t1"),
        ({"store": "PLAY_STORE"}, "t1", "t1"),
        ({}, "t1:2", "t1:2"),
        ({"renewal_number": 1}, "t1", "t1:1"),
        ({"renewal_number": None}, "t1@1793001600000", "t1@1793001600000"),
        ({"renewal_number": 0}, "t1@1793001600000", "t1@1793001600000"),
        ({"type": "INITIAL_PURCHASE", "renewal_number": None}, "t1", "t1:1"),
        ({"store": "RC_BILLING"}, "t1:2", "t1:2"),
    ],
)
def test_payment_is_known_by_its_number_where_the_transaction_names_several(
    fields: Json, name: str, ref: str
) -> None:
    understood = meaning(**{"store": "STRIPE", "transaction_id": "t1", **fields})

    movement, links = understood.movement, understood.links
    assert movement is not None
    assert (movement.id, movement.ref) == (name, f"transaction:{ref}")
    led = {link.ref: link.to for link in links}
    assert ref == "t1" or led["transaction:t1"] == (movement.ref,)


def test_refund_without_a_number_is_of_what_was_told_last() -> None:
    movement = meaning(
        store="STRIPE", type="CANCELLATION", cancel_reason="CUSTOMER_SUPPORT", renewal_number=None
    ).movement

    assert movement is not None
    assert movement.original_ref == "transaction:2000000912345999"


@every("fields", [{"price_in_purchased_currency": None}, {"currency": None}, {"currency": " "}])
def test_payment_whose_own_price_is_not_known_is_in_dollars(fields: Json) -> None:
    movement = meaning(**fields).movement

    assert movement is not None
    assert movement.amount is not None
    assert (movement.amount.currency, movement.amount.gross) == ("USD", Decimal("58.11"))


def test_understand_leaving_may_happen_twice() -> None:
    movement = meaning(type="CANCELLATION", cancel_reason="UNSUBSCRIBE").movement

    assert movement is not None
    assert movement.kind is MovementKind.CANCELLATION
    assert movement.id == "2000000900000001:cancelled:1793001604"


@every(
    "fields",
    [
        {"price_in_purchased_currency": -1},
        {"price_in_purchased_currency": None, "price": None},
        {"type": "CANCELLATION", "cancel_reason": "NOBODY_KNOWS"},
    ],
)
def test_understand_what_cannot_be_is_unreadable(fields: Json) -> None:
    with pytest.raises(UnreadableWebhookError):
        meaning(**fields)


@every(
    "store, device",
    [
        ("APP_STORE", {"idfv": IDFV}),
        ("PLAY_STORE", {"advertising_id": "9c9a82fb-d5de-4cd1-90c3-527441c11828"}),
        ("STRIPE", {}),
    ],
)
def test_device_is_of_the_platform_of_the_store(store: str, device: dict[str, str]) -> None:
    attributes = {
        "$idfv": {"value": IDFV},
        "$idfa": {"value": "not an id"},
        "$gpsAdId": {"value": "9c9a82fb-d5de-4cd1-90c3-527441c11828"},
        "$appsflyerId": {"value": 7},
    }

    movement = meaning(store=store, subscriber_attributes=attributes).movement

    assert movement is not None
    assert movement.device == device


def test_attribute_of_the_apps_own_goes_before_what_revenuecat_knows() -> None:
    attributes = {"af_app_id": {"value": "id123456789"}, "app_user_id": {"value": "own"}}

    hints = meaning(subscriber_attributes=attributes).links[0].hints

    assert (hints.app_id, hints.customer_user_id) == ("id123456789", "own")


def test_purchase_without_an_original_is_its_own() -> None:
    links = meaning(original_transaction_id=None).links

    assert "subscription:2000000912345999" in links[0].to
