"""What a notice becomes: by a company's own billing, whose schema says what each test is about."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.messages.notice import parse_notice
from tests.builders import MOBILE_APP, NOW, WEB_APP, Json
from tests.payments_harness import ANDROID_APP, SECRETS, PaymentsHarness, billing_webhook
from tests.webhooks import ACCOUNTS, present

WHOSE = {"customer_user_id": "user-1", "appsflyer_id": "1-2", "app_id": MOBILE_APP}
PRICE = {"amount": "59.49", "currency": "EUR"}

Counted = Callable[[], dict[str, float]]


@pytest.fixture
def world() -> PaymentsHarness:
    return PaymentsHarness()


def buy(world: PaymentsHarness, number: str = "p-1", kind: str = "purchase", **data: Any) -> None:
    world.tell(kind, **{"id": number, **PRICE, **WHOSE, **data})


def back(world: PaymentsHarness, kind: str, number: str, of: str, **data: Any) -> None:
    """Told when what came before has been mapped: those of one batch are mapped side by side."""
    world.map_all()
    world.tell(kind, id=number, original_id=of, **data)


def revenue(envelope: Json) -> tuple[str, str]:
    event = envelope["event"]
    return event["eventName"], event["eventValue"]["af_revenue"]


# One movement, one event


def test_purchase_becomes_an_event_on_the_mobile_queue(world: PaymentsHarness) -> None:
    buy(world, order_id="order-7", product_id="plan", quantity=2)

    assert world.map_all() == []

    (envelope,) = world.mobile
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
    assert world.sqs.queues["https://sqs.example.com/mobile"][0].group == MOBILE_APP
    assert (world.waiting, world.dead, world.web) == ([], [], [])


def test_purchase_on_the_web_becomes_an_event_on_the_web_queue(world: PaymentsHarness) -> None:
    buy(world, app_id=WEB_APP, appsflyer_id=None)

    world.map_all()

    (envelope,) = world.web
    assert (envelope["app_id"], envelope["kind"]) == (WEB_APP, "web_event")
    assert envelope["event"]["user_id"] == {"customer_user_id": "user-1"}
    assert world.mobile == []


def test_movement_told_again_becomes_the_very_same_event(world: PaymentsHarness) -> None:
    for _ in range(3):
        buy(world)
        world.map_all()
        world.clock.advance(3600)
        world.start_anew()

    first, *others = [{**one, "first_seen": ""} for one in world.mobile]
    assert others == [first, first]


def test_movement_told_again_after_the_rules_changed_becomes_the_same_event(
    world: PaymentsHarness,
) -> None:
    buy(world)
    world.map_all()
    world.payments_of(MOBILE_APP, names={"purchase": "bought"}, revenue="none")
    world.installed("user-1", ANDROID_APP)
    world.start_anew()

    buy(world, app_id=None, appsflyer_id=None)
    world.map_all()

    first, second = world.mobile
    assert first == second


def test_movement_told_again_after_a_month_is_not_sent_again(
    world: PaymentsHarness, counted: Counted
) -> None:
    buy(world)
    world.map_all()
    world.clock.advance(31 * 86_400)

    buy(world)
    world.map_all()

    assert len(world.mobile) == 1
    assert counted()["MovementRetold"] == 1


@pytest.mark.parametrize("change", [{"amount": "59.50"}, {"currency": "USD"}])
def test_movement_told_again_with_other_money_is_a_conflict(
    world: PaymentsHarness, change: dict[str, str]
) -> None:
    buy(world)
    world.map_all()

    buy(world, **change)
    world.map_all()

    assert len(world.mobile) == 1
    (letter,) = world.dead
    assert (letter["reason"], letter["outcome"]) == ("id_conflict", "rejected")
    assert letter["content"]["data"]["amount"] == change.get("amount", "59.49")


def test_two_tellings_with_other_money_in_one_batch_are_one_event_and_a_conflict(
    world: PaymentsHarness,
) -> None:
    buy(world)
    buy(world, amount="1.00")

    world.map_all()

    assert (len(world.mobile), len(world.dead)) == (1, 1)
    assert world.dead[0]["reason"] == "id_conflict"


# What is given back and taken away


def test_refunds_have_the_originals_name_order_and_app_with_a_minus(world: PaymentsHarness) -> None:
    buy(world, kind="renewal", order_id="order-7", quantity=2)
    back(world, "refund", "r-1", "p-1", amount="20.00", currency="EUR")
    back(world, "refund", "r-2", "p-1", amount="39.49", currency="EUR")
    world.settle()

    assert [revenue(one) for one in world.mobile] == [
        ("af_subscribe", "59.49"),
        ("af_subscribe", "-20.00"),
        ("af_subscribe", "-39.49"),
    ]
    assert {one["event"]["eventValue"]["af_order_id"] for one in world.mobile} == {"order-7"}
    assert {one["event"]["appsflyer_id"] for one in world.mobile} == {"1-2"}
    assert "af_quantity" not in world.mobile[1]["event"]["eventValue"]


def test_refund_without_an_amount_is_of_all(world: PaymentsHarness) -> None:
    buy(world)
    back(world, "refund", "r-1", "p-1")
    world.settle()

    assert revenue(world.mobile[1]) == ("af_purchase", "-59.49")


@pytest.mark.parametrize(
    ("negative", "reversal"), [("refund", "refund_reversed"), ("dispute", "dispute_won")]
)
def test_reversal_brings_back_what_was_taken(
    world: PaymentsHarness, negative: str, reversal: str
) -> None:
    buy(world)
    back(world, negative, "n-1", "p-1", amount="20.00", currency="EUR")
    back(world, reversal, "n-1-back", "n-1")
    world.settle()

    assert [revenue(one)[1] for one in world.mobile] == ["59.49", "-20.00", "20.00"]


def test_refund_before_its_purchase_waits_for_it(world: PaymentsHarness) -> None:
    back(world, "refund", "r-1", "p-1", amount="59.49", currency="EUR")
    world.map_all()
    assert world.mobile == []
    (waiting,) = world.waiting
    assert 1 <= waiting.delay_seconds <= 5
    assert waiting.content.get("attempts", 0) == 0

    buy(world)
    world.settle()

    assert sorted(revenue(one)[1] for one in world.mobile) == ["-59.49", "59.49"]


def test_refund_whose_purchase_never_comes_is_a_dead_letter_after_a_day(
    world: PaymentsHarness,
) -> None:
    back(world, "refund", "r-1", "p-1", amount="59.49", currency="EUR")
    delays = []
    while not world.dead:
        delays += [message.delay_seconds for message in world.waiting]
        world.map_all()

    assert (world.dead[0]["reason"], world.dead[0]["outcome"]) == ("original_unknown", "held")
    assert sorted(delays) == delays
    assert delays[-1] == 300
    assert 86_400 <= (world.clock.now - NOW).total_seconds() <= 86_400 + 300


def test_reversal_of_what_was_never_taken_is_dropped_after_a_day(
    world: PaymentsHarness, counted: Counted
) -> None:
    buy(world)
    back(world, "dispute_won", "d-won", "d-1")
    world.settle()

    assert len(world.mobile) == 1
    assert world.dead == []
    assert counted()["MovementDropped"] == 1


def test_refund_is_on_the_basis_of_its_purchase_though_the_rules_changed(
    world: PaymentsHarness,
) -> None:
    world.payments_of(MOBILE_APP, revenue="net_of_tax")
    buy(world, tax="9.50")
    world.map_all()
    world.payments_of(MOBILE_APP, revenue="gross")
    world.start_anew()

    back(world, "refund", "r-1", "p-1", amount="20.00", currency="EUR")
    back(world, "refund", "r-2", "p-1", amount="39.49", currency="EUR", tax="6.30")
    world.map_all()

    # 20.00 x 49.99 / 59.49 = 16.806, and what is told goes before any proportion.
    assert [revenue(one)[1] for one in world.mobile] == ["49.99", "-16.81", "-33.19"]


# Trials


def test_trial_has_no_revenue(world: PaymentsHarness) -> None:
    world.tell("trial", id="t-1", **WHOSE)
    world.map_all()

    event = world.mobile[0]["event"]
    assert event["eventName"] == "af_start_trial"
    assert "af_revenue" not in event["eventValue"]


# What the app wants to hear


def test_names_are_the_apps_own(world: PaymentsHarness) -> None:
    world.payments_of(MOBILE_APP, names={"renewal": "renewed", "refund": "money_back"})
    buy(world, kind="renewal")
    back(world, "refund", "r-1", "p-1")
    world.settle()

    assert [one["event"]["eventName"] for one in world.mobile] == ["renewed", "money_back"]


def test_movement_that_the_app_drops_is_counted_and_its_refund_too(
    world: PaymentsHarness, counted: Counted
) -> None:
    world.payments_of(MOBILE_APP, names={"purchase": None, "refund": "money_back"})
    buy(world)
    back(world, "refund", "r-1", "p-1")
    world.settle()

    assert (world.mobile, world.dead) == ([], [])
    assert counted()["MovementDropped"] == 2


def test_movement_that_the_app_drops_needs_no_basis(world: PaymentsHarness) -> None:
    world.payments_of(MOBILE_APP, names={"purchase": None}, revenue="net_of_tax")
    buy(world)
    world.map_all()

    assert world.dead == []


def test_payment_on_a_basis_that_is_not_told_is_a_dead_letter_that_names_it(
    world: PaymentsHarness,
) -> None:
    world.payments_of(MOBILE_APP, revenue="net_of_tax_and_fee")
    buy(world, tax="9.50")
    world.map_all()

    assert world.mobile == []
    letter = world.dead[0]
    assert letter["reason"] == "revenue_unknown"
    assert letter["message"] == "the provider does not tell net_of_tax_and_fee"


def test_app_without_revenue_hears_of_payment_and_refund_without_money(
    world: PaymentsHarness,
) -> None:
    world.payments_of(MOBILE_APP, revenue="none")
    buy(world)
    back(world, "refund", "r-1", "p-1")
    world.settle()

    assert len(world.mobile) == 2
    assert "59.49" not in json.dumps(world.mobile)


# Tests


def test_test_payment_is_dropped_and_counted_before_anything_is_kept(
    world: PaymentsHarness, counted: Counted
) -> None:
    world.billing(test=True)
    buy(world)
    world.map_all()

    assert (world.mobile, world.dead, len(world.trail_table)) == ([], [], 0)
    assert counted()["TestDropped"] == 1


@pytest.mark.parametrize(
    ("app_id", "surface", "test_app"),
    [(MOBILE_APP, "mobile", "id999"), (WEB_APP, "web", "website-test")],
)
def test_test_payment_goes_to_the_test_app_by_its_own_rules(
    world: PaymentsHarness, app_id: str, surface: str, test_app: str
) -> None:
    world.billing(test=True)
    world.payments_of(app_id, surface, test_events_to=test_app, names={"purchase": "not_this"})
    world.payments_of(test_app, surface, names={"purchase": "tested"})
    buy(world, app_id=app_id)
    back(world, "refund", "r-1", "p-1")
    world.settle()

    sent = world.mobile + world.web
    assert {one["app_id"] for one in sent} == {test_app}
    names = [one["event"].get("eventName") or one["event"]["event_name"] for one in sent]
    assert names == ["tested", "tested"]


def test_test_payment_of_an_app_without_a_test_app_is_dropped(
    world: PaymentsHarness, counted: Counted
) -> None:
    world.billing(test=True)
    world.payments_of(ANDROID_APP, test_events_to="com.example.test")
    buy(world)
    world.map_all()

    assert (world.mobile, world.dead) == ([], [])
    assert counted()["TestDropped"] == 1


def test_test_payment_of_a_source_with_an_app_that_is_not_set_up_is_dropped(
    world: PaymentsHarness, counted: Counted
) -> None:
    world.billing(test=True, apps={"mobile": ["id666"], "web": ["nowhere"]})
    buy(world)
    world.map_all()

    assert world.dead == []
    assert counted()["TestDropped"] == 1


# Whose it is


def test_customer_without_metadata_is_in_the_app_installed_last(world: PaymentsHarness) -> None:
    world.installed("user-1", MOBILE_APP, seconds_ago=9000)
    latest = world.installed("user-1", ANDROID_APP, seconds_ago=8000)
    buy(world, app_id=None, appsflyer_id=None)
    world.map_all()

    assert world.mobile[0]["app_id"] == ANDROID_APP
    assert world.mobile[0]["event"]["appsflyer_id"] == latest
    assert world.mobile[0]["event"]["bundleIdentifier"] == ANDROID_APP


def test_customer_whose_id_is_not_known_yet_is_left_to_the_forwarder(
    world: PaymentsHarness,
) -> None:
    buy(world, appsflyer_id=None)
    world.map_all()

    assert "appsflyer_id" not in world.mobile[0]["event"]
    assert world.mobile[0]["event"]["customer_user_id"] == "user-1"


def test_payment_of_nobody_waits_until_something_says_whose_it_is(world: PaymentsHarness) -> None:
    world.tell("first_payment", id="p-1", subscription_id="s-1", **PRICE)
    world.map_all()
    assert len(world.waiting) == 1

    world.tell("trial", id="t-1", subscription_id="s-1", **WHOSE)
    world.settle()

    names = sorted(one["event"]["eventName"] for one in world.mobile)
    assert names == ["af_start_trial", "af_subscribe"]


def test_payment_of_nobody_is_a_dead_letter_after_a_day(world: PaymentsHarness) -> None:
    world.tell("purchase", id="p-1", **PRICE)
    world.settle()

    assert world.mobile == []
    assert (world.dead[0]["reason"], world.dead[0]["outcome"]) == ("identity_unknown", "held")


def test_payment_for_an_app_that_the_source_may_not_feed_is_a_dead_letter(
    world: PaymentsHarness,
) -> None:
    buy(world, app_id="id666")
    world.map_all()

    assert world.dead[0]["reason"] == "foreign_app"


def test_payment_for_an_app_that_is_not_set_up_is_a_dead_letter(world: PaymentsHarness) -> None:
    del world.ssm.parameters[f"/relay/apps/mobile/{MOBILE_APP}"]
    buy(world)
    world.map_all()

    assert world.dead[0]["reason"] == "unknown_app"


# S3


def test_payment_of_a_customer_who_has_just_installed_waits_for_the_install(
    world: PaymentsHarness,
) -> None:
    world.installed("user-1", seconds_ago=20)
    buy(world)
    back(world, "refund", "r-1", "p-1")
    world.settle()

    assert {one["not_before"] for one in world.mobile} == {"2026-03-02T12:00:40.000Z"}


def test_payment_told_again_waits_for_the_install_as_well(world: PaymentsHarness) -> None:
    world.installed("user-1", seconds_ago=20)
    for _ in range(2):
        buy(world)
        world.map_all()

    first, second = world.mobile
    assert first == second


# Forgetting


def test_forgotten_customer_leaves_nothing_in_the_trail(world: PaymentsHarness) -> None:
    world.tell("trial", id="t-1", subscription_id="s-1", **WHOSE)
    world.map_all()
    world.tell("renewal", id="p-1", subscription_id="s-1", **PRICE)
    back(world, "refund", "r-1", "p-1")
    world.settle()
    assert len(world.trail_table) > 5

    world.trail.forget("user-1")

    assert len(world.trail_table) == 0


@pytest.mark.parametrize("turned", [False, True], ids=["invoice first", "link first"])
def test_forgotten_customer_leaves_no_link_that_came_before_him(
    world: PaymentsHarness, *, turned: bool
) -> None:
    world.clock.now = present()
    account = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1")
    paid, _, link = account.renewal(1)
    for webhook in (link, paid) if turned else (paid, link):
        world.post("stripe", webhook)
        world.map_all()
    assert len(world.trail_table) == 5

    world.trail.forget("user-1")

    assert len(world.trail_table) == 0


def test_notice_is_queued_under_its_source_and_told_by_its_size(world: PaymentsHarness) -> None:
    webhook = billing_webhook("refund", world.clock, id="r-1", original_id="p-1")
    world.post("standard_webhooks", webhook)
    world.map_all()

    (waiting,) = world.waiting
    assert waiting.group == "standard-webhooks"
    assert parse_notice(waiting.body).size == len(webhook.body)
