"""A sick AppsFlyer is left in peace, and one app's trouble stops no other."""

from typing import Any

import pytest

from relay.forward.circuit_breaker import PROBES
from tests.support.builders import MOBILE_APP, make_envelope
from tests.support.fakes import Says
from tests.support.harnesses import ForwarderHarness

pytestmark = pytest.mark.untraced  # hundreds of events; each step has its test

IN_FLIGHT = 10  # of make_settings


def envelopes(count: int, **more: Any) -> list[Any]:
    return [make_envelope(event_id=f"order-{number}", **more) for number in range(count)]


async def sick_world() -> ForwarderHarness:
    """After a batch of which all that was sent failed."""
    harness = ForwarderHarness()
    harness.appsflyer.says(Says(503))
    await harness.forward(*envelopes(100))
    return harness


async def test_forward_defers_the_rest_of_a_batch_when_most_sends_fail() -> None:
    harness = await sick_world()

    assert len(harness.appsflyer.requests) <= IN_FLIGHT + PROBES
    assert len(harness.waiting) == 100
    assert harness.dead == []


async def test_forward_what_was_not_sent_has_used_up_no_attempt() -> None:
    harness = await sick_world()

    sent = len(harness.appsflyer.requests)
    assert sum(message.content.get("attempts", 0) for message in harness.waiting) == sent


async def test_forward_next_batch_probes_before_it_pours() -> None:
    harness = await sick_world()
    harness.appsflyer.requests.clear()

    await harness.forward(*envelopes(100))
    assert len(harness.appsflyer.requests) == PROBES
    harness.appsflyer.requests.clear()
    harness.appsflyer.says(Says(200))

    assert await harness.forward(*envelopes(100)) == []
    assert len(harness.appsflyer.requests) == 100


async def test_forward_waits_longer_the_longer_it_was_left_in_peace() -> None:
    harness = await sick_world()
    delays = []
    for _ in range(6):
        peaceful = [m for m in harness.waiting if "attempts" not in m.content]
        delays.append(max(message.delay_seconds for message in peaceful))
        await harness.next_round()

    assert delays[0] == 10  # the first step of the schedule
    assert delays == sorted(delays)
    assert delays[-1] == 300  # hold_seconds


async def test_forward_left_in_peace_for_too_long_is_a_dead_letter() -> None:
    harness = await sick_world()
    harness.clock.advance(259_201)
    peaceful = [m.body for m in harness.waiting if "attempts" not in m.content]

    await harness.forward(*peaceful)

    assert {letter["reason"] for letter in harness.dead} == {"hold_limit: appsflyer_unwell"}


async def test_forward_last_attempt_is_made_all_the_same() -> None:
    """Nothing is given up that was not tried at the end."""
    harness = await sick_world()
    harness.appsflyer.requests.clear()

    await harness.forward(*envelopes(20, attempts=3))

    assert len(harness.appsflyer.requests) == 20
    assert {letter["reason"] for letter in harness.dead} == {"attempts_used_up: status_503"}


async def test_forward_app_in_trouble_stops_no_other() -> None:
    harness = ForwarderHarness()
    other = "id555000111"
    harness.ssm.parameters[f"/relay/apps/mobile/{other}"] = "{}"
    harness.ssm.parameters[f"/relay/tokens/mobile/{other}"] = "key"
    harness.appsflyer.behaviour = lambda request: Says(
        500 if MOBILE_APP in str(request.url) else 200
    )
    mixed = [
        envelope
        for pair in zip(envelopes(50), envelopes(50, app_id=other), strict=True)
        for envelope in pair
    ]

    await harness.forward(*mixed)
    await harness.forward(*mixed)

    delivered = [one for one in harness.appsflyer.requests if other in str(one.url)]
    assert len(delivered) == 100
