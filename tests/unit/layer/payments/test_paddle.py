import copy
import json
from dataclasses import replace
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
    Movement,
    MovementKind,
    ParsedWebhook,
    Treatment,
)
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps, loads
from relay.payments.providers import paddle
from tests.support.builders import Json
from tests.support.every import every
from tests.support.ledger_stories import played

SAMPLES = Path(__file__).parents[3] / "data" / "webhooks"
SETTINGS = SourceSettings(provider="paddle", apps=SourceApps())
WHOSE = CustomerHints("user_84213", "1698765432100-1234567890123456789")
WHO = CustomerHints("user_84213")
TOLD_AT = datetime(2026, 10, 26, 9, 0, 5, 123_000, tzinfo=UTC)


def settings(**fields: Any) -> SourceSettings:
    return SETTINGS.model_copy(update=fields)


def sample(name: str) -> Json:
    event: Json = json.loads((SAMPLES / f"paddle_{name}.json").read_text("utf-8"))
    return event


def of(kind: str, **thing: Any) -> Json:
    """An event of the least that Paddle would send."""
    return {
        "event_id": "evt_1",
        "event_type": kind,
        "occurred_at": "2026-10-26T09:00:05.123456Z",
        "notification_id": "ntf_1",
        "data": thing,
    }


def told(event: Json, given: SourceSettings = SETTINGS) -> ParsedWebhook:
    (found,) = paddle.parse(json.dumps(event).encode(), given)
    return found


def understood(event: Json, given: SourceSettings = SETTINGS) -> Interpretation:
    """By way of the queue: what is not on the allow-list is gone."""
    found = told(event, given)
    assert found.treatment is Treatment.COUNTED
    return paddle.interpret(found.type, loads(dumps(found.content)), given)


def movement_of(event: Json, given: SourceSettings = SETTINGS) -> Movement:
    movement = understood(event, given).movement
    assert movement is not None
    return movement


def amount_of(event: Json, given: SourceSettings = SETTINGS) -> Amount:
    amount = movement_of(event, given).amount
    assert amount is not None
    return amount


# The samples

FIRST = "txn_01jtestfirst00000000000000"
RENEWED = "txn_01jtestrenew00000000000000"
PRICE = "pri_01jtestyearly000000000000"
SUB_ID = "sub_01jtest84213000000000000"
SUBSCRIPTION = f"subscription:{SUB_ID}"
CUSTOMER = "customer:ctm_01jtest84213000000000000"
STARTED = datetime(2026, 10, 26, 8, 0, 5, 123_000, tzinfo=UTC)
PAID = Amount("EUR", Decimal("59.49"), Decimal("49.99"), Decimal("46.51"))
BY_SAMPLE: dict[str, Interpretation] = {
    "transaction_completed_web": Interpretation(
        (
            Link(f"transaction:{FIRST}", (SUBSCRIPTION, CUSTOMER), WHOSE),
            Link(SUBSCRIPTION, (CUSTOMER,), WHOSE, started=STARTED),
            Link(CUSTOMER, (), WHO),
        ),
        Movement(
            MovementKind.FIRST_PAYMENT,
            FIRST,
            f"transaction:{FIRST}",
            STARTED,
            PAID,
            order_id=FIRST,
            product_id=PRICE,
            quantity=1,
            period_start=STARTED,
            subscription=SUBSCRIPTION,
        ),
    ),
    "transaction_completed_renewal": Interpretation(
        (
            Link(f"transaction:{RENEWED}", (SUBSCRIPTION, CUSTOMER), WHOSE),
            Link(SUBSCRIPTION, (CUSTOMER,), WHOSE),
            Link(CUSTOMER, (), WHO),
        ),
        Movement(
            MovementKind.RENEWAL,
            RENEWED,
            f"transaction:{RENEWED}",
            STARTED.replace(year=2027),
            PAID,
            order_id=RENEWED,
            product_id=PRICE,
            quantity=1,
            period_start=STARTED.replace(year=2027),
            subscription=SUBSCRIPTION,
        ),
    ),
    "subscription_created_trial": Interpretation(
        (
            Link("transaction:txn_01jtesttrial00000000000000", (SUBSCRIPTION, CUSTOMER), WHOSE),
            Link(SUBSCRIPTION, (CUSTOMER,), WHOSE, STARTED.replace(month=11, day=2), STARTED),
            Link(CUSTOMER, (), WHO),
            Link(f"trial:{SUB_ID}:trial", (SUBSCRIPTION,)),
            Link(SUBSCRIPTION, opened_by="transaction:txn_01jtesttrial00000000000000"),
        ),
        Movement(
            MovementKind.TRIAL,
            f"{SUB_ID}:trial",
            f"trial:{SUB_ID}:trial",
            STARTED,
            product_id=PRICE,
            quantity=1,
        ),
    ),
    "adjustment_updated_refund_approved": Interpretation(
        (
            Link(
                "adjustment:adj_01jtestrefund000000000000",
                (f"transaction:{FIRST}", SUBSCRIPTION, CUSTOMER),
            ),
            Link(f"transaction:{FIRST}", (SUBSCRIPTION, CUSTOMER)),
            Link(SUBSCRIPTION, (CUSTOMER,)),
        ),
        Movement(
            MovementKind.REFUND,
            "adj_01jtestrefund000000000000",
            "adjustment:adj_01jtestrefund000000000000",
            datetime(2026, 10, 28, 9, 0, 0, 500_000, tzinfo=UTC),
            Amount("EUR", Decimal("20.00"), Decimal("16.81"), Decimal("16.81")),
            original_ref=f"transaction:{FIRST}",
        ),
    ),
}


def test_samples_are_all_there() -> None:
    found = {path.stem.removeprefix("paddle_") for path in SAMPLES.glob("paddle_*.json")}
    assert found == BY_SAMPLE.keys()


@every("name", BY_SAMPLE)
def test_understand_sample_means_what_paddle_tells(name: str) -> None:
    assert understood(sample(name)) == BY_SAMPLE[name]


# What is read


# Transactions

TRANSACTION: Json = {
    "id": "txn_1",
    "origin": "web",
    "items": [{"price": {"id": "pri_1", "billing_cycle": None}, "quantity": 3}],
    "details": {
        "totals": {
            "tax": "190",
            "total": "1190",
            "grand_total": "1190",
            "grand_total_tax": "190",
            "earnings": "930",
            "currency_code": "EUR",
        }
    },
    "subscription_id": None,
    "customer_id": "ctm_1",
    "custom_data": {"app_user_id": "u1"},
}


def transaction(totals: Json | None = None, **fields: Any) -> Json:
    thing = {**copy.deepcopy(TRANSACTION), **fields}
    thing["details"]["totals"].update(totals or {})
    return of("transaction.completed", **thing)


def test_transaction_without_a_subscription_is_a_purchase() -> None:
    assert understood(transaction()) == Interpretation(
        (
            Link("transaction:txn_1", ("customer:ctm_1",), CustomerHints("u1")),
            Link("customer:ctm_1", (), CustomerHints("u1")),
        ),
        Movement(
            MovementKind.PURCHASE,
            "txn_1",
            "transaction:txn_1",
            TOLD_AT,
            Amount("EUR", Decimal("11.90"), Decimal("10.00"), Decimal("9.30")),
            order_id="txn_1",
            product_id="pri_1",
            quantity=3,
        ),
    )


@every(
    "origin, kind",
    [
        ("web", MovementKind.FIRST_PAYMENT),
        ("api", MovementKind.FIRST_PAYMENT),
        ("subscription_recurring", MovementKind.RENEWAL),
        ("subscription_update", MovementKind.RENEWAL),
        ("subscription_payment_method_change", MovementKind.RENEWAL),
        ("one_of_tomorrow", MovementKind.RENEWAL),
        ("subscription_charge", MovementKind.PURCHASE),
    ],
)
def test_transaction_of_a_subscription_is_what_its_origin_says(
    origin: str, kind: MovementKind
) -> None:
    assert movement_of(transaction(origin=origin, subscription_id="sub_1")).kind is kind


def test_transaction_that_begins_a_subscription_not_made_yet_is_its_first_payment() -> None:
    price = {"id": "pri_1", "billing_cycle": {"interval": "month", "frequency": 1}}
    items = [{"price": {"id": "pri_0"}, "quantity": 1}, {"price": price, "quantity": 1}]

    assert movement_of(transaction(items=items)).kind is MovementKind.FIRST_PAYMENT


def test_transaction_of_nothing_gives_links_alone() -> None:
    """A trial starts, or a payment method is changed."""
    meaning = understood(transaction({"grand_total": "0", "earnings": None}))

    assert meaning.movement is None
    assert meaning.links[0].hints == CustomerHints("u1")


@every(
    "totals, amount",
    [
        # Of 11.90 are 5.95 paid by credit: what was paid has half of the tax.
        ({"grand_total": "595", "grand_total_tax": "95"}, ("5.95", "5.00", "4.65")),
        ({"grand_total": "595", "grand_total_tax": None}, ("5.95", "5.00", "4.65")),
        (
            {"grand_total": "595", "grand_total_tax": None, "tax": None},
            ("5.95", None, None),
        ),
        # A transaction from before the field, whose tax is told twice.
        ({"grand_total": "595"}, ("5.95", "5.00", "4.65")),
        # Earnings with tax, as in some of Paddle's examples: 11.40 of 11.90 are left after the fee.
        ({"earnings": "1140"}, ("11.90", "10.00", "9.58")),
        (
            {"tax": "10", "grand_total_tax": "10", "fee": "60", "earnings": "1130"},
            ("11.90", "11.80", "11.21"),
        ),
        # A notice of release 0.1 has no total.
        ({"total": None}, ("11.90", "10.00", "9.30")),
        ({"total": None, "grand_total": "595", "grand_total_tax": "95"}, ("5.95", "5.00", "7.82")),
        ({"grand_total_tax": None}, ("11.90", "10.00", "9.30")),
        ({"grand_total_tax": None, "tax": None}, ("11.90", None, "9.30")),
        ({"earnings": None}, ("11.90", "10.00", None)),
        ({"earnings": "-20"}, ("11.90", "10.00", None)),
        ({"grand_total_tax": None, "tax": "1191"}, ("11.90", None, None)),
    ],
    ids=str,
)
def test_transaction_has_the_net_amounts_that_are_told(
    totals: Json, amount: tuple[str, str | None, str | None]
) -> None:
    expected = [None if one is None else Decimal(one) for one in amount]

    assert list(amount_of(transaction(totals))) == ["EUR", *expected]


@every(
    "totals",
    [
        {"grand_total": None},
        {"grand_total": "11.90"},
        {"grand_total": "-1190"},
        {"currency_code": None},
        {"currency_code": "EURO"},
    ],
    ids=str,
)
def test_transaction_with_an_amount_that_is_none_is_unreadable(totals: Json) -> None:
    with pytest.raises(UnreadableWebhookError):
        understood(transaction(totals))


# Subscriptions

SUB: Json = {
    "id": "sub_1",
    "status": "active",
    "customer_id": "ctm_1",
    "items": [{"price": {"id": "pri_1"}, "quantity": 1}],
}
LINKS = (Link("subscription:sub_1", ("customer:ctm_1",)),)


@every("kind", ["subscription.trialing", "subscription.imported"])
def test_subscription_without_a_trial_gives_links_alone(kind: str) -> None:
    assert understood(of(kind, **SUB)) == Interpretation(LINKS)


@every(
    "fields, started",
    [
        ({}, TOLD_AT),
        ({"started_at": "2026-10-26T07:59:58Z"}, datetime(2026, 10, 26, 7, 59, 58, tzinfo=UTC)),
    ],
)
def test_subscription_that_is_created_was_seen_to_begin(fields: Json, started: datetime) -> None:
    meaning = understood(of("subscription.created", **SUB, **fields))

    assert meaning == Interpretation(tuple(replace(one, started=started) for one in LINKS))


def test_subscription_imported_in_its_trial_started_it_elsewhere() -> None:
    event = sample("subscription_created_trial") | {"event_type": "subscription.imported"}

    meaning = understood(event)
    assert meaning.movement is None
    assert meaning.links[1].trial_end == STARTED.replace(month=11, day=2)


def test_trial_is_the_same_by_both_its_tellings() -> None:
    event = sample("subscription_created_trial")

    later = understood(event | {"event_type": "subscription.trialing"})
    assert later.movement == understood(event).movement
    assert later.links[1].started is None  # something may have been paid before


def test_trial_without_dates_is_the_period_that_runs() -> None:
    period = {"starts_at": "2026-10-26T08:00:00Z", "ends_at": "2026-11-02T08:00:00Z"}
    event = of(
        "subscription.trialing", **{**SUB, "status": "trialing", "current_billing_period": period}
    )

    assert movement_of(event).at == datetime(2026, 10, 26, 8, tzinfo=UTC)
    assert understood(event).links[0].trial_end == datetime(2026, 11, 2, 8, tzinfo=UTC)


def test_trial_without_any_time_starts_when_it_is_told() -> None:
    event = of("subscription.trialing", **{**SUB, "status": "trialing"})

    assert movement_of(event).at == TOLD_AT
    assert understood(event).links[0].trial_end is None


@every(
    "canceled_at, moment",
    [
        ("2026-10-26T08:00:00.5Z", datetime(2026, 10, 26, 8, 0, 0, 500_000, tzinfo=UTC)),
        (None, TOLD_AT),
    ],
)
def test_cancellation_is_told_once_it_has_come(canceled_at: str | None, moment: datetime) -> None:
    name = f"sub_1:cancelled:{int(moment.timestamp())}"
    event = of("subscription.canceled", **SUB, canceled_at=canceled_at)

    assert understood(event) == Interpretation(
        (*LINKS, Link(f"cancellation:{name}", ("subscription:sub_1",))),
        Movement(
            MovementKind.CANCELLATION,
            name,
            f"cancellation:{name}",
            moment,
            product_id="pri_1",
            quantity=1,
        ),
    )


# Adjustments

ADJUSTMENT: Json = {
    "id": "adj_1",
    "action": "refund",
    "status": "approved",
    "transaction_id": "txn_1",
    "subscription_id": "sub_1",
    "customer_id": "ctm_1",
    "totals": {"total": "1190", "tax": "190", "earnings": "930", "currency_code": "EUR"},
}
BACK = Amount("EUR", Decimal("11.90"), Decimal("10.00"), Decimal("9.30"))


def adjustment(action: str, status: str, **fields: Any) -> Json:
    given = {**ADJUSTMENT, "action": action, "status": status, **fields}
    return of("adjustment.updated", **given)


def returned(kind: MovementKind, name: str, about: str) -> Movement:
    return Movement(kind, name, f"adjustment:{name}", TOLD_AT, BACK, original_ref=about)


@every("kind", ["adjustment.created", "adjustment.updated"])
@every(
    "action, status, expected",
    [
        ("refund", "approved", returned(MovementKind.REFUND, "adj_1", "transaction:txn_1")),
        (
            "refund",
            "reversed",
            returned(MovementKind.REFUND_REVERSED, "adj_1:reversed", "adjustment:adj_1"),
        ),
        ("chargeback", "approved", returned(MovementKind.DISPUTE, "adj_1", "transaction:txn_1")),
        (
            "chargeback_reverse",
            "approved",
            returned(MovementKind.DISPUTE_WON, "adj_1", "chargeback:txn_1:1190"),
        ),
    ],
)
def test_adjustment_that_is_settled_moves_money(
    kind: str, action: str, status: str, expected: Movement
) -> None:
    event = adjustment(action, status) | {"event_type": kind}

    assert movement_of(event) == expected


@every(
    "action, status",
    [
        ("refund", "pending_approval"),
        ("refund", "rejected"),
        ("chargeback", "reversed"),
        ("chargeback_reverse", "reversed"),
        ("chargeback_warning", "approved"),
        ("chargeback_warning_reverse", "approved"),
        ("credit", "approved"),
        ("credit_reverse", "approved"),
        ("one_of_tomorrow", "approved"),
    ],
)
def test_adjustment_that_moves_nothing_gives_links_alone(action: str, status: str) -> None:
    assert understood(adjustment(action, status)) == Interpretation(
        (
            Link("adjustment:adj_1", ("transaction:txn_1", "subscription:sub_1", "customer:ctm_1")),
            Link("transaction:txn_1", ("subscription:sub_1", "customer:ctm_1")),
            *LINKS,
        )
    )


def test_chargeback_that_is_reversed_is_found_by_its_transaction_and_amount() -> None:
    """The reversal is an adjustment of its own, which names the transaction alone."""
    taken = understood(adjustment("chargeback", "approved"))
    back = understood(adjustment("chargeback_reverse", "approved", id="adj_2"))

    exact, any_of_it = "chargeback:txn_1:1190", "chargeback:txn_1"
    assert back.movement is not None
    assert back.movement.original_ref == exact
    assert Link(exact, (any_of_it,)) in back.links
    assert Link(exact, ("adjustment:adj_1",)) in taken.links


def test_refund_that_is_reversed_leads_to_the_refund() -> None:
    links = understood(adjustment("refund", "reversed")).links

    assert Link("adjustment:adj_1:reversed", ("adjustment:adj_1",)) in links


@every("fields", [{"transaction_id": None}, {"action": None}, {"totals": None}], ids=str)
def test_adjustment_that_cannot_be_is_unreadable(fields: Json) -> None:
    with pytest.raises(UnreadableWebhookError):
        understood(of("adjustment.updated", **{**ADJUSTMENT, **fields}))


@pytest.mark.parametrize(
    ("revenue", "reported"), [("gross", ["11.90"]), ("net_of_tax", []), ("net_of_tax_and_fee", [])]
)
def test_amounts_that_contradict_each_other_are_counted_and_never_reported_net(
    revenue: str, reported: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    body = transaction({"tax": "0", "grand_total_tax": "0", "earnings": "1300"})
    webhooks = [{"after_days": 0, "body": body}]
    fixed: Json = {"provider": "paddle", "settings": {}, "install": "u1"}

    harness = played({**fixed, "rules": {"revenue": revenue}, "webhooks": webhooks})

    assert [one["event"]["eventValue"]["af_revenue"] for one in harness.mobile] == reported
    letters = [(one["reason"], "contradict" in one["message"]) for one in harness.dead]
    assert letters == [("revenue_unknown", True)] * (not reported)
    assert '"AmountsContradict"' in capsys.readouterr().out
