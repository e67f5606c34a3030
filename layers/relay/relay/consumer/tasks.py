"""Workers as tasks of an event loop."""

import asyncio
from collections.abc import Callable

from relay.consumer.consumer import Work


class Tasks:
    """Workers as tasks, up to `limit` at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def run(self, work: Callable[[], Work], jobs: int) -> None:
        """Runs `work` in one task per job, up to the limit."""
        await asyncio.gather(*(work() for _ in range(min(self._limit, jobs))))

    async def block(self, call: Callable[[], None]) -> None:
        """Makes a blocking call in a thread, so that the loop keeps running."""
        await asyncio.to_thread(call)
