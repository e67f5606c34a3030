"""Circuit breaker: stop sending to an app while most of its recent sends fail; probe for recovery.

An app's circuit is open when most of its recent sends failed in a way that says nothing about the
event (E16, and the answers of E14 and E17 that all events get). While the app has too few
sends, the recent sends of all apps decide. A few events of each invocation are then half-open
probes; the first that gets through closes the circuit. So one app's trouble does not stop the
others, and an outage costs a few requests per invocation.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Collection
from functools import partial
from typing import Final

RECENT: Final = 20
"""How many of the latest sends are looked at."""
MIN_SENDS: Final = 5
"""The fewest sends that say anything."""
PROBES: Final = 3
"""Half-open probes per invocation for an app whose circuit is open."""


class CircuitBreaker:
    """How recent sends ended, per app and overall. Lives as long as its process."""

    def __init__(self) -> None:
        self._recent: defaultdict[str, deque[bool]] = defaultdict(partial(deque, maxlen=RECENT))
        self._recent_of_all: deque[bool] = deque(maxlen=RECENT)

    def record(self, app_id: str, *, failed: bool) -> None:
        """Notes how a send ended. A success while the circuit is open counts as the recovery."""
        recent = self._recent[app_id]
        if not failed and self.is_open(app_id):
            recent.clear()
            self._recent_of_all.clear()
        recent.append(failed)
        self._recent_of_all.append(failed)

    def is_open(self, app_id: str) -> bool:
        """Whether to stop sending for this app, except for probes."""
        recent = self._recent[app_id]
        return _mostly_failed(recent if len(recent) >= MIN_SENDS else self._recent_of_all)

    def begin_round(self) -> "BreakerRound":
        """A round for the sends of one invocation, with its own probes."""
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
        """Whether an event of this app may be sent; `force` sends it in any case.

        After True the caller must call `record` once. While probes are in flight, the other events
        wait for their result.
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
        """Notes how the send ended; `failed` is None when nothing was sent after all."""
        self._in_flight[app_id] -= 1
        if failed is not None:
            self._breaker.record(app_id, failed=failed)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
