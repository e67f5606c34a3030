"""DynamoDB: the few operations that the relay uses, as protocols, so that tests can replace them.

Items are flat: text and whole numbers. `expires_at` (Unix seconds) is every table's TTL. DynamoDB
deletes late, so readers must check `expires_at` themselves. A person may have edited an item, so
readers also check that each attribute is there and is what they expect.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from relay import telemetry
from relay.errors import TableUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = Mapping[str, str | int]
"""Attributes by name, without the key."""
StoredItem = Mapping[str, object]
"""An `Item` as it is read. What is neither text nor a whole number, which only a person can have
put there, is None."""

LONGEST_PK_BYTES: Final = 2048
LONGEST_SK_BYTES: Final = 1024
"""Bytes in UTF-8. DynamoDB refuses longer and empty keys, in tables and in indexes."""

_KEYS_A_READ: Final = 100
_KEYS_A_WRITE: Final = 25
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4)
"""Seconds to wait before each retry of what DynamoDB did not process."""


class Key(NamedTuple):
    """A table's key: the attributes `pk` and `sk`."""

    pk: str
    sk: str


class Condition(NamedTuple):
    """A condition: the item is absent, or its `field` is at most `value`."""

    field: str
    value: int

    def as_condition(self) -> dict[str, Any]:
        """The condition as parameters of PutItem; a refusal then returns the existing item."""
        return {
            "ConditionExpression": "attribute_not_exists(pk) OR #field <= :value",
            "ExpressionAttributeNames": {"#field": self.field},
            "ExpressionAttributeValues": {":value": {"N": str(self.value)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


class PutResult(NamedTuple):
    """Whether an item was written, and the item before the call: the replaced or existing one."""

    written: bool
    before: StoredItem | None


class Written(NamedTuple):
    """What became of a batch of writes. A key that is in neither was written."""

    existing: set[Key]
    """Keys that are not written because they exist."""
    failed: Mapping[Key, TableUnavailableError]
    """Why a write failed; it may have been carried out all the same, if the response was lost.

    `TableBusyError`: the same write may succeed a moment later.
    """


KEYS_A_READ: Final = 100
"""DynamoDB's limit."""


class Found(NamedTuple):
    """What became of a batch of reads. The item of a key that is in neither is absent."""

    items: Mapping[Key, StoredItem]
    failed: Mapping[Key, TableUnavailableError]


class AsyncTable(Protocol):
    """One table, for the event loop. `put` and `delete` raise `TableUnavailableError`."""

    async def get_all(self, keys: Collection[Key]) -> Found:
        """Reads up to `KEYS_A_READ` items, consistently. Each read fails by itself."""
        ...

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        """Writes an item, if the condition holds."""
        ...

    async def delete(self, key: Key, only_if: Condition) -> None:
        """Deletes an item, if it exists and the condition holds."""
        ...

    async def put_all(self, items: Mapping[Key, Item]) -> Written:
        """Writes items; overwrites existing ones. Each write fails by itself."""
        ...

    async def put_new(self, items: Mapping[Key, Item]) -> Written:
        """Writes each item whose key does not exist. Each write fails by itself.

        All items must have the same attributes.
        """
        ...


class Table(Protocol):
    """One table. Every method blocks and raises `TableUnavailableError`."""

    def get(self, keys: Collection[Key]) -> Mapping[Key, StoredItem]:
        """Reads any number of items, consistently; absent ones are left out."""
        ...

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> StoredItem | None:
        """Writes an item. Returns None if written, else the existing item."""
        ...

    def merge(self, key: Key, attributes: Item) -> None:
        """Sets these attributes of an item and keeps its others; creates an absent item.

        Callers must give at least one attribute.
        """
        ...

    def delete(self, keys: Collection[Key]) -> None:
        """Deletes items; absent ones are ignored."""
        ...

    def under(self, pk: str) -> Mapping[Key, StoredItem]:
        """Every item of one partition key."""
        ...

    def of_customer(self, customer_user_id: str) -> list[Key]:
        """The keys of every item with this `customer_user_id`, for tables with that index.

        The index may be slightly behind the table.
        """
        ...


def is_key_text(text: str, longest: int) -> bool:
    """Whether DynamoDB accepts a text as part of a key: 1 to `longest` bytes of UTF-8."""
    try:
        return 0 < len(text.encode()) <= longest
    except UnicodeEncodeError:  # half a surrogate pair
        return False


class DynamoTable:
    """A table in DynamoDB. Errors become `TableUnavailableError` with AWS's code and nothing else.

    The boto3 client retries failed calls, as configured. This class retries the part of a batch
    that a throttled DynamoDB did not process.
    """

    def __init__(
        self, dynamodb: "DynamoDBClient", name: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._pause = pause

    def get(self, keys: Collection[Key]) -> dict[Key, StoredItem]:
        """BatchGetItem, a hundred keys a call: a read unit per 4 KB of each item; one if absent."""
        items: dict[Key, StoredItem] = {}

        def read(chunk: Sequence[Key]) -> Iterable[Key]:
            records = [record_of(key) for key in chunk]
            response = self._dynamodb.batch_get_item(
                RequestItems={self._name: {"Keys": records, "ConsistentRead": True}}
            )
            items.update(map(item_of, response["Responses"][self._name]))
            unprocessed = response["UnprocessedKeys"].get(self._name)
            return map(key_of, unprocessed["Keys"] if unprocessed else ())

        self._in_batches("BatchGetItem", keys, _KEYS_A_READ, read)
        return items

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> StoredItem | None:
        """PutItem: a write unit a KB, refused or not; a refusal returns the existing item."""
        request: dict[str, Any] = {"TableName": self._name, "Item": record_of(key, item)}
        if only_if is not None:
            request |= only_if.as_condition()
        with _failures_of("PutItem"):
            try:
                self._dynamodb.put_item(**request)
            except ClientError as error:
                if telemetry.aws_code(error) != "ConditionalCheckFailedException":
                    raise
                return _existing_item(error)
        return None

    def merge(self, key: Key, attributes: Item) -> None:
        """UpdateItem: a write unit a KB of the whole item."""
        numbered = list(enumerate(attributes.items()))
        with _failures_of("UpdateItem"):
            self._dynamodb.update_item(
                TableName=self._name,
                Key=record_of(key),
                UpdateExpression=f"SET {', '.join(f'#{n} = :{n}' for n, _ in numbered)}",
                ExpressionAttributeNames={f"#{n}": name for n, (name, _) in numbered},
                ExpressionAttributeValues={f":{n}": attribute_of(v) for n, (_, v) in numbered},
            )

    def delete(self, keys: Collection[Key]) -> None:
        """BatchWriteItem, 25 keys a call: a write unit a KB."""

        def write(chunk: Sequence[Key]) -> Iterable[Key]:
            response = self._dynamodb.batch_write_item(
                RequestItems={
                    self._name: [{"DeleteRequest": {"Key": record_of(key)}} for key in chunk]
                }
            )
            unprocessed = response["UnprocessedItems"].get(self._name, ())
            return (key_of(one["DeleteRequest"]["Key"]) for one in unprocessed)

        self._in_batches("BatchWriteItem", keys, _KEYS_A_WRITE, write)

    def under(self, pk: str) -> dict[Key, StoredItem]:
        """Query, all pages: a read unit for 4 KB."""
        records = self._query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": attribute_of(pk)},
            ConsistentRead=True,
        )
        return dict(map(item_of, records))

    def of_customer(self, customer_user_id: str) -> list[Key]:
        """Query on the index `customers`, all pages: half a read unit for 4 KB."""
        records = self._query(
            IndexName="customers",
            KeyConditionExpression="customer_user_id = :customer",
            ExpressionAttributeValues={":customer": attribute_of(customer_user_id)},
        )
        return [key_of(record) for record in records]

    def _query(self, **query: Any) -> list[Mapping[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(TableName=self._name, **query)
        with _failures_of("Query"):
            return [record for page in pages for record in page["Items"]]

    def _in_batches(
        self,
        operation: str,
        keys: Collection[Key],
        size: int,
        call: Callable[[Sequence[Key]], Iterable[Key]],
    ) -> None:
        """Calls `call` for all keys, `size` at a time, and again for the keys that it returns."""
        # Each key once: DynamoDB refuses a batch with a duplicate key.
        remaining = list(dict.fromkeys(keys))
        for pause in (*_PAUSES, None):
            with _failures_of(operation):
                remaining = [key for chunk in _chunks(remaining, size) for key in call(chunk)]
            if not remaining:
                return
            if pause is not None:
                self._pause(pause)
        telemetry.aws_failed(operation, ["Unprocessed"])
        raise TableUnavailableError(f"DynamoDB left some of {operation} undone")


@contextmanager
def _failures_of(operation: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        code = telemetry.aws_code(error)
        telemetry.aws_failed(operation, [code])
        raise TableUnavailableError(f"DynamoDB failed: {code}") from None


def _chunks(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


# DynamoDB's form of an item


def record_of(key: Key, item: Item | None = None) -> "dict[str, AttributeValueTypeDef]":
    """An item in DynamoDB's form, or a key alone."""
    attributes = {**(item or {}), "pk": key.pk, "sk": key.sk}
    return {name: attribute_of(value) for name, value in attributes.items()}


def attribute_of(value: str | int) -> "AttributeValueTypeDef":
    """A value in DynamoDB's form."""
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def key_of(record: Mapping[str, Any]) -> Key:
    """The key of an item in DynamoDB's form."""
    return Key(record["pk"]["S"], record["sk"]["S"])


def item_of(record: Mapping[str, Any]) -> tuple[Key, StoredItem]:
    """Key and attributes of an item in DynamoDB's form."""
    attributes = {
        name: _value_of(attribute) for name, attribute in record.items() if name not in Key._fields
    }
    return key_of(record), attributes


def _value_of(attribute: Mapping[str, Any]) -> str | int | None:
    """The value of an attribute; None if it is neither text nor a whole number."""
    if "S" in attribute:
        return str(attribute["S"])
    try:
        return int(attribute["N"])
    except (KeyError, ValueError):
        return None


def _existing_item(error: ClientError) -> StoredItem:
    """The item that `ReturnValuesOnConditionCheckFailure` adds to the refusal."""
    response: Mapping[str, Any] = {**error.response}
    return item_of(response["Item"])[1]
