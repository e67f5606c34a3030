"""DynamoDB: the few things that the relay does with a table, so that another table can stand in.

Items are flat: text and whole numbers. `expires_at` (Unix seconds) is every table's TTL; DynamoDB
deletes late, so whoever reads compares it himself.
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
"""Attributes by their names; the key is not among them."""

LONGEST_PK_BYTES: Final = 2048
LONGEST_SK_BYTES: Final = 1024
"""UTF-8; what is longer or empty DynamoDB refuses as a key, here and in the index alike."""

_KEYS_A_READ: Final = 100
_KEYS_A_WRITE: Final = 25
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4)
"""Seconds before DynamoDB is asked again for what it left undone."""


class Key(NamedTuple):
    """A table's key: the attributes `pk` and `sk`."""

    pk: str
    sk: str


class Condition(NamedTuple):
    """A condition: the item is absent there, or its `field` is at most `value`."""

    field: str
    value: int

    def as_condition(self) -> dict[str, Any]:
        """The condition as PutItem takes it; its refusal then brings the item in the way."""
        return {
            "ConditionExpression": "attribute_not_exists(pk) OR #field <= :value",
            "ExpressionAttributeNames": {"#field": self.field},
            "ExpressionAttributeValues": {":value": {"N": str(self.value)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


class AsyncTable(Protocol):
    """What the event loop may do with a table. Raises `TableUnavailableError`."""

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        """Writes an item. None when written, else the item that is in the way."""
        ...

    async def delete(self, key: Key, only_if: Condition) -> None:
        """Deletes an item, where there is one and the condition holds."""
        ...

    async def put_all(self, items: Mapping[Key, Item]) -> None:
        """Writes items, whatever is there."""
        ...

    async def put_new(self, items: Mapping[Key, Item]) -> set[Key]:
        """Writes each item unless its key is there; gives the keys that were.

        All have the same attributes.
        """
        ...


class Table(Protocol):
    """One table. Every method blocks and raises `TableUnavailableError`."""

    def get(self, keys: Collection[Key]) -> dict[Key, Item]:
        """Reads items, as many as there are, consistently; absent ones are left out."""
        ...

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        """Writes an item. None when written, else the item that is in the way."""
        ...

    def merge(self, key: Key, attributes: Item) -> None:
        """Sets these attributes of an item and leaves its others; makes it where there is none.

        At least one attribute.
        """
        ...

    def delete(self, keys: Collection[Key]) -> None:
        """Deletes items, where there are any."""
        ...

    def under(self, pk: str) -> dict[Key, Item]:
        """Every item of one partition key."""
        ...

    def of_customer(self, customer_user_id: str) -> list[Key]:
        """The keys of every item with this `customer_user_id`, for tables with that index.

        The index is a moment behind the table.
        """
        ...


def is_key_text(text: str, longest: int) -> bool:
    """Whether DynamoDB takes a text of at most `longest` bytes as part of a key."""
    try:
        return 0 < len(text.encode()) <= longest
    except UnicodeEncodeError:  # half a surrogate pair
        return False


class DynamoTable:
    """A table of DynamoDB's. What goes wrong becomes `TableUnavailableError` with AWS's code alone.

    A failed call is tried again by the client, as often as that is set up to; what is tried again
    here is the part of a batch that DynamoDB, throttled, left undone.
    """

    def __init__(
        self, dynamodb: "DynamoDBClient", name: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._pause = pause

    def get(self, keys: Collection[Key]) -> dict[Key, Item]:
        """BatchGetItem, a hundred keys a call: a read unit for 4 KB of each, or for none."""
        found: dict[Key, Item] = {}

        def read(chunk: Sequence[Key]) -> Iterable[Key]:
            records = [record_of(key) for key in chunk]
            answer = self._dynamodb.batch_get_item(
                RequestItems={self._name: {"Keys": records, "ConsistentRead": True}}
            )
            found.update(map(item_of, answer["Responses"][self._name]))
            undone = answer["UnprocessedKeys"].get(self._name)
            return map(key_of, undone["Keys"] if undone else ())

        self._in_batches("BatchGetItem", keys, _KEYS_A_READ, read)
        return found

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        """PutItem: a write unit a KB, refused or not; the refusal brings the item in the way."""
        request: dict[str, Any] = {"TableName": self._name, "Item": record_of(key, item)}
        if only_if is not None:
            request |= only_if.as_condition()
        with _failures_of("PutItem"):
            try:
                self._dynamodb.put_item(**request)
            except ClientError as error:
                if telemetry.aws_code(error) != "ConditionalCheckFailedException":
                    raise
                return _item_in_the_way(error)
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
            answer = self._dynamodb.batch_write_item(
                RequestItems={
                    self._name: [{"DeleteRequest": {"Key": record_of(key)}} for key in chunk]
                }
            )
            undone = answer["UnprocessedItems"].get(self._name, ())
            return (key_of(one["DeleteRequest"]["Key"]) for one in undone)

        self._in_batches("BatchWriteItem", keys, _KEYS_A_WRITE, write)

    def under(self, pk: str) -> dict[Key, Item]:
        """Query, all its pages: a read unit for 4 KB."""
        records = self._query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": attribute_of(pk)},
            ConsistentRead=True,
        )
        return dict(map(item_of, records))

    def of_customer(self, customer_user_id: str) -> list[Key]:
        """Query on the index `customers`, all its pages: half a read unit for 4 KB."""
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
        """Calls for all keys, `size` at once, and again for those that it gives back as undone."""
        # Each once: DynamoDB refuses a batch that names a key twice.
        left = list(dict.fromkeys(keys))
        for pause in (*_PAUSES, None):
            with _failures_of(operation):
                left = [key for chunk in _chunks(left, size) for key in call(chunk)]
            if not left:
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
    """An item as DynamoDB has it, or a key alone."""
    attributes = {**(item or {}), "pk": key.pk, "sk": key.sk}
    return {name: attribute_of(value) for name, value in attributes.items()}


def attribute_of(value: str | int) -> "AttributeValueTypeDef":
    """A value as DynamoDB has it."""
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def key_of(record: Mapping[str, Any]) -> Key:
    """The key of one of DynamoDB's items."""
    return Key(record["pk"]["S"], record["sk"]["S"])


def item_of(record: Mapping[str, Any]) -> tuple[Key, Item]:
    """Key and attributes of one of DynamoDB's items."""
    attributes = {
        name: int(value["N"]) if "N" in value else str(value["S"])
        for name, value in record.items()
        if name not in Key._fields
    }
    return key_of(record), attributes


def _item_in_the_way(error: ClientError) -> Item:
    """What `ReturnValuesOnConditionCheckFailure` adds to the refusal."""
    response: Mapping[str, Any] = {**error.response}
    return item_of(response["Item"])[1]
