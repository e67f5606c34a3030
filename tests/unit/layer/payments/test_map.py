"""What a notice becomes: by a company's own billing, whose schema says what each test is about."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from relay.messages.notice import parse_notice
from tests.support.builders import MOBILE_APP, NOW, WEB_APP, Json
from tests.support.every import every
from tests.support.payments_harness import (
    ANDROID_APP,
    HOLD_SECONDS,
    SECRETS,
    PaymentsHarness,
    billing_webhook,
)
from tests.support.webhooks import ACCOUNTS, present

WHOSE = {"customer_user_id": "user-1", "appsflyer_id": "1-2", "app_id": MOBILE_APP}
PRICE = {"amount": "59.49", "currency": "EUR"}

Counted = Callable[[], dict[str, float]]


@pytest.fixture
def harness() -> PaymentsHarness:
    return PaymentsHarness()


def buy(harness: PaymentsHarness, number: str = "p-1", kind: str = "purchase", **data: Any) -> None:
    harness.tell(kind, **{"id": number, **PRICE, **WHOSE, **data})


def back(harness: PaymentsHarness, kind: str, number: str, of: str, **data: Any) -> None:
    """Told when what came before has been mapped: those of one batch are mapped side by side."""
    harness.map_all()
    harness.tell(kind, id=number, original_id=of, **data)


def revenue(envelope: Json) -> tuple[str, str]:
    event = envelope["event"]
    return event["eventName"], event["eventValue"]["af_revenue"]


# One movement, one event


def test_purchase_becomes_an_event_on_the_mobile_queue(harness: PaymentsHarness) -> None:
    buy(harness, order_id="order-7", product_id="plan", quantity=2)

    assert harness.map_all() == []

    (envelope,) = harness.mobile
    digest = envelope.pop("content_sha256")
    assert len(digest) == 64
    assert envelope == {
        "app_id": MOBILE_APP,
        "kind": "mobile_event",
        "event_id": "standard-webhooks:p-1",
        "source": "standard-webhooks",
        "first_seen": "2026-03-02T12:00:00.000Z",
        "event": {
            "appsflyer_id": "1-2",
            "customer_user_id": "user-1",
            "eventName": "af_purchase",
            "eventValue": {
                "af_revenue": "59.49",
                "af_currency": "EUR",
                "af_order_id": "order-7",
                "af_content_id": "plan",
                "af_quantity": 2,
            },
            "eventCurrency": "EUR",
            "eventTime": "2026-03-02 12:00:00.000",
        },
    }
    assert harness.sqs.queues["https://sqs.example.com/mobile"][0].group == MOBILE_APP
    assert (harness.waiting, harness.dead, harness.web) == ([], [], [])


def test_purchase_on_the_web_becomes_an_event_on_the_web_queue(harness: PaymentsHarness) -> None:
    buy(harness, app_id=WEB_APP, appsflyer_id=None)

    harness.map_all()

    (envelope,) = harness.web
    assert (envelope["app_id"], envelope["kind"]) == (WEB_APP, "web_event")
    assert envelope["event"]["user_id"] == {"customer_user_id": "user-1"}
    assert harness.mobile == []


def test_movement_told_again_becomes_the_very_same_event(harness: PaymentsHarness) -> None:
    for _ in range(3):
        buy(harness)
        harness.map_all()
        harness.clock.advance(3600)
        harness.start_anew()

    first, *others = [{**one, "first_seen": ""} for one in harness.mobile]
    assert others == [first, first]


def test_movement_told_again_after_the_rules_changed_becomes_the_same_event(
    harness: PaymentsHarness,
) -> None:
    buy(harness)
    harness.map_all()
    harness.payments_of(MOBILE_APP, names={"purchase": "bought"}, revenue="none")
    harness.installed("user-1", ANDROID_APP)
    harness.start_anew()

    buy(harness, app_id=None, appsflyer_id=None)
    harness.map_all()

    first, second = harness.mobile
    assert first == second


def test_movement_told_again_after_a_month_is_not_sent_again(
    harness: PaymentsHarness, counted: Counted
) -> None:
    buy(harness)
    harness.map_all()
    harness.clock.advance(31 * 86_400)

    buy(harness)
    harness.map_all()

    assert len(harness.mobile) == 1
    assert counted()["MovementRetold"] == 1


@pytest.mark.parametrize("change", [{"amount": "59.50"}, {"currency": "USD"}])
def test_movement_told_again_with_other_money_is_a_conflict(
    harness: PaymentsHarness, change: dict[str, str]
) -> None:
    buy(harness)
    harness.map_all()

    buy(harness, **change)
    harness.map_all()

    assert len(harness.mobile) == 1
    (letter,) = harness.dead
    assert (letter["reason"], letter["outcome"]) == ("id_conflict", "rejected")
    assert letter["content"]["data"]["amount"] == change.get("amount", "59.49")


def test_two_tellings_with_other_money_in_one_batch_are_one_event_and_a_conflict(
    harness: PaymentsHarness,
) -> None:
    buy(harness)
    buy(harness, amount="1.00")

    harness.map_all()

    assert (len(harness.mobile), len(harness.dead)) == (1, 1)
    assert harness.dead[0]["reason"] == "id_conflict"


# What is given back and taken away


def test_refunds_have_the_originals_name_order_and_app_with_a_minus(
    harness: PaymentsHarness,
) -> None:
    buy(harness, kind="renewal", order_id="order-7", quantity=2)
    back(harness, "refund", "r-1", "p-1", amount="20.00", currency="EUR")
    back(harness, "refund", "r-2", "p-1", amount="39.49", currency="EUR")
    harness.settle()

    assert [revenue(one) for one in harness.mobile] == [
        ("af_subscribe", "59.49"),
        ("af_subscribe", "-20.00"),
        ("af_subscribe", "-39.49"),
    ]
    assert {one["event"]["eventValue"]["af_order_id"] for one in harness.mobile} == {"order-7"}
    assert {one["event"]["appsflyer_id"] for one in harness.mobile} == {"1-2"}
    assert "af_quantity" not in harness.mobile[1]["event"]["eventValue"]


def test_refund_without_an_amount_is_of_all(harness: PaymentsHarness) -> None:
    buy(harness)
    back(harness, "refund", "r-1", "p-1")
    harness.settle()

    assert revenue(harness.mobile[1]) == ("af_purchase", "-59.49")


@pytest.mark.parametrize(
    ("negative", "reversal"), [("refund", "refund_reversed"), ("dispute", "dispute_won")]
)
def test_reversal_brings_back_what_was_taken(
    harness: PaymentsHarness, negative: str, reversal: str
) -> None:
    buy(harness)
    back(harness, negative, "n-1", "p-1", amount="20.00", currency="EUR")
    back(harness, reversal, "n-1-back", "n-1")
    harness.settle()

    assert [revenue(one)[1] for one in harness.mobile] == ["59.49", "-20.00", "20.00"]


def test_refund_before_its_purchase_waits_for_it(harness: PaymentsHarness) -> None:
    back(harness, "refund", "r-1", "p-1", amount="59.49", currency="EUR")
    harness.map_all()
    assert harness.mobile == []
    (waiting,) = harness.waiting
    assert 1 <= waiting.delay_seconds <= 5
    assert waiting.content.get("attempts", 0) == 0

    buy(harness)
    harness.settle()

    assert sorted(revenue(one)[1] for one in harness.mobile) == ["-59.49", "59.49"]


@pytest.mark.untraced  # 300 looks
def test_refund_whose_purchase_never_comes_is_a_dead_letter_after_a_day() -> None:
    harness = PaymentsHarness(hold_seconds=300)
    back(harness, "refund", "r-1", "p-1", amount="59.49", currency="EUR")
    delays = []
    while not harness.dead:
        delays += [message.delay_seconds for message in harness.waiting]
        harness.map_all()

    assert (harness.dead[0]["reason"], harness.dead[0]["outcome"]) == ("original_unknown", "held")
    assert sorted(delays) == delays
    assert delays[-1] == 300
    assert 86_400 <= (harness.clock.now - NOW).total_seconds() <= 86_400 + 300


def test_reversal_whose_return_is_never_told_is_a_dead_letter_after_a_day(
    harness: PaymentsHarness,
) -> None:
    buy(harness)
    back(harness, "dispute_won", "d-won", "d-1")
    harness.settle()

    assert len(harness.mobile) == 1
    assert [letter["reason"] for letter in harness.dead] == ["original_unknown"]
    assert 86_400 <= (harness.clock.now - NOW).total_seconds() <= 86_400 + HOLD_SECONDS


HOURS = 3600.0


def pass_time(harness: PaymentsHarness, seconds: float) -> None:
    """Lets what waits be looked at, until so much later."""
    end = harness.clock.seconds() + seconds
    while harness.waiting and harness.clock.seconds() < end:
        assert harness.map_all() == []
    harness.clock.advance(max(0.0, end - harness.clock.seconds()))


STEPS: dict[str, Callable[[PaymentsHarness], None]] = {
    "payment": buy,
    "return": lambda harness: harness.tell("dispute", id="d-1", original_id="p-1"),
    "reversal": lambda harness: harness.tell("dispute_won", id="d-won", original_id="d-1"),
}


@pytest.mark.untraced  # days of waiting
@every("order", list(permutations(STEPS)), ids=" ".join)
def test_payment_return_and_reversal_in_any_order_are_each_reported(order: tuple[str, ...]) -> None:
    """Each waits a day for what it needs; a reversal as long as its return, told long after it."""
    harness = PaymentsHarness()
    hours = 20 if order == ("reversal", "return", "payment") else 11
    for step in order:
        STEPS[step](harness)
        pass_time(harness, hours * HOURS)
    harness.settle()

    assert harness.dead == []
    assert sorted(revenue(one)[1] for one in harness.mobile) == ["-59.49", "59.49", "59.49"]


@pytest.mark.untraced  # days of waiting
@every("order", [("reversal", "return"), ("return", "reversal")], ids=" ".join)
def test_return_and_reversal_whose_payment_never_comes_are_dead_letters_together(
    order: tuple[str, ...],
) -> None:
    harness = PaymentsHarness()
    first, second = order
    STEPS[first](harness)
    pass_time(harness, 20 * HOURS)
    STEPS[second](harness)
    told_last = harness.clock.seconds() if second == "return" else harness.clock.seconds() - 72_000
    harness.settle()

    assert harness.mobile == []
    assert [letter["reason"] for letter in harness.dead] == ["original_unknown"] * 2
    ends = [datetime.fromisoformat(letter["dead_since"]) for letter in harness.dead]
    assert abs(ends[0] - ends[1]) <= timedelta(hours=1)
    assert 86_400 <= harness.clock.seconds() - told_last <= 86_400 + 3600


def test_reversal_that_is_redriven_before_its_return_waits_for_it(harness: PaymentsHarness) -> None:
    """The return is a dead letter too: what was noted of its hold is over."""
    STEPS["return"](harness)
    STEPS["reversal"](harness)
    harness.settle()
    letters = {letter["type"]: letter for letter in harness.dead}
    buy(harness)
    harness.settle()

    assert harness.map(redriven(letters["payment.dispute_won"])) == []
    pass_time(harness, 600)
    assert harness.map(redriven(letters["payment.dispute"])) == []
    harness.settle()

    assert len(harness.dead) == 2
    assert sorted(revenue(one)[1] for one in harness.mobile) == ["-59.49", "59.49", "59.49"]


def test_held_return_is_noted_once(harness: PaymentsHarness) -> None:
    """One write unit, however often it is looked at."""
    STEPS["return"](harness)
    harness.map_all()
    noted = harness.trail_table.calls["merge"]
    harness.map_all()

    links = noted - 1
    assert harness.trail_table.calls["merge"] - noted == links


def redriven(letter: Json) -> Json:
    """As `relay dlq redrive` sends it back."""
    return {name: value for name, value in letter.items() if name != "held_since"}


def test_refund_is_on_the_basis_of_its_purchase_though_the_rules_changed(
    harness: PaymentsHarness,
) -> None:
    harness.payments_of(MOBILE_APP, revenue="net_of_tax")
    buy(harness, tax="9.50")
    harness.map_all()
    harness.payments_of(MOBILE_APP, revenue="gross")
    harness.start_anew()

    back(harness, "refund", "r-1", "p-1", amount="20.00", currency="EUR")
    back(harness, "refund", "r-2", "p-1", amount="39.49", currency="EUR", tax="6.30")
    harness.map_all()

    # 20.00 x 49.99 / 59.49 = 16.806. The rest is the rest, though its notice tells 33.19 of it.
    assert [revenue(one)[1] for one in harness.mobile] == ["49.99", "-16.81", "-33.18"]


# Trials


def test_trial_has_no_revenue(harness: PaymentsHarness) -> None:
    harness.tell("trial", id="t-1", **WHOSE)
    harness.map_all()

    event = harness.mobile[0]["event"]
    assert event["eventName"] == "af_start_trial"
    assert "af_revenue" not in event["eventValue"]


# What the app wants to hear


def test_names_are_the_apps_own(harness: PaymentsHarness) -> None:
    harness.payments_of(MOBILE_APP, names={"renewal": "renewed", "refund": "money_back"})
    buy(harness, kind="renewal")
    back(harness, "refund", "r-1", "p-1")
    harness.settle()

    assert [one["event"]["eventName"] for one in harness.mobile] == ["renewed", "money_back"]


def test_movement_that_the_app_drops_is_counted_and_its_refund_too(
    harness: PaymentsHarness, counted: Counted
) -> None:
    harness.payments_of(MOBILE_APP, names={"purchase": None, "refund": "money_back"})
    buy(harness)
    back(harness, "refund", "r-1", "p-1")
    harness.settle()

    assert (harness.mobile, harness.dead) == ([], [])
    assert counted()["MovementDropped"] == 2


def test_movement_that_the_app_drops_needs_no_basis(harness: PaymentsHarness) -> None:
    harness.payments_of(MOBILE_APP, names={"purchase": None}, revenue="net_of_tax")
    buy(harness)
    harness.map_all()

    assert harness.dead == []


def test_payment_on_a_basis_that_is_not_told_is_a_dead_letter_that_names_it(
    harness: PaymentsHarness,
) -> None:
    harness.payments_of(MOBILE_APP, revenue="net_of_tax_and_fee")
    buy(harness, tax="9.50")
    harness.map_all()

    assert harness.mobile == []
    letter = harness.dead[0]
    assert letter["reason"] == "revenue_unknown"
    assert letter["message"] == "the provider does not tell net_of_tax_and_fee"


def test_app_without_revenue_hears_of_payment_and_refund_without_money(
    harness: PaymentsHarness,
) -> None:
    harness.payments_of(MOBILE_APP, revenue="none")
    buy(harness)
    back(harness, "refund", "r-1", "p-1")
    harness.settle()

    assert len(harness.mobile) == 2
    assert "59.49" not in json.dumps(harness.mobile)


# Tests


def test_test_payment_is_dropped_and_counted_before_anything_is_kept(
    harness: PaymentsHarness, counted: Counted
) -> None:
    harness.billing(test=True)
    buy(harness)
    harness.map_all()

    assert (harness.mobile, harness.dead, len(harness.trail_table)) == ([], [], 0)
    assert counted()["TestDropped"] == 1


@pytest.mark.parametrize(
    ("app_id", "surface", "test_app"),
    [(MOBILE_APP, "mobile", "id999"), (WEB_APP, "web", "website-test")],
)
def test_test_payment_goes_to_the_test_app_by_its_own_rules(
    harness: PaymentsHarness, app_id: str, surface: str, test_app: str
) -> None:
    harness.billing(test=True)
    harness.payments_of(app_id, surface, test_events_to=test_app, names={"purchase": "not_this"})
    harness.payments_of(test_app, surface, names={"purchase": "tested"})
    buy(harness, app_id=app_id)
    back(harness, "refund", "r-1", "p-1")
    harness.settle()

    sent = harness.mobile + harness.web
    assert {one["app_id"] for one in sent} == {test_app}
    names = [one["event"].get("eventName") or one["event"]["event_name"] for one in sent]
    assert names == ["tested", "tested"]


def test_test_payment_of_an_app_without_a_test_app_is_dropped(
    harness: PaymentsHarness, counted: Counted
) -> None:
    harness.billing(test=True)
    harness.payments_of(ANDROID_APP, test_events_to="com.example.test")
    buy(harness)
    harness.map_all()

    assert (harness.mobile, harness.dead) == ([], [])
    assert counted()["TestDropped"] == 1


def test_test_payment_costs_nothing_that_another_app_of_the_source_is_malformed(
    harness: PaymentsHarness,
) -> None:
    harness.billing(test=True)
    harness.payments_of(MOBILE_APP, revenue="half")
    harness.payments_of(ANDROID_APP, test_events_to=ANDROID_APP)
    buy(harness, app_id=ANDROID_APP)
    harness.map_all()

    assert [one["app_id"] for one in harness.mobile] == [ANDROID_APP]


def test_test_payment_is_held_while_its_app_is_malformed(harness: PaymentsHarness) -> None:
    harness.billing(test=True)
    harness.payments_of(MOBILE_APP, revenue="half")
    buy(harness)
    harness.map_all()

    assert "held_since" in harness.waiting[0].content


def test_test_payment_of_a_source_with_an_app_that_is_not_set_up_is_dropped(
    harness: PaymentsHarness, counted: Counted
) -> None:
    harness.billing(test=True, apps={"mobile": ["id666"], "web": ["nowhere"]})
    buy(harness)
    harness.map_all()

    assert harness.dead == []
    assert counted()["TestDropped"] == 1


# Whose it is


def test_customer_without_metadata_is_in_the_app_installed_last(harness: PaymentsHarness) -> None:
    harness.installed("user-1", MOBILE_APP, seconds_ago=9000)
    latest = harness.installed("user-1", ANDROID_APP, seconds_ago=8000)
    buy(harness, app_id=None, appsflyer_id=None)
    harness.map_all()

    assert harness.mobile[0]["app_id"] == ANDROID_APP
    assert harness.mobile[0]["event"]["appsflyer_id"] == latest
    assert harness.mobile[0]["event"]["bundleIdentifier"] == ANDROID_APP


def test_customer_whose_id_is_not_known_yet_is_left_to_the_forwarder(
    harness: PaymentsHarness,
) -> None:
    buy(harness, appsflyer_id=None)
    harness.map_all()

    assert "appsflyer_id" not in harness.mobile[0]["event"]
    assert harness.mobile[0]["event"]["customer_user_id"] == "user-1"


def test_payment_of_nobody_waits_until_something_says_whose_it_is(harness: PaymentsHarness) -> None:
    harness.tell("first_payment", id="p-1", subscription_id="s-1", **PRICE)
    harness.map_all()
    assert len(harness.waiting) == 1

    harness.tell("trial", id="t-1", subscription_id="s-1", **WHOSE)
    harness.settle()

    names = sorted(one["event"]["eventName"] for one in harness.mobile)
    assert names == ["af_start_trial", "af_subscribe"]


def test_payment_of_nobody_is_a_dead_letter_after_a_day(harness: PaymentsHarness) -> None:
    harness.tell("purchase", id="p-1", **PRICE)
    harness.settle()

    assert harness.mobile == []
    assert (harness.dead[0]["reason"], harness.dead[0]["outcome"]) == ("identity_unknown", "held")


def test_payment_for_an_app_that_the_source_may_not_feed_is_a_dead_letter(
    harness: PaymentsHarness,
) -> None:
    buy(harness, app_id="id666")
    harness.map_all()

    assert harness.dead[0]["reason"] == "foreign_app"


def test_payment_for_an_app_that_is_not_set_up_is_a_dead_letter(harness: PaymentsHarness) -> None:
    del harness.ssm.parameters[f"/relay/apps/mobile/{MOBILE_APP}"]
    buy(harness)
    harness.map_all()

    assert harness.dead[0]["reason"] == "unknown_app"


# S3


def test_payment_of_a_customer_who_has_just_installed_waits_for_the_install(
    harness: PaymentsHarness,
) -> None:
    harness.installed("user-1", seconds_ago=20)
    buy(harness)
    back(harness, "refund", "r-1", "p-1")
    harness.settle()

    assert {one["not_before"] for one in harness.mobile} == {"2026-03-02T12:00:40.000Z"}


def test_payment_told_again_waits_for_the_install_as_well(harness: PaymentsHarness) -> None:
    harness.installed("user-1", seconds_ago=20)
    for _ in range(2):
        buy(harness)
        harness.map_all()

    first, second = harness.mobile
    assert first == second


# Forgetting


def test_forgotten_customer_leaves_nothing_in_the_trail(harness: PaymentsHarness) -> None:
    harness.tell("trial", id="t-1", subscription_id="s-1", **WHOSE)
    harness.map_all()
    harness.tell("renewal", id="p-1", subscription_id="s-1", **PRICE)
    back(harness, "refund", "r-1", "p-1")
    harness.settle()
    assert len(harness.trail_table) > 5

    harness.trail.forget("user-1")

    assert len(harness.trail_table) == 0


@pytest.mark.parametrize("turned", [False, True], ids=["invoice first", "link first"])
def test_forgotten_customer_leaves_no_link_that_came_before_him(
    harness: PaymentsHarness, *, turned: bool
) -> None:
    harness.clock.now = present()
    account = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1")
    paid, _, link = account.renewal(1)
    for webhook in (link, paid) if turned else (paid, link):
        harness.post("stripe", webhook)
        harness.settle()
    assert len(harness.trail_table) == 5

    harness.trail.forget("user-1")

    assert len(harness.trail_table) == 0


def test_notice_is_queued_under_its_source_and_told_by_its_size(harness: PaymentsHarness) -> None:
    webhook = billing_webhook("refund", harness.clock, id="r-1", original_id="p-1")
    harness.post("standard_webhooks", webhook)
    harness.map_all()

    (waiting,) = harness.waiting
    assert waiting.group == "standard-webhooks"
    assert parse_notice(waiting.body).size == len(webhook.body)
