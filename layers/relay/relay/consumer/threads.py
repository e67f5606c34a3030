"""Workers as threads, for blocking jobs, without an event loop.

This module does not import asyncio: that would add 20 ms to the cold start of a function that does
not use it.
"""

from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from relay.consumer.workers import Line

Result = TypeVar("Result")


class Threads:
    """Workers as threads, up to `limit` at once; they live as long as the process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pool = ThreadPoolExecutor(limit, thread_name_prefix="consumer")

    async def run(self, lines: Sequence[Line]) -> None:
        """Works through the lines, one after the other."""
        for line in lines:
            await line.ready()
            self._run_line(line)

    def _run_line(self, line: Line) -> None:
        count = range(min(self._limit, line.jobs))
        for future in [self._pool.submit(lambda: run_without_loop(line.work())) for _ in count]:
            future.result()

    async def block(self, call: Callable[[], Result], seconds: float) -> Result:
        """Makes a blocking call directly: it must itself end in time."""
        del seconds
        return call()


def run_without_loop(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Runs a coroutine that blocks and never awaits; raises `RuntimeError` for any other."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    coroutine.close()
    message = "the coroutine waits for an event loop, and there is none"
    raise RuntimeError(message)
