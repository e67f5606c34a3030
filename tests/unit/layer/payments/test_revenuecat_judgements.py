"""RevenueCat: what an event is, by what happened before and beside it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.domain.movements import Circumstances, Link, Movement, MovementKind, NotKnownYetError
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.payments.providers import revenuecat
from tests.support.builders import Json
from tests.support.every import every
from tests.support.ledger_stories import heard, played, tell

SETTINGS = SourceSettings(provider="revenuecat", apps=SourceApps())
SAMPLE = Path(__file__).parents[3] / "data/webhooks/revenuecat_renewal_trial_conversion.json"
BOUGHT = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOLD = BOUGHT + timedelta(hours=9)  # a notification of the store's may be late
NOW = timedelta(0)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BEFORE = BOUGHT - 7 * DAY
FIRST, RENEWAL = MovementKind.FIRST_PAYMENT, MovementKind.RENEWAL
CANCELLATION = MovementKind.CANCELLATION


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def body(kind: str, **more: Any) -> Json:
    event = {
        **json.loads(SAMPLE.read_text("utf-8"))["event"],
        "type": kind,
        "is_trial_conversion": None,
        "event_timestamp_ms": milliseconds(TOLD),
        "purchased_at_ms": milliseconds(BOUGHT),
        "original_transaction_id": "own",
        **more,
    }
    return {"api_version": "1.0", "event": event}


def understood(kind: str, **more: Any) -> tuple[Movement | None, tuple[Link, ...]]:
    (one,) = revenuecat.parse(json.dumps(body(kind, **more)).encode(), SETTINGS)
    found = revenuecat.interpret(one.type, one.content, SETTINGS)
    return found.movement, found.links


def judged(
    kind: str, moments: Mapping[str, datetime], waited: timedelta = NOW, **more: Any
) -> MovementKind | None:
    movement, _ = understood(kind, **more)
    assert movement is not None
    assert movement.judge is not None
    return movement.judge(Circumstances(moments, {}, waited))


@every(
    "moments, kind",
    [
        ({}, FIRST),
        ({"changed:old": TOLD}, RENEWAL),
        ({"changed:old": TOLD + HOUR}, RENEWAL),
        ({"changed:old": BOUGHT - HOUR}, RENEWAL),
        ({"changed:old": TOLD + 2 * HOUR}, FIRST),
        ({"changed:own": BEFORE}, FIRST),
        ({"changed:old": TOLD, "trial:old": TOLD}, FIRST),
        ({"changed:old": TOLD, "trial:old": TOLD, "paid:old": TOLD}, RENEWAL),
        ({"changes_to:premium_yearly": BOUGHT - DAY}, RENEWAL),
        ({"changes_to:premium_yearly": BOUGHT - 2 * DAY}, FIRST),
        ({"changes_to:another": BOUGHT}, FIRST),
        ({"paid:old": BOUGHT}, FIRST),
        ({"paid:own": BOUGHT + DAY}, FIRST),
    ],
)
def test_purchase_at_google_play_is_a_renewal_if_it_replaces_what_was_paid(
    moments: dict[str, datetime], kind: MovementKind
) -> None:
    assert judged("INITIAL_PURCHASE", moments, MINUTE, store="PLAY_STORE") is kind


def test_purchase_beside_another_subscription_waits_for_a_change_of_product() -> None:
    moments = {"paid:old": BOUGHT + DAY}

    with pytest.raises(NotKnownYetError):
        judged("INITIAL_PURCHASE", moments, MINUTE, store="PLAY_STORE")
    assert judged("INITIAL_PURCHASE", moments, 3 * HOUR, store="PLAY_STORE") is FIRST


def test_purchase_waits_a_moment_for_a_change_that_is_told_beside_it() -> None:
    with pytest.raises(NotKnownYetError) as caught:
        judged("INITIAL_PURCHASE", {}, MINUTE / 3, store="PLAY_STORE")

    assert caught.value.is_usual
    assert judged("INITIAL_PURCHASE", {"changed:old": TOLD}, store="PLAY_STORE") is RENEWAL


@every("store", ["APP_STORE", "STRIPE"])
def test_purchase_elsewhere_is_what_its_type_says(store: str) -> None:
    movement, _ = understood("INITIAL_PURCHASE", store=store)

    assert movement is not None
    assert (movement.kind, movement.judge) == (FIRST, None)


def free(began: datetime, ends: datetime) -> dict[str, datetime]:
    """What is noted of a free period by its time."""
    return {f"free_from:{milliseconds(began)}": ends}


@every(
    "number, moments, kind",
    [
        (1, {}, RENEWAL),
        (2, {}, RENEWAL),
        (2, {"free:1": BOUGHT}, FIRST),
        (3, {"free:1": BOUGHT}, RENEWAL),
        (3, {"free:1": BOUGHT, "free:2": BOUGHT}, FIRST),
        (None, free(BOUGHT - 8 * DAY, BOUGHT - DAY), FIRST),
        (None, free(BOUGHT - 14 * DAY, BOUGHT - 7 * DAY), RENEWAL),
        (None, free(BOUGHT - DAY, BOUGHT + 6 * DAY), FIRST),  # ended early, by an upgrade
        (None, free(BOUGHT + DAY, BOUGHT + 8 * DAY), RENEWAL),
        (None, {**free(BOUGHT - DAY, BOUGHT), "paid_at:1": BOUGHT - 2 * DAY}, RENEWAL),
        (2, {**free(BOUGHT - DAY, BOUGHT), "free:0": BOUGHT}, FIRST),
        (2, {**free(BEFORE, BOUGHT), "free:1": BOUGHT, "changed:old": BEFORE}, RENEWAL),
        (2, {**free(BEFORE, BOUGHT), "free:1": BOUGHT, "changed:own": BEFORE}, FIRST),
        (
            2,
            {**free(BEFORE, BOUGHT), "free:1": BOUGHT, "changed:old": BEFORE, "trial:old": BOUGHT},
            FIRST,
        ),
    ],
)
def test_renewal_is_the_first_payment_if_nothing_was_paid_before(
    number: int | None, moments: dict[str, datetime], kind: MovementKind
) -> None:
    assert judged("RENEWAL", moments, renewal_number=number) is kind


@every(
    "moments, kind",
    [
        ({}, CANCELLATION),
        ({"cancelled:1": TOLD - DAY}, None),
        ({"cancelled:1": TOLD + DAY}, CANCELLATION),
        ({"cancelled:1": TOLD - 2 * DAY, "uncancelled:1": TOLD - DAY}, CANCELLATION),
        ({"cancelled:1": TOLD - DAY, "uncancelled:1": TOLD - 2 * DAY}, None),
    ],
)
def test_card_that_failed_for_good_is_a_cancellation_unless_the_customer_left_before(
    moments: dict[str, datetime], kind: MovementKind | None
) -> None:
    assert judged("EXPIRATION", moments, expiration_reason="BILLING_ERROR") is kind


@every(
    "already, moments, kind",
    [
        ([], {"expired:1": TOLD + DAY}, CANCELLATION),
        ([CANCELLATION], {"expired:1": TOLD + DAY}, None),
        ([CANCELLATION], {"expired:1": TOLD - DAY}, None),
        ([CANCELLATION], {"expired:1": TOLD + DAY, "uncancelled:1": TOLD + HOUR}, CANCELLATION),
    ],
)
def test_cancellation_counts_unless_the_same_end_was_told(
    already: list[MovementKind], moments: dict[str, datetime], kind: MovementKind | None
) -> None:
    ended, _ = understood("EXPIRATION", expiration_reason="BILLING_ERROR")
    left, links = understood("CANCELLATION", cancel_reason="UNSUBSCRIBE")
    assert ended is not None
    assert left is not None
    assert left.judge is not None
    decided = dict(zip([ended.ref], already, strict=False))

    assert left.judge(Circumstances(moments, decided, NOW)) is kind
    assert [ended.ref in link.to for link in links if link.ref == left.ref] == [True]


@every(
    "kind, expected",
    [("CANCELLATION", MovementKind.REFUND), ("REFUND_REVERSED", MovementKind.REFUND_REVERSED)],
)
def test_return_without_a_price_of_what_cost_nothing_is_none(
    kind: str, expected: MovementKind
) -> None:
    more: Json = {"cancel_reason": "CUSTOMER_SUPPORT", "price_in_purchased_currency": None}

    assert judged(kind, {}, **more) is expected
    assert judged(kind, {"free": BOUGHT}, **more) is None


@every(
    "moments, kind",
    [
        ({}, MovementKind.TRIAL),
        (free(BOUGHT - DAY, BOUGHT + DAY), None),
        (free(BOUGHT - 2 * DAY, BOUGHT), MovementKind.TRIAL),
    ],
)
def test_trial_that_goes_on_with_another_product_is_none(
    moments: dict[str, datetime], kind: MovementKind | None
) -> None:
    free_of_charge: Json = {"price_in_purchased_currency": 0, "period_type": "TRIAL"}
    assert judged("RENEWAL", moments, **free_of_charge) is kind


# What is noted


@every(
    "kind, fields, noted",
    [
        ("INITIAL_PURCHASE", {}, {"paid:own"}),
        ("INITIAL_PURCHASE", {"store": "APP_STORE"}, set()),
        (
            "INITIAL_PURCHASE",
            {"price_in_purchased_currency": 0, "period_type": "TRIAL", "renewal_number": None},
            {"free", "free:1", *free(BOUGHT, BOUGHT), "trial:own"},
        ),
        (
            "RENEWAL",
            {"store": "APP_STORE", "renewal_number": None},
            {f"paid_at:{milliseconds(BOUGHT)}"},
        ),
        (
            "RENEWAL",
            {"price_in_purchased_currency": 0, "renewal_number": None, "expiration_at_ms": None},
            {"free"},
        ),
        (
            "RENEWAL",
            {"price_in_purchased_currency": 0, "renewal_number": 3},
            {"free", "free:3", *free(BOUGHT, BOUGHT)},
        ),
        (
            "NON_RENEWING_PURCHASE",
            {"price_in_purchased_currency": 0, "purchased_at_ms": None, "expiration_at_ms": None},
            set(),
        ),
        ("PRODUCT_CHANGE", {}, {"changed:own"}),
        ("PRODUCT_CHANGE", {"new_product_id": "other"}, {"changed:own", "changes_to:other"}),
        ("PRODUCT_CHANGE", {"store": "APP_STORE", "new_product_id": "other"}, set()),
        ("UNCANCELLATION", {}, {f"uncancelled:{milliseconds(TOLD)}"}),
    ],
)
def test_what_happened_is_noted(kind: str, fields: Json, noted: set[str]) -> None:
    _, links = understood(kind, **{"store": "PLAY_STORE", **fields})

    assert {name for link in links for name in link.moments} == noted


# Through the trail


def upgrade(*events: Json) -> Json:
    fixed = {"provider": "revenuecat", "settings": {}, "install": "user_84213"}
    rules = {"names": {"first_payment": "FIRST", "renewal": "RENEW", "cancellation": "LEFT"}}
    return {**fixed, "rules": rules, "webhooks": [{"after_days": 0, "body": one} for one in events]}


def test_upgrade_is_a_renewal_when_the_change_is_told_after_it() -> None:
    play = {"store": "PLAY_STORE", "price_in_purchased_currency": 4.99}
    bought = milliseconds(BOUGHT - DAY)
    times = {"purchased_at_ms": bought, "event_timestamp_ms": bought}
    first = body("INITIAL_PURCHASE", transaction_id="own", **times, **play)
    second = body("INITIAL_PURCHASE", transaction_id="new", original_transaction_id="new", **play)
    change = body("PRODUCT_CHANGE", transaction_id="own", **play)

    harness = played(upgrade(first, second, change))
    older = played(upgrade(second, change))
    alone = played(upgrade(second))

    assert sorted(one.name for one in heard(harness).elements()) == ["FIRST", "RENEW"]
    assert [one.name for one in heard(older).elements()] == ["RENEW"]
    assert [one.name for one in heard(alone).elements()] == ["FIRST"]


def test_end_that_was_told_before_is_only_learnt() -> None:
    left = body("CANCELLATION", cancel_reason="UNSUBSCRIBE")
    times = {"event_timestamp_ms": milliseconds(TOLD + DAY)}
    ended = body("EXPIRATION", expiration_reason="BILLING_ERROR", **times)

    harness = played(upgrade(left, ended))
    tell(harness, "revenuecat", ended)

    assert [one.name for one in heard(harness).elements()] == ["LEFT"]


def test_refund_of_the_rest_includes_what_was_refunded_before_and_is_told_later() -> None:
    support = {"cancel_reason": "CUSTOMER_SUPPORT"}
    later = {"event_timestamp_ms": milliseconds(TOLD + DAY), "id": "later"}
    paid = body("INITIAL_PURCHASE", price_in_purchased_currency=9.99)
    part = body("CANCELLATION", price_in_purchased_currency=-4.0, **support)
    rest = body("CANCELLATION", price_in_purchased_currency=None, **{**support, **later})

    harness = played(upgrade(paid, rest, part))

    assert sorted(str(one.revenue) for one in heard(harness).elements()) == ["-9.99", "9.99"]
    assert harness.dead == []
