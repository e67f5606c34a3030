"""Rate limiter (S2): bounds the requests that one invocation starts in any second.

AppsFlyer's baseline applies to all senders together. Invocations share nothing, so each keeps to
its part: the total rate, divided by the number of invocations that can run at once.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

CATCH_UP_SECONDS: Final = 0.01
"""How much of a late turn may be made up for; the turns are spaced that much further apart."""

_ROUNDING: Final = 0.0001
"""Seconds are floats: the error of adding up ten thousand of them."""


class RateLimiter:
    """Gives turns, one after the other.

    Lives as long as its process: a new invocation does not start a new second. A rate
    (`requests_a_second`) above one is rounded down to whole requests.
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
        """About how long a request that arrives now has to wait."""
        until_next = max(0.0, self._next - self._clock())
        return until_next + self._queued * self._interval

    async def acquire(self, longest_wait_seconds: float = math.inf) -> bool:
        """Waits for a turn: a request may start when this returns.

        Returns False at once, without a turn, if it would come later than `longest_wait_seconds`.
        """
        if self.wait_seconds > longest_wait_seconds:
            return False
        self._queued += 1
        try:
            async with self._turn:
                while (wait := self._next - self._clock()) > 0:
                    await self._sleep(wait)
                self._next = max(self._next, self._clock() - CATCH_UP_SECONDS) + self._interval
        finally:
            self._queued -= 1
        return True
