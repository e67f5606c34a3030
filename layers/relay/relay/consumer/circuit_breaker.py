"""Circuit breaker: stop sending to an app while most of its recent sends fail; probe for recovery.

An app's circuit is open when most of its recent sends failed as E16 says, or most of all apps'
where its own are too few to tell. A few events of each invocation are then half-open probes; when
one of them gets through, everything flows again. So one app's trouble stops no other, and an outage
costs a few requests an invocation.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Collection
from functools import partial
from typing import Final

RECENT: Final = 20
"""Sends that are looked at."""
MIN_SENDS: Final = 5
"""Of fewer nothing can be told."""
PROBES: Final = 3
"""Half-open probes of an invocation for an app whose circuit is open."""


class CircuitBreaker:
    """How recent sends ended, by app and in all. Lives as long as its process."""

    def __init__(self) -> None:
        self._recent: defaultdict[str, deque[bool]] = defaultdict(partial(deque, maxlen=RECENT))
        self._recent_of_all: deque[bool] = deque(maxlen=RECENT)

    def record(self, app_id: str, *, failed: bool) -> None:
        """A send has ended. One that gets through while others fail is taken for the recovery."""
        recent = self._recent[app_id]
        if not failed and self.is_open(app_id):
            recent.clear()
            self._recent_of_all.clear()
        recent.append(failed)
        self._recent_of_all.append(failed)

    def is_open(self, app_id: str) -> bool:
        """Whether to send no more for this app, probes apart."""
        recent = self._recent[app_id]
        return _mostly_failed(recent if len(recent) >= MIN_SENDS else self._recent_of_all)

    def begin_round(self) -> "BreakerRound":
        """For the sends of one invocation, with probes of its own."""
        return BreakerRound(self)


def _mostly_failed(failed: Collection[bool]) -> bool:
    return len(failed) >= MIN_SENDS and 2 * sum(failed) > len(failed)


class BreakerRound:
    """The sends of one invocation."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker
        self._probes: Counter[str] = Counter()
        self._in_flight: Counter[str] = Counter()
        self._changed = asyncio.Event()

    async def allow(self, app_id: str, *, force: bool = False) -> bool:
        """Whether to send an event of this app, or `anyway`; then `record` has to be called once.

        While probes are under way, the others wait for what becomes of them.
        """
        while not force and self._breaker.is_open(app_id):
            if self._probes[app_id] < PROBES:
                self._probes[app_id] += 1
                break
            if not self._in_flight[app_id]:
                return False
            await self._changed.wait()
        self._in_flight[app_id] += 1
        return True

    def record(self, app_id: str, *, failed: bool | None) -> None:
        """How it ended; None when it was not sent after all."""
        self._in_flight[app_id] -= 1
        if failed is not None:
            self._breaker.record(app_id, failed=failed)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
