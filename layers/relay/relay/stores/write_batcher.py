"""What many tasks want of a table, gathered into few calls."""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from relay.aws.table import Item, Key

ITEMS_A_CALL: Final = 25
"""As many as DynamoDB takes."""
CALLS_AT_ONCE: Final = 2

Write = Callable[[Mapping[Key, Item]], Awaitable[set[Key] | None]]
"""Writes items; gives the keys of which there is something to say."""


class _Waiting(NamedTuple):
    key: Key
    item: Item
    answer: "Future[bool]"


class WriteBatcher:
    """Gathers items for a `write`; whoever waits for his own is told whether its key was named.

    While calls are under way others gather, so that the busier it is the fewer calls it takes.
    A call names no key twice. Belongs to the event loop that first uses it.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[_Waiting] = []
        self._writing = 0
        self._writers: set[Task[None]] = set()  # the event loop itself holds tasks only weakly

    async def put(self, key: Key, item: Item) -> bool:
        """Returns once it is written, and raises what `write` raises."""
        answer: Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(key, item, answer))
        if self._writing < CALLS_AT_ONCE:
            self._writing += 1
            writer = asyncio.create_task(self._write_all())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await answer

    async def _write_all(self) -> None:
        try:
            await asyncio.sleep(0)  # those that come in this very moment come along
            while self._waiting:
                await self._write_chunk(self._take())
        finally:
            # In the same step in which nobody waited: who comes next starts a writer of his own.
            self._writing -= 1

    def _take(self) -> dict[Key, _Waiting]:
        """The first that fit into a call; a key that is in it already waits for the next."""
        chunk: dict[Key, _Waiting] = {}
        left = []
        for one in self._waiting:
            if one.key in chunk or len(chunk) == ITEMS_A_CALL:
                left.append(one)
            else:
                chunk[one.key] = one
        self._waiting = left
        return chunk

    async def _write_chunk(self, chunk: Mapping[Key, _Waiting]) -> None:
        try:
            named = await self._write({key: one.item for key, one in chunk.items()}) or set()
        except Exception as error:  # noqa: BLE001 - each hears of it, whatever it is
            for one in _still_waiting(chunk):
                one.answer.set_exception(error)
        else:
            for one in _still_waiting(chunk):
                one.answer.set_result(one.key in named)


def _still_waiting(chunk: Mapping[Key, _Waiting]) -> list[_Waiting]:
    """Without those who were cancelled meanwhile."""
    return [one for one in chunk.values() if not one.answer.done()]
