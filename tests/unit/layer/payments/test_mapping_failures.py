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
from tests.support.builders import MOBILE_APP, Json
from tests.support.fakes import aws_error
from tests.support.harnesses import MOBILE_QUEUE
from tests.support.payments_harness import PAYMENTS_DEAD, PAYMENTS_QUEUE, SECRETS, PaymentsHarness
from tests.support.webhooks import Posted

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
def harness() -> PaymentsHarness:
    return PaymentsHarness()


def purchase(harness: PaymentsHarness) -> None:
    harness.tell("purchase", **PURCHASE)


def break_tables(harness: PaymentsHarness) -> None:
    error = TableUnavailableError("DynamoDB failed: ThrottlingException")
    harness.trail_table.error = harness.identities_table.error = error


def mend_tables(harness: PaymentsHarness) -> None:
    harness.trail_table.error = harness.identities_table.error = None


# Waiting, and attempts


def test_notice_while_the_tables_fail_is_deferred_and_mapped_later(
    harness: PaymentsHarness, counted: Counted
) -> None:
    purchase(harness)
    break_tables(harness)
    assert harness.map_all() == []
    (waiting,) = harness.waiting
    assert (waiting.delay_seconds, waiting.content["attempts"]) == (10, 1)
    mend_tables(harness)

    harness.settle()

    assert len(harness.mobile) == 1
    assert counted()["Deferred"] == 1


def test_notice_whose_attempts_are_used_up_is_a_dead_letter_with_its_content(
    harness: PaymentsHarness,
) -> None:
    purchase(harness)
    break_tables(harness)
    harness.settle()

    (letter,) = harness.dead
    assert letter["reason"] == "attempts_used_up: table_unavailable"
    assert letter["outcome"] == "deferred"
    assert (letter["attempts"], letter["dead_since"]) == (3, "2026-03-02T12:01:50.000Z")
    mend_tables(harness)
    harness.map(letter)
    assert len(harness.mobile) == 1


def test_notice_while_parameter_store_fails_is_deferred(harness: PaymentsHarness) -> None:
    purchase(harness)
    harness.start_anew()
    harness.ssm.error = aws_error("ThrottlingException")

    harness.map_all()

    assert harness.waiting[0].content["attempts"] == 1


def test_notice_for_an_app_with_a_mistake_is_held_until_it_is_put_right(
    harness: PaymentsHarness, lines: Lines
) -> None:
    harness.payments_of(MOBILE_APP, names={"purchase": "x" * 65})
    purchase(harness)
    harness.map_all()
    assert "attempts" not in harness.waiting[0].content
    problems = [line["problem"] for line in lines() if line["message"] == "setting is wrong"]
    assert problems[0].startswith(
        f"/relay/apps/mobile/{MOBILE_APP}: payments.names.purchase: String should have at most 64"
    )

    harness.payments_of(MOBILE_APP)
    harness.start_anew()
    harness.settle()

    assert len(harness.mobile) == 1


def test_notice_for_an_app_that_is_never_put_right_is_a_dead_letter_after_a_day(
    harness: PaymentsHarness,
) -> None:
    harness.payments_of(MOBILE_APP, revenue="half")
    purchase(harness)
    harness.settle()

    assert harness.dead[0]["reason"] == "hold_limit: configuration"
    assert harness.dead[0]["outcome"] == "held"


def test_wait_of_more_than_a_quarter_of_an_hour_hops(harness: PaymentsHarness) -> None:
    harness = PaymentsHarness(retry_schedule_seconds=(2000,))
    purchase(harness)
    break_tables(harness)
    harness.map_all()
    mend_tables(harness)

    delays = []
    while harness.waiting:
        delays += [message.delay_seconds for message in harness.waiting]
        harness.map_all()

    assert delays == [900, 900, 200]
    assert len(harness.mobile) == 1


def test_bug_of_ours_costs_its_own_notice_an_attempt_and_no_other(
    harness: PaymentsHarness, said: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpret = standard_webhooks.interpret

    def understand_all_but_one(kind: str, content: Any, settings: Any) -> Any:
        if content["data"]["id"] == "p-2":
            raise RuntimeError("user-1")
        return interpret(kind, content, settings)

    monkeypatch.setattr(standard_webhooks, "interpret", understand_all_but_one)
    purchase(harness)
    harness.tell("purchase", **PURCHASE | {"id": "p-2"})

    assert harness.map_all() == []

    assert len(harness.mobile) == 1
    assert harness.waiting[0].content["attempts"] == 1
    assert "RuntimeError" in said()
    assert "user-1" not in said()


# Queues that take nothing, and time that runs out


@pytest.mark.parametrize("queue", [MOBILE_QUEUE, PAYMENTS_QUEUE, PAYMENTS_DEAD])
def test_record_whose_message_no_queue_takes_comes_back_by_itself(
    harness: PaymentsHarness, counted: Counted, queue: str
) -> None:
    purchase(harness)
    harness.tell("refund", id="r-1", original_id="p-9", amount="1.00", currency="EUR")
    harness.tell("purchase", **PURCHASE | {"id": "p-3", "app_id": "id666"})
    bodies = [message.body for message in harness.waiting]
    harness.waiting.clear()
    harness.sqs.broken_queues = {queue}

    failed = harness.map(*bodies)

    ids = {MOBILE_QUEUE: "m-0", PAYMENTS_QUEUE: "m-1", PAYMENTS_DEAD: "m-2"}
    assert failed == [ids[queue]]
    counters = {
        MOBILE_QUEUE: "MovementMapped",
        PAYMENTS_QUEUE: "Held",
        PAYMENTS_DEAD: "DeadLettered",
    }
    assert counters[queue] not in counted()
    assert counted()["HandedBack"] == 1


def test_record_that_came_back_becomes_the_same_event(harness: PaymentsHarness) -> None:
    purchase(harness)
    body = harness.waiting[0].body
    harness.sqs.broken_queues = {MOBILE_QUEUE}
    assert harness.map(body) == ["m-0"]
    harness.sqs.broken_queues = set()

    assert harness.map(body) == []

    assert harness.mobile[0]["event_id"] == "standard-webhooks:p-1"


def test_notices_for_which_no_time_is_left_go_back_on_their_queue(
    harness: PaymentsHarness, counted: Counted
) -> None:
    purchase(harness)
    purchase(harness)
    bodies = [message.body for message in harness.waiting]
    harness.waiting.clear()

    assert harness.map(*bodies, remaining=lambda: 29.0) == []

    assert (harness.mobile, len(harness.trail_table)) == ([], 0)
    back = [message.content for message in harness.waiting]
    assert back == [json.loads(body) for body in bodies]
    assert counted() == {"HandedBack": 2, "WebhookReceived": 2}


def test_time_that_runs_out_before_the_queues_hands_the_records_back(
    harness: PaymentsHarness,
) -> None:
    purchase(harness)
    unreadable = json.dumps({**harness.waiting[0].content, "problem": "unreadable: odd"})
    times = iter([90.0])

    assert harness.map(unreadable, remaining=lambda: next(times, 7.0)) == ["m-0"]

    assert harness.dead == []


def test_record_that_not_even_a_failure_can_be_written_of_comes_back(
    harness: PaymentsHarness, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    purchase(harness)
    good = harness.waiting[0].body
    gift = json.dumps(json.loads(good) | {"type": "payment.gift"})
    monkeypatch.setattr(notice_job, "write_notice", fail)

    assert harness.map(good, gift) == ["m-1"]

    assert len(harness.mobile) == 1
    assert counted()["Unexpected"] == 2  # the notice, and what should have become of it


# What cannot be mapped


def test_unknown_type_is_a_dead_letter_with_id_type_time_and_digest(
    harness: PaymentsHarness,
) -> None:
    harness.tell("gift", id="g-1", customer_user_id="user-1")
    notice = parse_notice(harness.waiting[0].body)
    harness.map_all()

    assert harness.dead == [
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


def test_unreadable_webhook_is_a_dead_letter_that_says_where(harness: PaymentsHarness) -> None:
    harness.post("revenuecat", Posted({"authorization": SECRETS["revenuecat"]}, b'{"event": {}}'))
    harness.map_all()

    assert (harness.dead[0]["reason"], harness.dead[0]["message"]) == (
        "unreadable",
        "event.type is missing",
    )


def test_webhook_that_says_the_impossible_is_a_dead_letter_that_says_where(
    harness: PaymentsHarness,
) -> None:
    harness.tell("purchase", **PURCHASE | {"amount": "59.499"})
    harness.map_all()

    assert (harness.dead[0]["reason"], harness.dead[0]["message"]) == (
        "unreadable",
        "data.amount: has more decimal places than its currency",
    )


@pytest.mark.parametrize("change", [{"provider": "stripe"}, {"source": "gone"}])
def test_notice_of_a_source_that_is_not_there_is_a_dead_letter(
    harness: PaymentsHarness, change: dict[str, str]
) -> None:
    purchase(harness)

    harness.map(harness.waiting[0].content | change)

    assert harness.dead[0]["reason"] == "unknown_source"


def edit_decision(harness: PaymentsHarness, **changes: str | int) -> None:
    """A person changes the one decision of the trail."""
    items = harness.trail_table.everything().items()
    ((key, item),) = ((key, item) for key, item in items if key.sk == "decision")
    harness.trail_table.put(key, {**item, **changes})


def test_notice_whose_decision_cannot_be_read_is_a_dead_letter_and_its_neighbours_are_mapped(
    harness: PaymentsHarness, counted: Counted, said: Heard
) -> None:
    """Never decided again: its money would count twice, or as something else."""
    purchase(harness)
    harness.settle()
    edit_decision(harness, gross=59)
    harness.tell("refund", id="r-1", original_id="p-1")
    harness.tell("purchase", **PURCHASE | {"id": "p-2"})
    harness.map_all()

    assert [one["event_id"] for one in harness.mobile] == [
        "standard-webhooks:p-1",
        "standard-webhooks:p-2",
    ]
    (letter,) = harness.dead
    assert (letter["outcome"], letter["reason"], letter["message"]) == (
        "rejected",
        "trail_unreadable",
        "decision.gross: must be text",
    )
    assert (counted()["DeadLettered"], counted().get("Unexpected")) == (1, None)
    assert "user-1" not in said()


def test_notice_whose_decision_was_put_right_is_mapped_when_its_letter_is_sent_back(
    harness: PaymentsHarness,
) -> None:
    purchase(harness)
    harness.settle()
    edit_decision(harness, surface="desktop")
    harness.tell("refund", id="r-1", original_id="p-1")
    harness.map_all()
    edit_decision(harness, surface="mobile")

    harness.map(harness.dead[0])

    assert harness.mobile[1]["event"]["eventValue"]["af_revenue"] == "-59.49"


def test_notice_of_a_customer_whose_identity_cannot_be_read_waits_and_its_neighbours_do_not(
    harness: PaymentsHarness, counted: Counted
) -> None:
    harness.installed("user-1")
    ((key, item),) = harness.identities_table.everything().items()
    harness.identities_table.put(key, {name: item[name] for name in item if name != "expires_at"})
    whose = PURCHASE | {"appsflyer_id": None, "app_id": None}
    harness.billing(pick=["latest_install"])
    harness.installed("user-2")
    harness.tell("purchase", **whose)
    harness.tell("purchase", **whose | {"id": "p-2", "customer_user_id": "user-2"})
    harness.map_all()

    assert [one["event_id"] for one in harness.mobile] == ["standard-webhooks:p-2"]
    assert len(harness.waiting) == 1
    assert counted()["ItemsUnreadable"] == 1


def test_notice_as_large_as_a_message_is_given_up_without_its_content(
    harness: PaymentsHarness,
) -> None:
    """None of ours is; SQS would not take it with the reason noted on it."""
    harness.tell("refund", id="r-1", original_id="p-1")
    notice = harness.waiting[0].content
    harness.waiting.clear()
    notice["content"]["more"] = ""
    room = MAX_MESSAGE_BYTES - len(dumps(notice))
    notice["content"]["more"] = "x" * room

    assert harness.map(dumps(notice).decode()) == []

    (letter,) = harness.dead
    assert letter["reason"] == "too_large_to_wait: original_unknown"
    assert (letter["sha256"], letter.get("content")) == (notice["sha256"], None)


def test_body_that_is_no_notice_is_kept_by_its_digest_alone(harness: PaymentsHarness) -> None:
    assert harness.map('{"person": "jane.roe@example.com"}') == []

    (letter,) = harness.dead
    assert (letter["reason"], letter["message_id"]) == ("not_an_envelope", "m-0")
    assert len(letter["sha256"]) == 64
    assert "jane" not in json.dumps(letter)


# What is said


def test_log_of_all_that_can_become_of_notices_holds_nothing_of_them(
    harness: PaymentsHarness, said: Heard
) -> None:
    purchase(harness)
    harness.tell("refund", id="r-1", original_id="p-9", amount="1.00", currency="EUR")
    harness.tell("purchase", **PURCHASE | {"id": "p-3", "app_id": "id666"})
    harness.tell("purchase", **PURCHASE | {"amount": "1.11"})
    harness.settle()

    heard = said()
    for reason in ("original_unknown", "foreign_app", "id_conflict"):
        assert reason in heard
    for private in ("user-1", "1-2", "p-1", "p-9", "59.49", "id666", "standard-webhooks"):
        assert f'"{private}"' not in heard
        assert f":{private}" not in heard
