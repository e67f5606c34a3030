"""Workers as tasks of an event loop."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeVar

from relay.consumer.workers import Line

Result = TypeVar("Result")
Free = AbstractAsyncContextManager[None]
"""Entered while a worker works."""


class Tasks:
    """Workers as tasks, up to `limit` at once.

    Blocking calls are made in threads of the loop's executor. Nothing else may wait there for long
    in any number: see `relay.consumer.lone_call` and `relay.http1.loop`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def run(self, lines: Sequence[Line]) -> None:
        """Works through all lines, each as soon as it is ready.

        Workers are given to a line in the order in which they become ready, and stay with it until
        it is done: a line that is ready later does not delay an earlier one.
        """
        if len(lines) == 1:  # the usual case: nobody else wants workers
            await self._run_line(lines[0], nullcontext())
            return
        free = asyncio.Semaphore(self._limit)
        await asyncio.gather(*(self._run_line(line, free) for line in lines))

    async def _run_line(self, line: Line, free: Free) -> None:
        await line.ready()
        workers = range(min(self._limit, line.jobs))
        await asyncio.gather(*(_work(line, free) for _ in workers))

    async def block(self, call: Callable[[], Result], seconds: float) -> Result:
        """Makes a blocking call in a thread, so that the loop keeps running.

        Raises `TimeoutError` if it takes longer; the thread then goes on by itself.
        """
        return await asyncio.wait_for(asyncio.to_thread(call), seconds)


async def _work(line: Line, free: Free) -> None:
    async with free:
        await line.work()
