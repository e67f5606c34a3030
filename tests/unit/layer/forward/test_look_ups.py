"""What a batch needs to have looked up costs only those who need it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
import pytest_asyncio

from relay.aws.rest import HUNG_SECONDS, REST_SECONDS
from relay.errors import TableUnavailableError
from relay.forward import look_ups
from relay.stores.identities import Identities, Identity
from tests.faults.virtual_time import run
from tests.support.builders import MOBILE_APP, NOW, Json, make_envelope, make_event
from tests.support.fakes import aws_error
from tests.support.harnesses import TOKEN, ForwarderHarness

OTHER_APP = "com.example.shop"
LONG_AGO = 400.0
"""Seconds after which settings are read again."""

Lines = Callable[[], list[Json]]


def harness_with_two_apps() -> ForwarderHarness:
    harness = ForwarderHarness()
    harness.ssm.parameters |= {
        f"/relay/apps/mobile/{OTHER_APP}": "{}",
        f"/relay/tokens/mobile/{OTHER_APP}": TOKEN,
    }
    return harness


def bare(customer: str, app_id: str = MOBILE_APP) -> Json:
    """An event whose customer has to be looked up."""
    event = make_event(customer_user_id=customer, appsflyer_id=None)
    return make_envelope(app_id=app_id, event_id=customer, event=event)


def plain(customer: str, app_id: str = MOBILE_APP) -> Json:
    event = make_event(customer_user_id=customer)
    return make_envelope(app_id=app_id, event_id=customer, event=event)


def knows(harness: ForwarderHarness, customer: str, app_id: str = MOBILE_APP) -> None:
    identity = Identity(app_id, customer, "1698765432100-1", NOW - timedelta(days=3))
    Identities(harness.identities, clock=harness.clock).remember(identity)


def sent(harness: ForwarderHarness) -> list[str]:
    return [body["customer_user_id"] for body in harness.appsflyer.bodies]


@pytest_asyncio.fixture
async def released() -> AsyncIterator[Event]:
    """Ends what hangs; set at the end at the latest, for a loop does not end before its threads."""
    event = Event()
    yield event
    event.set()


async def sent_while_it_hangs(
    harness: ForwarderHarness, released: Event, *envelopes: Json
) -> tuple[list[str], list[str]]:
    """What was sent before the hanging call was released, and what was sent in all."""
    batch = asyncio.create_task(harness.forward(*envelopes))
    while not harness.appsflyer.requests:
        assert not batch.done()
        await asyncio.sleep(0.001)
    meanwhile = sent(harness)
    released.set()
    assert await batch == []
    return meanwhile, sent(harness)


# Together, and beside the events that need nothing


async def test_customers_of_all_apps_are_looked_up_in_one_read() -> None:
    harness = harness_with_two_apps()
    knows(harness, "a")
    knows(harness, "b", OTHER_APP)
    harness.identities.calls.clear()

    await harness.forward(bare("a"), bare("b", OTHER_APP), bare("b"))

    assert harness.identities.calls == {"get": 1}
    assert sorted(sent(harness)) == ["a", "b"]
    assert [message.content["app_id"] for message in harness.waiting] == [MOBILE_APP]


async def test_event_that_needs_no_look_up_is_sent_while_one_hangs(
    released: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = ForwarderHarness()
    await harness.forward(plain("first"))  # its app is known now
    harness.appsflyer.requests.clear()
    knows(harness, "a")
    get = harness.identities.get

    def hang(keys: Any) -> Any:
        released.wait()
        return get(keys)

    monkeypatch.setattr(harness.identities, "get", hang)

    found = await sent_while_it_hangs(harness, released, bare("a"), plain("b"))

    assert found == (["b"], ["b", "a"])


async def test_event_of_a_known_app_is_sent_while_another_app_is_read(released: Event) -> None:
    harness = harness_with_two_apps()
    await harness.forward(plain("first"))
    harness.appsflyer.requests.clear()
    harness.ssm.before_answer = released.wait

    found = await sent_while_it_hangs(harness, released, plain("a", OTHER_APP), plain("b"))

    assert found == (["b"], ["b", "a"])


async def test_event_whose_settings_are_old_is_sent_with_them_while_new_ones_hang(
    released: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_ups, "REFRESH_SECONDS", 0.001)
    harness = ForwarderHarness()
    await harness.forward(plain("first"))
    harness.appsflyer.requests.clear()
    harness.clock.advance(LONG_AGO)
    harness.ssm.before_answer = released.wait

    found = await sent_while_it_hangs(harness, released, plain("a"))

    assert found == (["a"], ["a"])


async def test_event_whose_settings_are_old_is_sent_with_the_new_ones() -> None:
    harness = ForwarderHarness()
    await harness.forward(plain("first"))
    harness.clock.advance(LONG_AGO)
    harness.ssm.parameters[f"/relay/tokens/mobile/{MOBILE_APP}"] = "s2s-key-2"

    await harness.forward(plain("a"))

    assert harness.appsflyer.tokens == [TOKEN, "s2s-key-2"]


# A budget of time


@pytest.mark.parametrize(
    ("name", "message", "reason"),
    [
        ("preload", "parameters unavailable", "Parameter Store did not answer in time"),
        ("find", "identities unavailable", "DynamoDB did not answer in time"),
    ],
)
def test_look_up_without_end_is_waited_for_ten_seconds_and_costs_an_attempt(
    name: str, message: str, reason: str, lines: Lines
) -> None:
    harness = ForwarderHarness()
    start = harness.clock.seconds()

    async def story() -> None:
        assert await harness.forward(bare("a")) == []
        assert 9 < harness.clock.seconds() - start < 11

    run(harness.clock, story(), lambda called: 3_600.0 if called == name else 0.0)

    assert [one.content["attempts"] for one in harness.waiting] == [1]
    assert [one["problem"] for one in lines() if one["message"] == message] == [reason]


def test_look_up_of_many_calls_begins_none_that_may_outlast_its_time() -> None:
    """Each call takes 2 s: a second one may begin, a third one would end too late."""
    harness = ForwarderHarness()
    customers = [f"c-{number}" for number in range(350)]
    get = harness.identities.get

    def slow(keys: Any) -> Any:
        harness.clock.advance(2.0)
        return get(keys)

    harness.identities.get = slow  # type: ignore[method-assign]

    async def story() -> None:
        await harness.forward(*map(bare, customers))

    run(harness.clock, story())

    assert harness.identities.calls["get"] == 2
    waits = [message.content.get("attempts") for message in harness.waiting]
    # The first two hundred are unknown customers, and use up no attempt.
    assert (waits.count(None), waits.count(1)) == (200, 150)


async def test_nothing_is_looked_up_for_events_that_no_time_is_left_for() -> None:
    harness = ForwarderHarness()
    needed = harness.forwarder.needed_seconds

    await harness.forward(bare("a"), plain("b"), remaining=lambda: needed - 0.001)

    assert len(harness.waiting) == 2
    assert (harness.identities.calls, harness.ssm.calls) == ({}, [])


# A rest


async def test_identities_that_gave_no_answer_are_not_asked_by_each_batch() -> None:
    harness = ForwarderHarness()
    knows(harness, "a")
    get = harness.identities.get

    def hang(keys: Any) -> Any:
        harness.clock.advance(HUNG_SECONDS)
        harness.identities.calls["hung"] += 1
        raise TableUnavailableError("DynamoDB failed: ReadTimeoutError")

    harness.identities.get = hang  # type: ignore[method-assign]
    await harness.forward(bare("a"))
    harness.clock.advance(REST_SECONDS - 0.001)
    await harness.forward(bare("a"))
    assert harness.identities.calls["hung"] == 1
    assert [message.content["attempts"] for message in harness.waiting] == [1, 1]
    harness.identities.get = get  # type: ignore[method-assign]
    harness.clock.advance(0.001)

    await harness.forward(bare("a"))

    assert sent(harness) == ["a"]


async def test_identities_that_are_throttled_are_asked_by_the_next_batch() -> None:
    harness = ForwarderHarness()
    knows(harness, "a")
    harness.identities.error = TableUnavailableError("DynamoDB failed: ThrottlingException")
    await harness.forward(bare("a"))
    harness.identities.error = None

    await harness.forward(bare("a"))

    assert sent(harness) == ["a"]


async def test_app_that_can_be_read_is_used_though_others_cannot() -> None:
    harness = harness_with_two_apps()
    await harness.forward(plain("first"))
    harness.ssm.error = aws_error("ThrottlingException")

    await harness.forward(plain("a", OTHER_APP), plain("b"))

    assert sent(harness) == ["first", "b"]
