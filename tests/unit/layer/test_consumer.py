"""The consumer, where the use cases' own tests do not reach."""

import asyncio
import json

import httpx
import pytest

from relay.consumer.consumer import LONGEST_PART, Batch
from relay.consumer.threads import run_without_loop
from relay.domain.kinds import Surface
from relay.forward.event_job import EventJob
from tests.builders import make_envelope, make_sqs_event, make_web_envelope, make_web_event
from tests.fakes import Says
from tests.harnesses import ForwarderHarness


async def test_record_that_a_bug_keeps_from_being_read_comes_back_and_costs_no_other() -> None:
    harness = ForwarderHarness()
    records = make_sqs_event(make_envelope(event_id="a"), make_envelope(event_id="b"))["Records"]
    del records[0]["attributes"]["SentTimestamp"]

    failed = await harness.forwarder.forward(records, lambda: 90.0)

    assert failed == ["m-0"]
    assert len(harness.appsflyer.requests) == 1


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

    assert counts == [2, 1, 1, 1]
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
