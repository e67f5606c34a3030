"""A table in memory that behaves as `DynamoTable` does: the same contract tests run against both.

Compact, because an import of a million identities goes into one: SQLite's `:memory:`, the names of
attributes once for each shape of item, and digits (ids, moments) two to a byte.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar
from weakref import finalize

from relay.aws.table import Condition, Found, Item, Key, PutResult, Written
from relay.errors import TableUnavailableError

_LONGEST_PK = 2048
_LONGEST_SK = 1024

_TEXT, _DIGITS, _NUMBER = range(3)
_PACKABLE = re.compile(r"[0-9-]*", re.ASCII)
_LENGTH_BYTES = 3
_SHORT = 64
"""Lengths below fit into the byte that says the sort."""

_SCHEMA = """
CREATE TABLE items (
    pk TEXT, sk INTEGER, shape INTEGER, customer TEXT, content BLOB, PRIMARY KEY (pk, sk)
) WITHOUT ROWID;
CREATE INDEX customers ON items (customer) WHERE customer IS NOT NULL;
"""


class MemoryTable:
    """`relay.aws.table.Table` in memory. May be used by several threads at once."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """How often each method was called."""
        self.error: TableUnavailableError | None = None
        """Raised by every call, while it is set."""
        self._lock = Lock()
        self._sql = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._sql.executescript(_SCHEMA)
        self.close = finalize(self, self._sql.close)
        """Gives the memory back; done anyhow when nobody has the table any more."""
        self._words = _Numbered[str]()
        self._shapes = _Numbered[tuple[str, ...]]()

    def __len__(self) -> int:
        with self._lock:
            count: int = self._sql.execute("SELECT count(*) FROM items").fetchone()[0]
        return count

    def everything(self) -> dict[Key, Item]:
        """All its items."""
        with self._lock:
            rows = self._sql.execute("SELECT pk, sk, shape, content FROM items").fetchall()
        return {
            Key(pk, self._words.value(sk)): self._unpacked(shape, content)
            for pk, sk, shape, content in rows
        }

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        with self._lock:
            pages: int = self._sql.execute("PRAGMA page_count").fetchone()[0]
            size: int = self._sql.execute("PRAGMA page_size").fetchone()[0]
        return pages * size

    def get(self, keys: Collection[Key]) -> dict[Key, Item]:
        """The items that are there."""
        with self._called("get"):
            _check(*keys)
            found = {key: self._read(key) for key in keys}
        return {key: item for key, item in found.items() if item is not None}

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        """None if it was written, else the item that stands."""
        written, before = self._put(key, item, only_if)
        return None if written else before

    def replace(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        """Like `put`, and says what was there before."""
        return PutResult(*self._put(key, item, only_if))

    def merge(self, key: Key, attributes: Item) -> None:
        """Sets attributes, and leaves the others."""
        with self._called("merge"):
            _check(key, item=attributes)
            self._write(key, {**(self._read(key) or {}), **attributes})

    def delete_if(self, key: Key, only_if: Condition) -> None:
        """Deletes an item that meets a condition."""
        with self._called("delete_if"):
            there = self._read(key)
            if there is not None and _allows(only_if, there):
                self._delete(key)

    def delete(self, keys: Collection[Key]) -> None:
        """Deletes the items that are there."""
        with self._called("delete"):
            _check(*keys)
            for key in keys:
                self._delete(key)

    def under(self, pk: str) -> dict[Key, Item]:
        """All items of one pk."""
        with self._called("under"):
            _check(Key(pk, "any"))
            rows = self._sql.execute("SELECT sk, shape, content FROM items WHERE pk = ?", (pk,))
            return {
                Key(pk, self._words.value(sk)): self._unpacked(shape, content)
                for sk, shape, content in rows
            }

    def of_customer(self, customer_user_id: str) -> list[Key]:
        """The keys of all items that name a customer."""
        with self._called("of_customer"):
            _check(Key(customer_user_id, "any"))
            rows = self._sql.execute(
                "SELECT pk, sk FROM items WHERE customer = ?", (customer_user_id,)
            )
            return [Key(pk, self._words.value(sk)) for pk, sk in rows]

    @contextmanager
    def _called(self, method: str) -> Iterator[None]:
        with self._lock:
            self.calls[method] += 1
            if self.error is not None:
                raise self.error
            yield

    def _put(self, key: Key, item: Item, only_if: Condition | None) -> tuple[bool, Item | None]:
        with self._called("put"):
            _check(key, item=item)
            before = self._read(key)
            written = only_if is None or before is None or _allows(only_if, before)
            if written:
                self._write(key, item)
        return written, before

    def _read(self, key: Key) -> Item | None:
        row = self._sql.execute(
            "SELECT shape, content FROM items WHERE pk = ? AND sk = ?",
            (key.pk, self._words.number(key.sk)),
        ).fetchone()
        return None if row is None else self._unpacked(*row)

    def _delete(self, key: Key) -> None:
        self._sql.execute(
            "DELETE FROM items WHERE pk = ? AND sk = ?", (key.pk, self._words.number(key.sk))
        )

    def _write(self, key: Key, item: Item) -> None:
        self._sql.execute(
            "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)",
            (
                key.pk,
                self._words.number(key.sk),
                self._shapes.number(tuple(item)),
                item.get("customer_user_id"),
                b"".join(_packed(value) for value in item.values()),
            ),
        )

    def _unpacked(self, shape: int, content: bytes) -> Item:
        return dict(zip(self._shapes.value(shape), _values(content), strict=True))


class MemoryAsyncTable:
    """`relay.aws.table.AsyncTable` over a table in memory."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    async def get_all(self, keys: Collection[Key]) -> Found:
        """The items that are there."""
        return Found(self._table.get(keys), {})

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        """Writes an item, if the condition is met."""
        return self._table.replace(key, item, only_if)

    async def delete(self, key: Key, only_if: Condition) -> None:
        """Deletes an item that meets a condition."""
        self._table.delete_if(key, only_if)

    async def put_all(self, items: Mapping[Key, Item]) -> Written:
        """Writes each item."""
        return self._put_each(items)

    async def put_new(self, items: Mapping[Key, Item]) -> Written:
        """Writes those that are not there yet."""
        return self._put_each(items, Condition("nothing has this field", 0))

    def _put_each(self, items: Mapping[Key, Item], only_if: Condition | None = None) -> Written:
        existing, failed = set[Key](), dict[Key, TableUnavailableError]()
        for key, item in items.items():
            try:
                if self._table.put(key, item, only_if):
                    existing.add(key)
            except TableUnavailableError as error:
                failed[key] = error
        return Written(existing, failed)


Value = TypeVar("Value")


class _Numbered(Generic[Value]):
    """Values that are stored as their numbers, because there are few of them."""

    def __init__(self) -> None:
        self._numbers: dict[Value, int] = {}
        self._values: list[Value] = []

    def number(self, value: Value) -> int:
        if value not in self._numbers:
            self._numbers[value] = len(self._values)
            self._values.append(value)
        return self._numbers[value]

    def value(self, number: int) -> Value:
        return self._values[number]


def _allows(bound: Condition, item: Item) -> bool:
    value = item.get(bound.field)
    return isinstance(value, int) and value <= bound.value


def _check(*keys: Key, item: Item | None = None) -> None:
    """Refuses the keys that DynamoDB refuses, those of the index included."""
    customer = (item or {}).get("customer_user_id", "any")
    texts = [(key.pk, _LONGEST_PK) for key in keys] + [(key.sk, _LONGEST_SK) for key in keys]
    for text, longest in [*texts, (customer, _LONGEST_PK)]:
        if not isinstance(text, str) or not 1 <= len(text.encode()) <= longest:
            raise TableUnavailableError("DynamoDB failed: ValidationException")


# An attribute is its sort and the length of what follows in one to four bytes, then its text.


def _packed(value: str | int) -> bytes:
    text = str(value)
    if not _PACKABLE.fullmatch(text):
        return _head(_TEXT, len(text.encode())) + text.encode()
    packed = bytes.fromhex(text.replace("-", "a") + "f" * (len(text) % 2))
    return _head(_NUMBER if isinstance(value, int) else _DIGITS, len(packed)) + packed


def _values(content: bytes) -> Iterator[str | int]:
    position = 0
    while position < len(content):
        sort, length = divmod(content[position], _SHORT)
        position += 1
        if length == 0:
            length = int.from_bytes(content[position : position + _LENGTH_BYTES])
            position += _LENGTH_BYTES
        yield _unpacked_value(sort, content[position : position + length])
        position += length


def _head(sort: int, length: int) -> bytes:
    if 0 < length < _SHORT:
        return bytes([sort * _SHORT + length])
    return bytes([sort * _SHORT]) + length.to_bytes(_LENGTH_BYTES)


def _unpacked_value(sort: int, content: bytes) -> str | int:
    if sort == _TEXT:
        return content.decode()
    text = content.hex().rstrip("f").replace("a", "-")
    return int(text) if sort == _NUMBER else text
