import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from relay.domain.findings import Severity
from relay.domain.kinds import App, Kind
from relay.domain.movements import MovementKind
from relay.domain.payment_rules import PaymentRules
from relay.exact_json import dumps, loads
from relay.instants import to_milliseconds
from relay.payments.events import event_name, event_of, movement_digest
from relay.rules.prepare import Prepared, prepare
from relay.stores.decision import Decision
from tests.support.builders import MOBILE_APP, NOW, WEB_APP, Json
from tests.support.every import every

PAID = Decision(
    kind=MovementKind.PURCHASE,
    id="in_1",
    at=to_milliseconds(NOW - timedelta(minutes=1)),
    decided_at=to_milliseconds(NOW),
    surface="mobile",
    app_id=MOBILE_APP,
    name="af_purchase",
    customer_user_id="user-1",
    appsflyer_id="1415211453000-6513894",
    currency="EUR",
    gross="59.49",
    revenue="49.90",
    basis="net_of_tax",
    order_id="in_1",
    product_id="plan-1",
    quantity=2,
)
ON_WEB = replace(PAID, surface="web", app_id=WEB_APP, appsflyer_id=None)


def event(decision: Decision) -> Json:
    return event_of(decision)[1]


# Names


@every(
    "kind, expected",
    [
        ("first_payment", "af_subscribe"),
        ("renewal", "af_subscribe"),
        ("purchase", "af_purchase"),
        ("trial", "af_start_trial"),
        ("cancellation", "subscription_cancelled"),
    ],
)
def test_name_of_a_payment_is_appsflyers(kind: str, expected: str) -> None:
    assert event_name(MovementKind(kind), PaymentRules(), None) == expected


@every("kind", ["refund", "dispute", "refund_reversed", "dispute_won"])
def test_name_of_what_is_taken_back_is_that_of_the_original(kind: str) -> None:
    original = replace(PAID, name="premium_bought")

    assert event_name(MovementKind(kind), PaymentRules(), original) == "premium_bought"


@every("kind", list(MovementKind))
def test_name_is_the_apps_own_where_it_has_one(kind: MovementKind) -> None:
    assert event_name(kind, PaymentRules(names={kind: "own_name"}), PAID) == "own_name"


@every("kind", list(MovementKind))
def test_name_that_is_null_drops_the_movement(kind: MovementKind) -> None:
    assert event_name(kind, PaymentRules(names={kind: None}), PAID) is None


def test_refund_of_what_was_dropped_is_dropped_whatever_its_name() -> None:
    rules = PaymentRules(names={MovementKind.REFUND: "money_back"})

    assert event_name(MovementKind.REFUND, rules, replace(PAID, name=None)) is None


# Mobile


def test_mobile_event_of_a_payment() -> None:
    assert event_of(PAID) == (
        Kind.MOBILE_EVENT,
        {
            "appsflyer_id": "1415211453000-6513894",
            "customer_user_id": "user-1",
            "eventName": "af_purchase",
            "eventValue": {
                "af_revenue": "49.90",
                "af_currency": "EUR",
                "af_order_id": "in_1",
                "af_content_id": "plan-1",
                "af_quantity": 2,
            },
            "eventCurrency": "EUR",
            "eventTime": "2026-03-02 11:59:00.000",
        },
    )


@every(
    "kind, expected",
    [
        ("refund", "-49.90"),
        ("dispute", "-49.90"),
        ("refund_reversed", "49.90"),
        ("dispute_won", "49.90"),
    ],
)
def test_sign_of_revenue_is_that_of_the_kind(kind: str, expected: str) -> None:
    taken = replace(PAID, kind=MovementKind(kind))

    assert event(taken)["eventValue"]["af_revenue"] == expected
    assert dumps(event(replace(taken, surface="web"))["event_revenue"]).decode() == expected


def test_nothing_given_back_has_no_sign() -> None:
    taken = replace(PAID, kind=MovementKind.REFUND, revenue="0.00")

    assert event(taken)["eventValue"]["af_revenue"] == "0.00"


@every("decision", [PAID, ON_WEB], ids=["mobile", "web"])
def test_event_without_revenue_has_no_currency_either(decision: Decision) -> None:
    written = dumps(event(replace(decision, revenue=None))).decode()

    assert "in_1" in written
    assert not re.search("revenue|currency", written, re.IGNORECASE)


def test_mobile_event_has_the_devices_ids_and_what_is_sure_of_the_app() -> None:
    android = replace(PAID, app_id="com.example.shop", advertising_id="G")
    ios = replace(PAID, idfa="A", idfv="V")

    assert event(android).items() >= {
        "advertising_id": "G", "bundleIdentifier": "com.example.shop"
    }.items()  # fmt: skip
    assert event(ios).items() >= {"idfa": "A", "idfv": "V"}.items()
    assert "bundleIdentifier" not in event(ios)


# The web


def test_web_event_of_a_payment() -> None:
    kind, built = event_of(ON_WEB)

    assert kind is Kind.WEB_EVENT
    assert loads(dumps(built)) == loads(
        """{"user_id": {"customer_user_id": "user-1"}, "event_name": "af_purchase",
            "event_revenue": 49.90, "event_revenue_currency": "EUR",
            "event_value": {"custom_parameters": {
                "af_order_id": "in_1", "af_content_id": "plan-1", "af_quantity": 2}},
            "timestamp": 1772452740000}"""
    )
    assert b'"event_revenue":49.90,' in dumps(built)


def test_web_event_of_which_nothing_more_is_known_has_no_value() -> None:
    bare = replace(ON_WEB, order_id=None, product_id=None, quantity=None)

    assert "event_value" not in event(bare)


def test_web_event_of_an_appsflyer_id_is_its_users() -> None:
    known = replace(ON_WEB, customer_user_id=None, appsflyer_id="1-2")

    assert event(known)["user_id"] == {"appsflyer_id": "1-2"}


# What AppsFlyer would say


def prepared(decision: Decision) -> Prepared:
    kind, built = event_of(decision)
    return prepare(kind, App(decision.app_id), built, NOW, "shop:in_1")


@every("decision", [PAID, ON_WEB], ids=["mobile", "web"])
@every("kind", list(MovementKind))
def test_event_of_every_kind_may_be_sent(decision: Decision, kind: MovementKind) -> None:
    is_step = kind in {MovementKind.TRIAL, MovementKind.CANCELLATION}
    name = event_name(kind, PaymentRules(), None if is_step else decision)
    revenue = None if is_step else "49.90"
    moved = prepared(replace(decision, kind=kind, name=name, revenue=revenue))

    assert moved.verdict == "send"
    assert {finding.severity for finding in moved.findings} <= {Severity.WARN}
    assert moved.has_revenue is not is_step


@every("currency, revenue", [("JPY", "500"), ("KWD", "12.345"), ("CLF", "1.2345")])
def test_event_in_a_currency_of_other_places_may_be_sent(currency: str, revenue: str) -> None:
    for decision in (PAID, ON_WEB):
        assert prepared(replace(decision, currency=currency, revenue=revenue)).verdict == "send"


# The digest


def test_digest_is_the_same_whatever_the_app_is_told() -> None:
    told_otherwise: dict[str, Any] = {
        "app_id": "id2",
        "surface": "web",
        "name": "other",
        "revenue": "59.49",
        "basis": "gross",
        "customer_user_id": "user-2",
        "decided_at": 0,
    }

    assert movement_digest(replace(PAID, **told_otherwise)) == movement_digest(PAID)
    assert re.fullmatch("[0-9a-f]{64}", movement_digest(PAID))


@every(
    "other",
    [{"gross": "59.50"}, {"currency": "USD"}, {"kind": MovementKind.REFUND}, {"id": "in_2"}],
)
def test_digest_of_another_movement_is_another(other: dict[str, Any]) -> None:
    assert movement_digest(replace(PAID, **other)) != movement_digest(PAID)
