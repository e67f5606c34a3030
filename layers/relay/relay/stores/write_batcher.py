"""Batches the writes of many tasks to a table into few calls, and repeats those it throttles."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from relay.aws.table import Item, Key, Written
from relay.errors import TableUnavailableError
from relay.stores.batcher import Batcher

ITEMS_A_CALL: Final = 25
"""DynamoDB's limit."""

Write = Callable[[Mapping[Key, Item]], Awaitable[Written]]
"""Writes items; says what became of each."""


class WriteBatcher:
    """Batches items for `write`. Each item has a result of its own: see `Batcher`."""

    def __init__(self, write: Write) -> None:
        async def call(items: Mapping[Key, Item]) -> dict[Key, bool | TableUnavailableError]:
            written = await write(items)
            return {key: written.failed.get(key, key in written.existing) for key in items}

        self._batcher = Batcher[Item, bool](call, ITEMS_A_CALL)

    async def put(self, key: Key, item: Item) -> bool:
        """Writes an item; returns whether its key existed. Raises `TableUnavailableError`."""
        return await self._batcher.ask(key, item)
