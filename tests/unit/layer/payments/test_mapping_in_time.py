"""`map_payment` where a table hangs or is slow, time runs low, or a notice ends its process."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.aws.timeouts import LONGEST_CALL_SECONDS
from relay.consumer.suspects import APART_SECONDS
from relay.errors import TableUnavailableError
from relay.messages.notice import UNREADABLE
from relay.payments import map as mapping
from relay.payments.map import CALL_SECONDS, NEEDED_SECONDS
from relay.payments.providers import standard_webhooks
from tests.support.builders import MOBILE_APP
from tests.support.payments_harness import PaymentsHarness

INVOCATION = 90.0
Counted = Callable[[], dict[str, float]]


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> PaymentsHarness:
    """One notice after the other: the fake clock is nobody's to share."""
    monkeypatch.setattr(mapping, "_THREADS", 1)
    return PaymentsHarness()


def purchases(harness: PaymentsHarness, count: int) -> list[str]:
    """The bodies of notices, each of a purchase."""
    for number in range(count):
        harness.tell(
            "purchase",
            id=f"p-{number}",
            amount="59.49",
            currency="EUR",
            customer_user_id="user-1",
            appsflyer_id="1-2",
            app_id=MOBILE_APP,
        )
    bodies = [message.body for message in harness.waiting]
    harness.waiting.clear()
    return bodies


def slow_calls(harness: PaymentsHarness, seconds: float, error: Exception | None = None) -> None:
    """Each call to the trail takes so long, and fails if there is an error."""
    table = harness.trail_table

    def slow(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            harness.clock.advance(seconds)
            if error is not None:
                table.calls["hung"] += 1
                raise error
            return call(*arguments)

        return called

    for name in ("get", "put", "merge"):
        setattr(table, name, slow(getattr(table, name)))


def countdown(harness: PaymentsHarness) -> Callable[[], float]:
    end = harness.clock.seconds() + INVOCATION
    return lambda: end - harness.clock.seconds()


def test_trail_that_hangs_costs_a_batch_one_call(harness: PaymentsHarness) -> None:
    bodies = purchases(harness, 10)
    slow_calls(harness, LONGEST_CALL_SECONDS, TableUnavailableError("ReadTimeoutError"))
    remaining = countdown(harness)

    assert harness.map(*bodies, remaining=remaining) == []

    assert harness.trail_table.calls["hung"] == 1
    assert remaining() == INVOCATION - LONGEST_CALL_SECONDS
    assert [message.content["attempts"] for message in harness.waiting] == [1] * 10


def test_notice_that_needs_no_table_does_not_wait_for_one_that_hangs(
    harness: PaymentsHarness,
) -> None:
    """Here a single call uses up the time, and whoever comes after it is handed back."""
    needs, too = purchases(harness, 2)
    unreadable = json.dumps({**json.loads(too), "problem": f"{UNREADABLE}: odd"})
    slow_calls(harness, 65.0, TableUnavailableError("ReadTimeoutError"))

    before = len(harness.waiting)

    assert harness.map(needs, too, unreadable, remaining=countdown(harness)) == []

    assert len(harness.waiting) == before + 2
    assert [letter["reason"] for letter in harness.dead] == [UNREADABLE]


@pytest.mark.parametrize("seconds", [1.0, 3.0, 6.9])
def test_trail_that_is_slow_does_not_use_up_the_invocation(
    harness: PaymentsHarness, seconds: float
) -> None:
    bodies = purchases(harness, 20)
    slow_calls(harness, seconds)
    remaining = countdown(harness)

    failed = harness.map(*bodies, remaining=remaining)

    assert remaining() >= CALL_SECONDS - LONGEST_CALL_SECONDS
    assert len(failed) + len(harness.waiting) + len(harness.mobile) == 20
    assert harness.dead == []


def test_notice_that_was_not_begun_goes_back_as_a_new_message(harness: PaymentsHarness) -> None:
    bodies = purchases(harness, 2)

    assert harness.map(*bodies, remaining=lambda: NEEDED_SECONDS - 1, receives=(1, 2)) == []

    assert [message.delay_seconds for message in harness.waiting] == [0, 0]
    assert not any("attempts" in message.content for message in harness.waiting)
    harness.settle()
    assert len(harness.mobile) == 2


def test_suspect_is_mapped_last_and_alone(harness: PaymentsHarness) -> None:
    bodies = purchases(harness, 3)

    assert harness.map(*bodies, receives=(3, 1, 4)) == []

    assert [event["event_id"].rpartition(":")[2] for event in harness.mobile] == [
        "p-1",
        "p-0",
        "p-2",
    ]
    assert harness.sqs.deleted == ["handle-1", "handle-0"]
    assert harness.sqs.hidden == [("handle-0", APART_SECONDS), ("handle-2", APART_SECONDS)]


def test_notice_that_ends_its_process_takes_no_other_with_it(
    harness: PaymentsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends at the first of the suspects: those before it are settled, and deleted."""
    bodies = purchases(harness, 3)
    interpret = standard_webhooks.interpret

    def die(kind: str, content: Any, settings: Any) -> Any:
        if content["data"]["id"] == "p-1":
            raise SystemExit
        return interpret(kind, content, settings)

    monkeypatch.setattr(standard_webhooks, "interpret", die)

    with pytest.raises(SystemExit):
        harness.map(*bodies, receives=(1, 3, 3))

    assert len(harness.mobile) == 1
    assert harness.sqs.deleted == ["handle-0"]
    assert harness.sqs.hidden == [("handle-1", APART_SECONDS)]
