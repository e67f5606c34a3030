"""S2, with the real limiter and a clock that only moves when somebody sleeps."""

import asyncio
import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.forward.rate_limiter import RateLimiter
from tests.support.every import every

pytestmark = pytest.mark.untraced  # thousands of turns; the forwarder's tests take some


class Clock:
    """Monotonic seconds; a sleep takes as long as it was asked for, and a little more."""

    def __init__(self, oversleep: float = 0.0) -> None:
        self.now = 1_000.0
        self._oversleep = oversleep

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds + self._oversleep


async def turns(limiter: RateLimiter, clock: Clock, count: int) -> list[float]:
    """When each of so many requests, all wanted at once, was begun."""
    begun: list[float] = []

    async def request() -> None:
        await limiter.acquire()
        begun.append(clock.now)

    await asyncio.gather(*(request() for _ in range(count)))
    return begun


def most_in_a_second(begun: list[float]) -> int:
    """The fullest window of one second, wherever it begins."""
    return max(bisect_left(begun, moment + 1) - place for place, moment in enumerate(begun))


@every("oversleep", [0.0, 0.0004, 0.003])
@every("rate", [1, 3, 80, 800])
async def test_limiter_lets_no_second_hold_more_than_the_rate(rate: int, oversleep: float) -> None:
    clock = Clock(oversleep)

    begun = await turns(RateLimiter(rate, clock, clock.sleep), clock, 3 * rate + 5)

    assert most_in_a_second(begun) <= rate


@given(
    rate=st.floats(0.2, 50),
    pauses=st.lists(st.floats(0, 3), min_size=2, max_size=60),
    oversleep=st.floats(0, 0.05),
)
def test_limiter_lets_no_second_hold_more_whenever_the_requests_come(
    rate: float, pauses: list[float], oversleep: float
) -> None:
    clock = Clock(oversleep)
    limiter = RateLimiter(rate, clock, clock.sleep)
    begun = []

    async def run() -> None:
        for pause in pauses:
            clock.now += pause
            await limiter.acquire()
            begun.append(clock.now)

    asyncio.run(run())

    assert most_in_a_second(begun) <= max(1, math.floor(rate))


@every("rate", [1, 80, 800])
async def test_limiter_uses_the_rate_it_has(rate: int) -> None:
    """But for the hundredth that it keeps back."""
    clock = Clock()
    limiter = RateLimiter(rate, clock, clock.sleep)

    begun = await turns(limiter, clock, 5 * rate + 1)

    assert begun[-1] - begun[0] <= 5 * 1.011


async def test_limiter_makes_up_for_turns_that_came_a_little_late() -> None:
    """Or a rate of 800 would come down to what the precision of a sleep allows."""
    clock = Clock(oversleep=0.001)

    begun = await turns(RateLimiter(800, clock, clock.sleep), clock, 801)

    assert begun[-1] - begun[0] < 1.05


async def test_limiter_gives_the_first_turn_at_once() -> None:
    clock = Clock()

    assert await turns(RateLimiter(0.01, clock, clock.sleep), clock, 1) == [1_000.0]


async def test_limiter_tells_how_long_the_queue_is() -> None:
    clock = Clock()
    limiter = RateLimiter(10, clock, clock.sleep)
    waiting = asyncio.gather(*(limiter.acquire() for _ in range(21)))
    await asyncio.sleep(0)

    assert limiter.wait_seconds == pytest.approx(2, rel=0.1)
    await waiting
    assert limiter.wait_seconds == pytest.approx(0.1, rel=0.1)
    clock.now += 1
    assert limiter.wait_seconds == 0


async def test_limiter_tells_how_long_the_next_turn_is_away() -> None:
    """Or an invocation at a low rate would sleep into its end."""
    clock = Clock()
    limiter = RateLimiter(0.02, clock, clock.sleep)

    await limiter.acquire()

    assert limiter.wait_seconds == pytest.approx(50, rel=0.02)
