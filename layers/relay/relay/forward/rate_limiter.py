"""The rate (S2): in no second are more requests begun than one invocation may begin.

AppsFlyer's baseline is for all senders together. Nothing is shared between invocations, so each
keeps to its part: the rate of all, divided by the number of invocations that can run at once.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

CATCH_UP_SECONDS: Final = 0.01
"""How much of a turn that came late may be made up for; the turns are that much farther apart."""

_ROUNDING: Final = 0.0001
"""Seconds are floats: what ten thousand of them are off by when they are added up."""


class RateLimiter:
    """Gives turns, one after the other.

    Lives as long as its process: a second does not begin anew with an invocation. Of a rate above
    one, `requests_a_second`, only whole requests are taken.
    """

    def __init__(
        self,
        requests_a_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        rate = math.floor(requests_a_second) if requests_a_second >= 1 else requests_a_second
        self._interval = (1 + CATCH_UP_SECONDS + _ROUNDING) / rate
        self._clock = clock
        self._sleep = sleep
        self._next = -math.inf
        self._queued = 0
        self._turn = asyncio.Lock()

    @property
    def wait_seconds(self) -> float:
        """How long whoever comes now has to wait, about."""
        until_next = max(0.0, self._next - self._clock())
        return until_next + self._queued * self._interval

    async def acquire(self) -> None:
        """Returns when a request may be begun."""
        self._queued += 1
        try:
            async with self._turn:
                while (wait := self._next - self._clock()) > 0:
                    await self._sleep(wait)
                self._next = max(self._next, self._clock() - CATCH_UP_SECONDS) + self._interval
        finally:
            self._queued -= 1
