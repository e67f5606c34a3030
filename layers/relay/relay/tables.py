"""DynamoDB: the few things that the relay does with a table, so that another table can stand in.

Items are flat: text and whole numbers. `expires_at` (Unix seconds) is every table's TTL; DynamoDB
deletes late, so whoever reads compares it himself.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

Item = Mapping[str, str | int]


class Key(NamedTuple):
    """A table's key: the attributes `pk` and `sk`."""

    pk: str
    sk: str


class Bound(NamedTuple):
    """A condition: the item is absent there, or its `field` is at most `value`."""

    field: str
    value: int


class Table(Protocol):
    """One table. Every method blocks and raises `TableUnavailableError`."""

    def get(self, keys: Collection[Key]) -> dict[Key, Item]:
        """Reads items, as many as there are, consistently; absent ones are left out."""
        ...

    def put(self, key: Key, item: Item, only_if: Bound | None = None) -> Item | None:
        """Writes an item. None when written, else the item that is in the way."""
        ...

    def merge(self, key: Key, attributes: Item) -> None:
        """Sets these attributes of an item and leaves its others; makes it where there is none."""
        ...

    def delete(self, keys: Collection[Key]) -> None:
        """Deletes items, where there are any."""
        ...

    def under(self, pk: str) -> dict[Key, Item]:
        """Every item of one partition key."""
        ...

    def of_customer(self, customer_user_id: str) -> list[Key]:
        """The keys of every item with this `customer_user_id`, for tables with that index."""
        ...
