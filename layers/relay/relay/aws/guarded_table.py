"""A table that is asked only where there is time for its answer, and not while it rests."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from relay.aws.rest import Rest
from relay.aws.table import Condition, Item, Key, StoredItem, Table
from relay.errors import TableUnavailableError

Result = TypeVar("Result")


class GuardedTable:
    """`Table` over another one. May be used by several threads at once.

    Before each call it asks `has_time`: of several calls in a row, each slow, the last would
    otherwise outlast the invocation. After a call without an answer none is made for
    `REST_SECONDS`. In both cases it raises `TableUnavailableError` at once.
    """

    def __init__(
        self,
        table: Table,
        has_time: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._has_time = has_time
        self._rest = Rest(clock)

    def get(self, keys: Collection[Key]) -> Mapping[Key, StoredItem]:
        """See `Table`; so are the others."""
        return self._ask(lambda: self._table.get(keys))

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> StoredItem | None:
        """See `Table`."""
        return self._ask(lambda: self._table.put(key, item, only_if))

    def merge(self, key: Key, attributes: Item) -> None:
        """See `Table`."""
        self._ask(lambda: self._table.merge(key, attributes))

    def delete(self, keys: Collection[Key]) -> None:
        """See `Table`."""
        self._ask(lambda: self._table.delete(keys))

    def under(self, pk: str) -> Mapping[Key, StoredItem]:
        """See `Table`."""
        return self._ask(lambda: self._table.under(pk))

    def of_customer(self, customer_user_id: str) -> list[Key]:
        """See `Table`."""
        return self._ask(lambda: self._table.of_customer(customer_user_id))

    def _ask(self, call: Callable[[], Result]) -> Result:
        if self._rest.is_on:
            raise TableUnavailableError("DynamoDB is not asked: it did not answer a moment ago")
        if not self._has_time():
            raise TableUnavailableError("DynamoDB is not asked: too little time is left")
        with self._rest.after_silence():
            return call()
