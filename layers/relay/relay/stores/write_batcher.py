"""Batches the writes of many tasks to a table into few calls, and repeats those it throttles."""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from relay.aws.busy import repeat_while_busy
from relay.aws.table import Item, Key, Written

ITEMS_A_CALL: Final = 25
"""DynamoDB's limit."""
CALLS_AT_ONCE: Final = 2

Write = Callable[[Mapping[Key, Item]], Awaitable[Written]]
"""Writes items; says what became of each."""


class _Waiting(NamedTuple):
    key: Key
    item: Item
    result: "Future[bool]"


class WriteBatcher:
    """Batches items for `write`. Each item has a result of its own.

    While calls are under way, further items queue up, so batches grow with the load. No call
    contains a key twice. A batcher belongs to the event loop that first uses it.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[_Waiting] = []
        self._writing = 0
        self._writers: set[Task[None]] = set()  # the event loop itself holds tasks only weakly

    async def put(self, key: Key, item: Item) -> bool:
        """Writes an item; returns whether its key existed. Raises `TableUnavailableError`.

        Repeated while DynamoDB is busy, in a later call: the others of its call do not wait for it.
        """
        return await repeat_while_busy(lambda: self._put_once(key, item))

    async def _put_once(self, key: Key, item: Item) -> bool:
        result: Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(key, item, result))
        if self._writing < CALLS_AT_ONCE:
            self._writing += 1
            writer = asyncio.create_task(self._write_all())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await result

    async def _write_all(self) -> None:
        try:
            await asyncio.sleep(0)  # include the items of tasks that are ready to run now
            while self._waiting:
                await self._write_chunk(self._take())
        finally:
            # Decrement before yielding, so that the next `put` starts a new writer.
            self._writing -= 1

    def _take(self) -> dict[Key, _Waiting]:
        """Takes the first items that fit into a call; a second item of a key waits for the next."""
        chunk: dict[Key, _Waiting] = {}
        remaining = []
        for one in self._waiting:
            if one.key in chunk or len(chunk) == ITEMS_A_CALL:
                remaining.append(one)
            else:
                chunk[one.key] = one
        self._waiting = remaining
        return chunk

    async def _write_chunk(self, chunk: Mapping[Key, _Waiting]) -> None:
        try:
            written = await self._write({key: one.item for key, one in chunk.items()})
        except Exception as error:  # noqa: BLE001 - every waiting task gets it, whatever it is
            for one in _still_waiting(chunk):
                one.result.set_exception(error)
        else:
            for one in _still_waiting(chunk):
                failure = written.failed.get(one.key)
                if failure is None:
                    one.result.set_result(one.key in written.existing)
                else:
                    one.result.set_exception(failure)


def _still_waiting(chunk: Mapping[Key, _Waiting]) -> list[_Waiting]:
    """The items whose tasks were not cancelled meanwhile."""
    return [one for one in chunk.values() if not one.result.done()]
