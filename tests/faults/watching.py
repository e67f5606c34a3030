"""Servers that are watched: what comes in, what has been done, and what is still under way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from relay_sandbox.http.server import Connection, Handler, Request, Response

_QUIET_SECONDS: Final = 60.0

Seen = Callable[[str], Awaitable[None]]
"""Gets the name of a moment."""


async def _not_interested(_moment: str) -> None:
    pass


class Watched:
    """A handler whose requests are told of at two moments: before they are handled, and after.

    After means that it is done, and that whoever asked has not been answered.
    """

    def __init__(self, handler: Handler, before: str, after: str) -> None:
        self.seen: Seen = _not_interested
        self.under_way = 0
        self._handler = handler
        self._before = before
        self._after = after

    async def handle(self, request: Request, connection: Connection) -> Response | None:
        """Serves a request."""
        self.under_way += 1
        try:
            await self.seen(self._before)
            response = await self._handler(request, connection)
            await self.seen(self._after)
        finally:
            self.under_way -= 1
        return response


async def quiet(*watched: Watched) -> None:
    """Waits until nothing is under way: what a process asked for outlives it."""
    async with asyncio.timeout(_QUIET_SECONDS):
        while any(one.under_way for one in watched):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
