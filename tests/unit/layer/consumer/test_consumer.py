"""The consumer, where the use cases' own tests do not reach."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from relay.aws.sqs import Queue
from relay.consumer.consumer import LONGEST_PART, Batch
from relay.consumer.suspects import APART_SECONDS
from relay.consumer.threads import run_without_loop
from relay.domain.kinds import Surface
from relay.forward.event_job import EventJob
from relay.forward.look_ups import LookUps
from relay.stores.identities import Identities
from tests.support.builders import (
    Json,
    make_envelope,
    make_event,
    make_sqs_event,
    make_web_envelope,
    make_web_event,
)
from tests.support.every import every
from tests.support.fakes import Says
from tests.support.harnesses import ForwarderHarness

Counted = Callable[[], dict[str, float]]
Heard = Callable[[], str]

LITTLE = 20.0
"""Seconds: too little for an event, enough for a call to SQS."""


async def hand_in(
    harness: ForwarderHarness, records: list[Json], remaining: Callable[[], float] = lambda: 90.0
) -> list[str]:
    return await harness.forwarder.forward(records, remaining)


def records_of(*event_ids: str, receives: tuple[int, ...] = ()) -> list[Json]:
    envelopes = [
        make_envelope(event_id=event_id, event=event_of(event_id)) for event_id in event_ids
    ]
    records: list[Json] = make_sqs_event(*envelopes, receives=receives)["Records"]
    return records


def event_of(customer: str, **overrides: Any) -> Json:
    return make_event(customer_user_id=customer, eventValue=None, **overrides)


def sent(harness: ForwarderHarness) -> list[str]:
    return [body["customer_user_id"] for body in harness.appsflyer.bodies]


# One odd record costs itself alone


@every("attributes", [{}, {"SentTimestamp": "soon"}, None, "odd"])
async def test_record_that_a_bug_keeps_from_being_read_comes_back_and_costs_no_other(
    attributes: object,
) -> None:
    harness = ForwarderHarness()
    records = records_of("a", "b")
    records[0]["attributes"] = attributes

    failed = await hand_in(harness, records)

    assert failed == ["m-0"]
    assert sent(harness) == ["b"]


@every("count", [None, "", "many", [3]])
async def test_record_whose_receives_are_not_told_is_handled_with_the_others(count: object) -> None:
    harness = ForwarderHarness()
    records = records_of("a", "b")
    records[0]["attributes"]["ApproximateReceiveCount"] = count

    assert await hand_in(harness, records) == []

    assert sorted(sent(harness)) == ["a", "b"]


async def test_record_that_cannot_even_be_a_dead_letter_comes_back_and_costs_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = ForwarderHarness()
    records = records_of("a", "b")
    records[0]["body"] = "no envelope"
    monkeypatch.setattr("relay.forward.dead_letters.dead_letter_of_no_envelope", _break)

    assert await hand_in(harness, records) == ["m-0"]

    assert sent(harness) == ["b"]


async def test_job_whose_need_cannot_be_told_costs_itself_an_attempt(
    monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    def odd(job: EventJob) -> object:
        return _break() if job.envelope.event_id == "a" else None

    monkeypatch.setattr(EventJob, "customer", property(odd))
    harness = ForwarderHarness()

    assert await hand_in(harness, records_of("a", "b")) == []

    assert sent(harness) == ["b"]
    assert [message.content["attempts"] for message in harness.waiting] == [1]
    assert counted()["Unexpected"] == 1


# A stage that fails costs those that depend on it


async def test_beginning_that_fails_costs_each_event_an_attempt_and_no_record(
    monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    monkeypatch.setattr(LookUps, "begin", _break)
    harness = ForwarderHarness()

    assert await hand_in(harness, records_of("a", "b")) == []

    assert [message.content["attempts"] for message in harness.waiting] == [1, 1]
    assert counted()["Unexpected"] == 2


async def test_look_up_of_customers_that_fails_costs_only_events_that_need_it(
    monkeypatch: pytest.MonkeyPatch, said: Heard
) -> None:
    monkeypatch.setattr(Identities, "find", _break)
    harness = ForwarderHarness()
    bare = make_envelope(event_id="a", event=event_of("user-1", appsflyer_id=None))

    assert await hand_in(harness, make_sqs_event(bare, *_envelopes("b"))["Records"]) == []

    assert sent(harness) == ["b"]
    assert [message.content["attempts"] for message in harness.waiting] == [1]
    assert "user-1" not in said()


async def test_jobs_that_nobody_takes_up_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bug in how jobs are grouped may acknowledge what was not handled."""
    monkeypatch.setattr(LookUps, "begin", lambda *_: [])

    assert await hand_in(ForwarderHarness(), records_of("a", "b")) == ["m-0", "m-1"]


async def test_queue_that_fails_by_a_bug_brings_back_its_own_records_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = ForwarderHarness()
    send = Queue.send

    def only_dead_letters(queue: Queue, *arguments: Any) -> set[int]:
        if queue.url == harness.settings.queue_url:
            _break()
        return send(queue, *arguments)

    monkeypatch.setattr(Queue, "send", only_dead_letters)
    harness.appsflyer.says(Says(503))

    failed = await hand_in(harness, [*records_of("a"), _no_envelope()])

    assert failed == ["m-0"]
    assert len(harness.dead) == 1


async def test_queue_that_does_not_answer_in_time_does_not_use_up_the_invocation() -> None:
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))

    failed = await hand_in(
        harness, records_of("a"), lambda: 0.9 if harness.appsflyer.requests else 90.0
    )

    assert failed == ["m-0"]


# Suspects


async def test_suspects_are_handled_after_the_others_and_one_at_a_time() -> None:
    harness = ForwarderHarness(requests_in_flight=10)
    receives = (3, 1, 5, 2, 4)

    assert await hand_in(harness, records_of(*"abcde", receives=receives)) == []

    assert sorted(sent(harness)[:2]) == ["b", "d"]
    assert sent(harness)[2:] == ["a", "e", "c"]
    assert harness.sqs.hidden == [(f"handle-{n}", APART_SECONDS) for n in (0, 4, 2)]
    # What is done is off the queue before the next suspect can end the process.
    assert harness.sqs.deleted == ["handle-1", "handle-3", "handle-0", "handle-4"]


async def test_suspect_that_was_not_settled_is_not_deleted() -> None:
    harness = ForwarderHarness()
    records = records_of("a", "b", receives=(3, 4))
    records[0]["attributes"]["SentTimestamp"] = "soon"

    assert await hand_in(harness, records) == ["m-0"]

    assert harness.sqs.deleted == []
    assert sent(harness) == ["b"]


async def test_suspect_that_sqs_does_not_set_apart_is_handled_all_the_same() -> None:
    harness = ForwarderHarness()
    harness.sqs.broken_queues = {harness.settings.queue_url}

    assert await hand_in(harness, records_of("a", "b", "c", receives=(1, 3, 3))) == []

    assert sent(harness) == ["a", "b", "c"]


async def test_bug_in_setting_a_suspect_apart_is_told_and_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    monkeypatch.setattr(Queue, "hide", _break)
    harness = ForwarderHarness()

    assert await hand_in(harness, records_of("a", receives=(3,))) == []

    assert sent(harness) == ["a"]
    assert counted()["Unexpected"] == 1


async def test_trusted_records_leave_time_for_a_suspect() -> None:
    harness = ForwarderHarness(requests_in_flight=1)
    needed = harness.forwarder.needed_seconds
    left = {0: needed + 30, 1: needed + 9.9}

    failed = await hand_in(
        harness,
        records_of("a", "b", "c", receives=(1, 1, 3)),
        lambda: left.get(len(harness.appsflyer.requests), needed),
    )

    assert failed == []
    assert sent(harness) == ["a", "c"]
    assert [message.content["event_id"] for message in harness.waiting] == ["b"]


async def test_suspects_that_no_time_is_left_for_go_back() -> None:
    harness = ForwarderHarness()

    failed = await hand_in(
        harness,
        records_of("a", "b", receives=(3, 3)),
        lambda: 10.0 if harness.appsflyer.requests else 90.0,
    )

    assert failed == ["m-1"]
    assert sent(harness) == ["a"]


async def test_record_that_was_not_begun_goes_back_as_a_new_message_and_is_no_suspect() -> None:
    """Else a record that came back for lack of time alone would be handled alone."""
    harness = ForwarderHarness()
    records = records_of("a", "b", "c", receives=(1, 2, 3))

    assert await hand_in(harness, records, lambda: 25.0) == []

    assert [message.content["event_id"] for message in harness.waiting] == ["a", "b", "c"]
    assert [message.delay_seconds for message in harness.waiting] == [0, 0, 0]
    assert harness.appsflyer.requests == []


# Without a loop


async def test_batch_of_much_text_is_handled_in_parts_and_none_is_lost() -> None:
    """What is built of a record takes many times its length."""
    long = make_web_envelope(event=make_web_event(event_value={"note": "x" * 200_000}))
    whole = LONGEST_PART + 1_000
    longest = make_web_envelope(event=make_web_event(event_value={"note": "x" * whole}))
    harness = ForwarderHarness(Surface.WEB)
    counts: list[int] = []
    report = harness.forwarder.report

    def reported(batch: Batch[EventJob]) -> None:
        counts.append(len(batch.jobs))
        report(batch)

    harness.forwarder.report = reported  # type: ignore[method-assign] # to see the parts

    assert await harness.forward(long, long, long, longest, "{", long) == []

    assert counts == [2, 1, 1, 2]
    assert (len(harness.appsflyer.requests), len(harness.dead)) == (5, 1)


async def test_part_without_time_is_handed_back_and_the_others_are_not() -> None:
    long = make_web_envelope(event=make_web_event(event_value={"note": "x" * 300_000}))
    harness = ForwarderHarness(Surface.WEB)
    end = harness.clock.seconds() + 90

    def answer(_: httpx.Request) -> Says:
        harness.clock.advance(60)
        return Says(200)

    harness.appsflyer.behaviour = answer

    failed = await harness.forward(
        long, long, long, remaining=lambda: end - harness.clock.seconds()
    )

    assert failed == []
    assert (len(harness.appsflyer.requests), len(harness.waiting)) == (1, 2)


async def test_message_of_too_many_values_is_a_dead_letter_without_its_content() -> None:
    harness = ForwarderHarness()
    body = json.dumps(make_envelope(event={"eventValue": [[]] * 60_000}), separators=(",", ":"))

    assert await harness.forward(body, make_envelope()) == []

    [letter] = harness.dead
    assert (letter["reason"], letter["bytes"]) == ("not_an_envelope", len(body))
    assert "more names and values than are read at once" in letter["message"]
    assert len(harness.appsflyer.requests) == 1


def test_run_without_loop_gives_what_the_coroutine_returns() -> None:
    async def work() -> int:
        return 5

    assert run_without_loop(work()) == 5


def test_run_without_loop_refuses_a_coroutine_that_waits() -> None:
    async def wait() -> None:
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="event loop"):
        run_without_loop(wait())


def test_run_without_loop_refuses_a_coroutine_that_gives_way() -> None:
    async def give_way() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="there is none"):
        run_without_loop(give_way())


def _break(*_: object, **__: object) -> Any:
    raise KeyError("user-1")


def _envelopes(*event_ids: str) -> list[Json]:
    return [json.loads(record["body"]) for record in records_of(*event_ids)]


def _no_envelope() -> Json:
    record: Json = make_sqs_event("{}", "no envelope")["Records"][1]
    return record
