"""Time is asked for after every wait: nothing is written that could not be settled in time."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from relay.aws.table import Item, Key, Written
from relay.aws.timeouts import CLAIM_SECONDS, LONGEST_CALL_SECONDS, PUT_SECONDS, RESULT_SECONDS
from relay.forward.circuit_breaker import PROBES
from relay.forward.rate_limiter import RateLimiter
from relay.instants import to_milliseconds
from relay.stores.deliveries import Deliveries
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.faults.ledger import overheard
from tests.faults.virtual_time import run
from tests.support.builders import MOBILE_APP, Json, make_envelope
from tests.support.every import every
from tests.support.fakes import Says
from tests.support.harnesses import ForwarderHarness

INVOCATION = 90.0
REQUEST = 13.0
"""Of make_settings: 3 s to connect and 10 s to read."""
NEEDED = CLAIM_SECONDS + REQUEST + RESULT_SECONDS + PUT_SECONDS
MONEY: Json = {"deduplicate": "money"}
PACE_VARIABLE = "RELAY_REQUESTS_A_SECOND"


class Invocation:
    """An invocation of a forwarder, by the harness's clock: it ends when its seconds are over."""

    def __init__(self, seconds: float = INVOCATION, **settings: Any) -> None:
        self.harness = ForwarderHarness(**settings)
        self.harness.forwarder = self.harness.make_forwarder()
        self._seconds = seconds

    async def forward(self, *bodies: Json | str) -> list[str]:
        clock = self.harness.clock
        end = clock.seconds() + self._seconds
        return await self.harness.forward(*bodies, remaining=lambda: end - clock.seconds())

    def takes(self, seconds: float) -> Callable[[], None]:
        """Something that takes so many seconds."""
        return lambda: self.harness.clock.advance(seconds)

    def answers_after(self, seconds: float, says: Says) -> None:
        """AppsFlyer says this, so many seconds after each request."""

        def behave(_: httpx.Request) -> Says:
            self.harness.clock.advance(seconds)
            return says

        self.harness.appsflyer.behaviour = behave

    @property
    def requests(self) -> int:
        return len(self.harness.appsflyer.requests)

    def assert_all_handed_back(self, *event_ids: str) -> None:
        """On their queue, at once, as if nothing had happened."""
        waiting = [message.content for message in self.harness.waiting]
        assert sorted(content["event_id"] for content in waiting) == sorted(event_ids)
        assert {message.delay_seconds for message in self.harness.waiting} == {0}
        assert [one for one in waiting if {"attempts", "held_since"} & one.keys()] == []
        assert self.harness.dead == []


def orders(count: int) -> list[Json]:
    return [make_envelope(event_id=f"o-{number}") for number in range(count)]


# Before it begins


async def test_forward_what_there_is_no_time_for_goes_back_on_its_queue() -> None:
    """A long queue must not wear out how often SQS delivers a message."""
    invocation = Invocation(requests_in_flight=1)
    invocation.answers_after((INVOCATION - NEEDED) / 2 + 0.1, Says(200))

    assert await invocation.forward(*orders(4)) == []

    assert invocation.requests == 2
    invocation.assert_all_handed_back("o-2", "o-3")


async def test_forward_counts_what_it_hands_back_and_logs_no_line_for_it() -> None:
    invocation = Invocation(seconds=NEEDED - 0.1)

    with overheard() as heard:
        await invocation.forward(*orders(3))
        counted = heard().counted

    assert (counted["HandedBack"], counted["Held"]) == (3, 0)


async def test_forward_what_its_queue_does_not_take_back_comes_again_by_itself() -> None:
    invocation = Invocation(seconds=NEEDED - 0.1)
    invocation.harness.sqs.broken_queues.add(invocation.harness.settings.queue_url)

    assert await invocation.forward(*orders(2)) == ["m-0", "m-1"]


@every("left, requests", [(NEEDED, 1), (NEEDED - 0.001, 0)])
async def test_forward_begins_an_event_that_can_be_settled_in_time(
    left: float, requests: int
) -> None:
    """Claim, request, result and the queue, each at its longest."""
    invocation = Invocation(seconds=left)

    await invocation.forward(*orders(1))

    assert invocation.requests == requests


# After a wait


class SlowTable(MemoryAsyncTable):
    """Takes its time over each claim."""

    def __init__(self, table: MemoryTable, pass_time: Callable[[], None]) -> None:
        super().__init__(table)
        self._pass_time = pass_time

    async def put_new(self, items: Mapping[Key, Item]) -> Written:
        self._pass_time()
        return await super().put_new(items)


async def test_forward_asks_for_time_after_the_claim_and_releases_it() -> None:
    invocation = Invocation(**MONEY)
    harness = invocation.harness
    longer = INVOCATION - REQUEST - RESULT_SECONDS - PUT_SECONDS + 0.1
    slow = SlowTable(harness.deliveries, invocation.takes(longer))
    harness.forwarder._sender._deliveries = Deliveries(slow, 35, harness.clock)  # noqa: SLF001

    assert await invocation.forward(*orders(1)) == []

    assert invocation.requests == 0
    assert len(harness.deliveries) == 0
    invocation.assert_all_handed_back("o-0")


async def test_forward_asks_for_time_after_a_probe() -> None:
    """Whoever waited for the probe of a sick app, and it got through, but late."""
    invocation = Invocation(requests_in_flight=5)
    harness = invocation.harness
    harness.appsflyer.says(Says(503))
    await invocation.forward(*orders(20))
    harness.waiting.clear()
    harness.appsflyer.requests.clear()
    probes = asyncio.Barrier(PROBES)

    class Late(httpx.AsyncBaseTransport):
        """Answers the probes together, when little time is left."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            harness.appsflyer.requests.append(request)
            await asyncio.sleep(0)  # lets the others come to wait for the probes
            await probes.wait()
            if harness.clock.seconds() == started:
                harness.clock.advance(INVOCATION - NEEDED + 1)
            return httpx.Response(200)

    started = harness.clock.seconds()
    harness.forwarder._sender._client._transport = Late()  # noqa: SLF001
    await invocation.forward(*orders(20))

    assert (invocation.requests, len(harness.waiting)) == (PROBES, 20 - PROBES)
    invocation.assert_all_handed_back(*(m.content["event_id"] for m in harness.waiting))


async def test_forward_asks_for_time_after_a_fresh_token() -> None:
    """The first request was refused, so the event waits for a token, and not for time."""
    invocation = Invocation()
    harness = invocation.harness
    harness.appsflyer.says(Says(401))
    await invocation.forward(make_envelope())  # remembers the refusal: the next one rereads
    harness.waiting.clear()
    harness.clock.advance(61)
    harness.ssm.parameters[f"/relay/tokens/mobile/{MOBILE_APP}"] = "new"
    before = invocation.requests
    harness.ssm.before_answer = invocation.takes(INVOCATION - REQUEST - RESULT_SECONDS)

    await invocation.forward(make_envelope())

    assert invocation.requests == before + 1
    [message] = harness.waiting
    assert message.content["held_since"] is not None


async def test_forward_starts_no_token_read_that_could_outlast_the_invocation() -> None:
    invocation = Invocation()
    harness = invocation.harness
    late = INVOCATION - LONGEST_CALL_SECONDS - REQUEST - RESULT_SECONDS - PUT_SECONDS + 0.1
    invocation.answers_after(late, Says(401))

    await invocation.forward(make_envelope())

    assert len(harness.ssm.calls) == 1  # the first look-up
    assert len(harness.waiting) == 1


# The pace


def test_forward_whose_turn_would_come_too_late_is_handed_back_at_once() -> None:
    """Not after its turn: 50 events would sleep into the end of the invocation."""
    invocation = Invocation(
        requests_in_flight=50, requests_a_second=0.5 * 10 / 0.8, max_concurrency=10, **MONEY
    )
    harness = invocation.harness
    limiter = RateLimiter(0.5, harness.clock.seconds)
    harness.forwarder._sender._limiter = limiter  # noqa: SLF001

    async def story() -> list[str]:
        return await invocation.forward(*orders(100))

    assert run(harness.clock, story()) == []

    sent = invocation.requests
    assert 15 <= sent <= (INVOCATION - NEEDED) * 0.5 + 2 + CLAIM_SECONDS
    assert len(harness.waiting) == 100 - sent
    assert len(harness.deliveries) == sent, "a claim is left of an event that was not sent"


async def test_forward_a_claim_lasts_until_its_invocation_is_over() -> None:
    """Whatever its event waits for, nobody else sends it meanwhile."""
    invocation = Invocation(seconds=70, **MONEY)
    seen: list[int] = []

    def look(_: httpx.Request) -> Says:
        [item] = invocation.harness.deliveries.everything().values()
        seen.append(int(item["taken_until"]))
        return Says(200)

    invocation.harness.appsflyer.behaviour = look
    end = invocation.harness.clock.now + timedelta(seconds=70)

    await invocation.forward(*orders(1))

    assert seen[0] >= to_milliseconds(end)


async def test_forward_at_a_pace_that_cannot_work_holds_every_event_and_says_why() -> None:
    invocation = Invocation(requests_a_second=1, max_concurrency=1000)

    with overheard() as heard:
        assert await invocation.forward(*orders(3)) == []
        counted = heard().counted

    assert invocation.requests == 0
    held = [message.content for message in invocation.harness.waiting]
    assert [one["held_since"] is not None for one in held] == [True] * 3
    assert counted["SettingsWrong"] == 1


async def test_forward_at_a_pace_that_cannot_work_names_the_setting_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    invocation = Invocation(requests_a_second=1, max_concurrency=1000)

    await invocation.forward(*orders(3))

    [line] = [one for one in capsys.readouterr().out.splitlines() if "setting is wrong" in one]
    assert PACE_VARIABLE in line
    assert "allow 33 requests a second or more" in line
