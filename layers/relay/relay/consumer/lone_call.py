"""Blocking calls of one kind from an event loop: one at a time, and waited for only so long."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class LoneCall:
    """Makes blocking calls in a thread, one at a time, and does not wait for one that hangs.

    A client's time-outs do not cover everything: the system's resolver may wait for a silent name
    server for a minute. Such a call goes on in its thread. Until it ends no other begins, so that
    hanging calls take up one thread and not all.
    """

    def __init__(self) -> None:
        self._call: asyncio.Task[Any] | None = None

    async def run(self, seconds: float, call: Callable[..., Result], *arguments: Any) -> Result:
        """Makes a call; raises `TimeoutError` after `seconds`, or at once while another hangs."""
        if self._call is not None and not self._call.done():
            raise TimeoutError
        self._call = asyncio.create_task(asyncio.to_thread(call, *arguments))
        self._call.add_done_callback(_hear)
        done, _ = await asyncio.wait({self._call}, timeout=seconds)
        if not done:
            raise TimeoutError
        result: Result = self._call.result()
        return result


def _hear(call: "asyncio.Task[Any]") -> None:
    """Takes note of an error that nobody may wait for any more, or asyncio complains."""
    if not call.cancelled():
        call.exception()
