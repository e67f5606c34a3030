"""What becomes of a notice when something around `map_payment` fails: nothing is lost."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.aws.sqs import MAX_MESSAGE_BYTES
from relay.errors import TableUnavailableError
from relay.exact_json import dumps
from relay.messages.notice import parse_notice
from relay.payments import notice_job
from relay.payments.providers import standard_webhooks
from tests.builders import MOBILE_APP, Json
from tests.fakes import aws_error
from tests.harnesses import MOBILE_QUEUE
from tests.payments_harness import PAYMENTS_DEAD, PAYMENTS_QUEUE, SECRETS, PaymentsHarness
from tests.webhooks import Posted

PURCHASE = {
    "id": "p-1",
    "amount": "59.49",
    "currency": "EUR",
    "customer_user_id": "user-1",
    "appsflyer_id": "1-2",
    "app_id": MOBILE_APP,
}

Counted = Callable[[], dict[str, float]]
Lines = Callable[[], list[Json]]
Heard = Callable[[], str]


@pytest.fixture
def world() -> PaymentsHarness:
    return PaymentsHarness()


def purchase(world: PaymentsHarness) -> None:
    world.tell("purchase", **PURCHASE)


def break_tables(world: PaymentsHarness) -> None:
    error = TableUnavailableError("DynamoDB failed: ThrottlingException")
    world.trail_table.error = world.identities_table.error = error


def mend_tables(world: PaymentsHarness) -> None:
    world.trail_table.error = world.identities_table.error = None


# Waiting, and attempts


def test_notice_while_the_tables_fail_is_deferred_and_mapped_later(
    world: PaymentsHarness, counted: Counted
) -> None:
    purchase(world)
    break_tables(world)
    assert world.map_all() == []
    (waiting,) = world.waiting
    assert (waiting.delay_seconds, waiting.content["attempts"]) == (10, 1)
    mend_tables(world)

    world.settle()

    assert len(world.mobile) == 1
    assert counted()["Deferred"] == 1


def test_notice_whose_attempts_are_used_up_is_a_dead_letter_with_its_content(
    world: PaymentsHarness,
) -> None:
    purchase(world)
    break_tables(world)
    world.settle()

    (letter,) = world.dead
    assert letter["reason"] == "attempts_used_up: table_unavailable"
    assert letter["outcome"] == "deferred"
    assert (letter["attempts"], letter["dead_since"]) == (3, "2026-03-02T12:01:50.000Z")
    mend_tables(world)
    world.map(letter)
    assert len(world.mobile) == 1


def test_notice_while_parameter_store_fails_is_deferred(world: PaymentsHarness) -> None:
    purchase(world)
    world.start_anew()
    world.ssm.error = aws_error("ThrottlingException")

    world.map_all()

    assert world.waiting[0].content["attempts"] == 1


def test_notice_for_an_app_with_a_mistake_is_held_until_it_is_put_right(
    world: PaymentsHarness, lines: Lines
) -> None:
    world.payments_of(MOBILE_APP, names={"purchase": "x" * 65})
    purchase(world)
    world.map_all()
    assert "attempts" not in world.waiting[0].content
    problems = [line["problem"] for line in lines() if line["message"] == "setting is wrong"]
    assert problems[0].startswith(
        f"/relay/apps/mobile/{MOBILE_APP}: payments.names.purchase: String should have at most 64"
    )

    world.payments_of(MOBILE_APP)
    world.start_anew()
    world.settle()

    assert len(world.mobile) == 1


def test_notice_for_an_app_that_is_never_put_right_is_a_dead_letter_after_a_day(
    world: PaymentsHarness,
) -> None:
    world.payments_of(MOBILE_APP, revenue="half")
    purchase(world)
    world.settle()

    assert world.dead[0]["reason"] == "hold_limit: configuration"
    assert world.dead[0]["outcome"] == "held"


def test_wait_of_more_than_a_quarter_of_an_hour_hops(world: PaymentsHarness) -> None:
    world = PaymentsHarness(retry_schedule_seconds=(2000,))
    purchase(world)
    break_tables(world)
    world.map_all()
    mend_tables(world)

    delays = []
    while world.waiting:
        delays += [message.delay_seconds for message in world.waiting]
        world.map_all()

    assert delays == [900, 900, 200]
    assert len(world.mobile) == 1


def test_bug_of_ours_costs_its_own_notice_an_attempt_and_no_other(
    world: PaymentsHarness, said: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpret = standard_webhooks.interpret

    def understand_all_but_one(kind: str, content: Any, settings: Any) -> Any:
        if content["data"]["id"] == "p-2":
            raise RuntimeError("user-1")
        return interpret(kind, content, settings)

    monkeypatch.setattr(standard_webhooks, "interpret", understand_all_but_one)
    purchase(world)
    world.tell("purchase", **PURCHASE | {"id": "p-2"})

    assert world.map_all() == []

    assert len(world.mobile) == 1
    assert world.waiting[0].content["attempts"] == 1
    assert "RuntimeError" in said()
    assert "user-1" not in said()


# Queues that take nothing, and time that runs out


@pytest.mark.parametrize("queue", [MOBILE_QUEUE, PAYMENTS_QUEUE, PAYMENTS_DEAD])
def test_record_whose_message_no_queue_takes_comes_back_by_itself(
    world: PaymentsHarness, counted: Counted, queue: str
) -> None:
    purchase(world)
    world.tell("refund", id="r-1", original_id="p-9", amount="1.00", currency="EUR")
    world.tell("purchase", **PURCHASE | {"id": "p-3", "app_id": "id666"})
    bodies = [message.body for message in world.waiting]
    world.waiting.clear()
    world.sqs.broken_queues = {queue}

    failed = world.map(*bodies)

    ids = {MOBILE_QUEUE: "m-0", PAYMENTS_QUEUE: "m-1", PAYMENTS_DEAD: "m-2"}
    assert failed == [ids[queue]]
    counters = {
        MOBILE_QUEUE: "MovementMapped",
        PAYMENTS_QUEUE: "Held",
        PAYMENTS_DEAD: "DeadLettered",
    }
    assert counters[queue] not in counted()
    assert counted()["HandedBack"] == 1


def test_record_that_came_back_becomes_the_same_event(world: PaymentsHarness) -> None:
    purchase(world)
    body = world.waiting[0].body
    world.sqs.broken_queues = {MOBILE_QUEUE}
    assert world.map(body) == ["m-0"]
    world.sqs.broken_queues = set()

    assert world.map(body) == []

    assert world.mobile[0]["event_id"] == "standard-webhooks:p-1"


def test_records_for_which_no_time_is_left_come_back_untouched(world: PaymentsHarness) -> None:
    purchase(world)
    purchase(world)
    bodies = [message.body for message in world.waiting]

    assert world.map(*bodies, remaining=lambda: 29.0) == ["m-0", "m-1"]

    assert (world.mobile, len(world.trail_table)) == ([], 0)


def test_time_that_runs_out_before_the_queues_hands_the_records_back(
    world: PaymentsHarness,
) -> None:
    purchase(world)
    times = iter([90.0, 7.0])

    assert world.map(world.waiting[0].body, remaining=lambda: next(times)) == ["m-0"]

    assert world.mobile == []


def test_record_that_not_even_a_failure_can_be_written_of_comes_back(
    world: PaymentsHarness, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    purchase(world)
    good = world.waiting[0].body
    gift = json.dumps(json.loads(good) | {"type": "payment.gift"})
    monkeypatch.setattr(notice_job, "write_notice", fail)

    assert world.map(good, gift) == ["m-1"]

    assert len(world.mobile) == 1
    assert counted()["Unexpected"] == 2  # the notice, and what should have become of it


# What cannot be mapped


def test_unknown_type_is_a_dead_letter_with_id_type_time_and_digest(world: PaymentsHarness) -> None:
    world.tell("gift", id="g-1", customer_user_id="user-1")
    notice = parse_notice(world.waiting[0].body)
    world.map_all()

    assert world.dead == [
        {
            "provider": "standard_webhooks",
            "source": "standard-webhooks",
            "sha256": notice.sha256,
            "size": notice.size,
            "id": "g-1",
            "type": "payment.gift",
            "problem": "unknown_type",
            "occurred_at": "2026-03-02T12:00:00.000Z",
            "first_seen": "2026-03-02T12:00:00.000Z",
            "reason": "unknown_type",
            "outcome": "rejected",
            "dead_since": "2026-03-02T12:00:00.000Z",
        }
    ]


def test_unreadable_webhook_is_a_dead_letter_that_says_where(world: PaymentsHarness) -> None:
    world.post("revenuecat", Posted({"authorization": SECRETS["revenuecat"]}, b'{"event": {}}'))
    world.map_all()

    assert (world.dead[0]["reason"], world.dead[0]["message"]) == (
        "unreadable",
        "event.type is missing",
    )


def test_webhook_that_says_the_impossible_is_a_dead_letter_that_says_where(
    world: PaymentsHarness,
) -> None:
    world.tell("purchase", **PURCHASE | {"amount": "59.499"})
    world.map_all()

    assert (world.dead[0]["reason"], world.dead[0]["message"]) == (
        "unreadable",
        "data.amount: has more decimal places than its currency",
    )


@pytest.mark.parametrize("change", [{"provider": "stripe"}, {"source": "gone"}])
def test_notice_of_a_source_that_is_not_there_is_a_dead_letter(
    world: PaymentsHarness, change: dict[str, str]
) -> None:
    purchase(world)

    world.map(world.waiting[0].content | change)

    assert world.dead[0]["reason"] == "unknown_source"


def test_notice_as_large_as_a_message_is_given_up_without_its_content(
    world: PaymentsHarness,
) -> None:
    """None of ours is; SQS would not take it with the reason noted on it."""
    world.tell("refund", id="r-1", original_id="p-1")
    notice = world.waiting[0].content
    world.waiting.clear()
    notice["content"]["more"] = ""
    room = MAX_MESSAGE_BYTES - len(dumps(notice))
    notice["content"]["more"] = "x" * room

    assert world.map(dumps(notice).decode()) == []

    (letter,) = world.dead
    assert letter["reason"] == "too_large_to_wait: original_unknown"
    assert (letter["sha256"], letter.get("content")) == (notice["sha256"], None)


def test_body_that_is_no_notice_is_kept_by_its_digest_alone(world: PaymentsHarness) -> None:
    assert world.map('{"person": "jane.roe@example.com"}') == []

    (letter,) = world.dead
    assert (letter["reason"], letter["message_id"]) == ("not_an_envelope", "m-0")
    assert len(letter["sha256"]) == 64
    assert "jane" not in json.dumps(letter)


# What is said


def test_log_of_all_that_can_become_of_notices_holds_nothing_of_them(
    world: PaymentsHarness, said: Heard
) -> None:
    purchase(world)
    world.tell("refund", id="r-1", original_id="p-9", amount="1.00", currency="EUR")
    world.tell("purchase", **PURCHASE | {"id": "p-3", "app_id": "id666"})
    world.tell("purchase", **PURCHASE | {"amount": "1.11"})
    world.settle()

    heard = said()
    for reason in ("original_unknown", "foreign_app", "id_conflict"):
        assert reason in heard
    for private in ("user-1", "1-2", "p-1", "p-9", "59.49", "id666", "standard-webhooks"):
        assert f'"{private}"' not in heard
        assert f":{private}" not in heard
