"""A sick AppsFlyer is left in peace: when most sends fail, the rest waits without being sent.

An app is unwell when most of its latest sends failed as E16 says, or most of all apps' where its
own are too few to tell. A few events of each invocation are then probes; when one of them gets
through, everything flows again. So one app's trouble stops no other, and an outage costs a few
requests an invocation.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

LATEST: Final = 20
"""Sends that are looked at."""
LEAST: Final = 5
"""Of fewer nothing can be told."""
PROBES: Final = 3
"""Sends of an invocation for an app that is unwell."""


class Health:
    """How the latest sends fared, by app and in all. Lives as long as its process."""

    def __init__(self) -> None:
        self._latest: defaultdict[str, deque[bool]] = defaultdict(partial(deque, maxlen=LATEST))
        self._of_all: deque[bool] = deque(maxlen=LATEST)

    def note(self, app_id: str, *, failed: bool) -> None:
        """A send has ended. One that gets through while others fail is taken for the recovery."""
        latest = self._latest[app_id]
        if not failed and self.is_unwell(app_id):
            latest.clear()
            self._of_all.clear()
        latest.append(failed)
        self._of_all.append(failed)

    def is_unwell(self, app_id: str) -> bool:
        """Whether to send no more for this app, probes apart."""
        latest = self._latest[app_id]
        return _most(latest if len(latest) >= LEAST else self._of_all)


def _most(failed: Collection[bool]) -> bool:
    return len(failed) >= LEAST and 2 * sum(failed) > len(failed)


class Round:
    """The sends of one invocation. `has_time`: whether there is enough left for another request."""

    def __init__(self, health: Health, has_time: Callable[[], bool] = lambda: True) -> None:
        self.has_time = has_time
        self._health = health
        self._probes: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._news = asyncio.Event()

    async def admit(self, app_id: str, *, anyway: bool = False) -> bool:
        """Whether to send an event of this app, or `anyway`; `ended` then has to be called once.

        While probes are under way, the others wait for what becomes of them.
        """
        while not anyway and self._health.is_unwell(app_id):
            if self._probes[app_id] < PROBES:
                self._probes[app_id] += 1
                break
            if not self._under_way[app_id]:
                return False
            await self._news.wait()
        self._under_way[app_id] += 1
        return True

    def ended(self, app_id: str, *, failed: bool | None) -> None:
        """What became of it; None when it was not sent after all."""
        self._under_way[app_id] -= 1
        if failed is not None:
            self._health.note(app_id, failed=failed)
        news, self._news = self._news, asyncio.Event()
        news.set()
