"""The consumer, where the use cases' own tests do not reach."""

import asyncio

import pytest

from relay.consumer.threads import run_without_loop
from tests.builders import make_envelope, make_sqs_event
from tests.harnesses import ForwarderHarness


async def test_record_that_a_bug_keeps_from_being_read_comes_back_and_costs_no_other() -> None:
    harness = ForwarderHarness()
    records = make_sqs_event(make_envelope(event_id="a"), make_envelope(event_id="b"))["Records"]
    del records[0]["attributes"]["SentTimestamp"]

    failed = await harness.forwarder.forward(records, lambda: 90.0)

    assert failed == ["m-0"]
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
