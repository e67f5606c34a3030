"""DynamoDB on the event loop, for the two writes that each event with money needs.

boto3 needs a thread and 600 µs or more for each call, five times the cost of the rest of an event.
This module uses the same protocol over the relay's keep-alive connections, at a twentieth of that
cost. Calls that are not made for each event use boto3 (`table`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from relay import telemetry
from relay.aws.sigv4 import Credentials, signed_headers
from relay.aws.table import Condition, Item, Key, StoredItem, attribute_of, item_of, record_of
from relay.errors import TableUnavailableError
from relay.exact_json import InvalidJsonError, dumps, loads
from relay.http1.errors import ExchangeError
from relay.http1.pool import Origin, Pool
from relay.instants import Clock, utc_now

_VERSION: Final = "DynamoDB_20120810"
_ATTEMPTS: Final = 2
_LONGEST_PAUSE_SECONDS: Final = 0.1
_ITEMS_A_CALL: Final = 25
_BATCH_ATTEMPTS: Final = 4
"""How often items are sent that a throttled DynamoDB did not process."""

_DUPLICATE: Final = "DuplicateItem"
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_TRANSIENT: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)

Pause = Callable[[float], Awaitable[None]]


class CallFailedError(Exception):
    """DynamoDB refused a call; `code` is AWS's code, `content` the whole response."""

    def __init__(self, code: str, content: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.content = content


class DynamoClient:
    """Calls operations of DynamoDB, signed. Retries once after a transient error.

    `credentials` is called for each request, because credentials may be renewed.
    """

    def __init__(
        self,
        pool: Pool,
        endpoint: str,
        credentials: Callable[[], Credentials],
        clock: Clock = utc_now,
        pause: Pause = asyncio.sleep,
    ) -> None:
        address = urlsplit(endpoint)
        encrypted = address.scheme == "https"
        port = address.port or (443 if encrypted else 80)
        self._origin = Origin(address.hostname or "", port, encrypted)
        self._host = address.netloc
        self._pool = pool
        self._credentials = credentials
        self._clock = clock
        self._pause = pause

    async def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The response to one call; raises `CallFailedError`.

        The relay sets these codes itself: `ServiceUnavailable` without a response,
        `InternalServerError` for every 5xx, `Status<status>` for a response without a code.
        """
        body = dumps(request)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._call_once(operation, body)
            except CallFailedError as error:
                if error.code not in _TRANSIENT or attempt == _ATTEMPTS:
                    raise
            await self.pause()
        raise AssertionError("not reached")  # pragma: no cover

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()

    async def pause(self) -> None:
        """A short random pause, for a throttled table."""
        await self._pause(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - no secret

    async def _call_once(self, operation: str, body: bytes) -> Mapping[str, Any]:
        try:
            response = await self._pool.exchange(self._origin, self._message(operation, body))
        except ExchangeError as error:
            name = type(error).__name__
            raise CallFailedError("ServiceUnavailable", {"message": name}) from None
        content = _content(response.body)
        if response.status == HTTPStatus.OK:
            return content
        raise CallFailedError(_code(content, response.status or 0), content)

    def _message(self, operation: str, body: bytes) -> bytes:
        headers = signed_headers(
            self._credentials(), self._host, f"{_VERSION}.{operation}", body, self._clock()
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = (
            f"POST / HTTP/1.1\r\n{lines}content-type: application/x-amz-json-1.0\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _content(body: bytes) -> Mapping[str, Any]:
    try:
        content = loads(body)
    except InvalidJsonError:
        return {}
    return content if isinstance(content, dict) else {}


def _code(content: Mapping[str, Any], status: int) -> str:
    """AWS's code, from a type such as `com.amazonaws.dynamodb.v20120810#ThrottlingException`."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "InternalServerError"
    return str(content.get("__type", "")).rpartition("#")[2] or f"Status{status}"


class DynamoAsyncTable:
    """`table.AsyncTable`, in DynamoDB."""

    def __init__(self, calls: DynamoClient, name: str) -> None:
        self._client = calls
        self._name = name

    async def put(
        self, key: Key, item: Item, only_if: Condition | None = None
    ) -> StoredItem | None:
        """PutItem: a write unit a KB, refused or not; a refusal returns the existing item."""
        request: dict[str, Any] = {"TableName": self._name, "Item": record_of(key, item)}
        if only_if is not None:
            request |= only_if.as_condition()
        try:
            await self._client.call("PutItem", request)
        except CallFailedError as error:
            if error.code == _CONDITION_FAILED:
                return item_of(error.content["Item"])[1]
            raise _unavailable("PutItem", error.code) from None
        return None

    async def delete(self, key: Key, only_if: Condition) -> None:
        """DeleteItem: a write unit a KB, refused or not."""
        request = {"TableName": self._name, "Key": record_of(key), **only_if.as_condition()}
        try:
            await self._client.call("DeleteItem", request)
        except CallFailedError as error:
            if error.code != _CONDITION_FAILED:
                raise _unavailable("DeleteItem", error.code) from None

    async def put_all(self, items: Mapping[Key, Item]) -> None:
        """BatchWriteItem, 25 items a call: a write unit a KB."""
        puts = [{"PutRequest": {"Item": record_of(*one)}} for one in items.items()]
        for start in range(0, len(puts), _ITEMS_A_CALL):
            await self._put_chunk(puts[start : start + _ITEMS_A_CALL])

    async def put_new(self, items: Mapping[Key, Item]) -> set[Key]:
        """BatchExecuteStatement, 25 items a call: a write unit a KB, refused or not."""
        keys, existing = list(items), set[Key]()
        for start in range(0, len(keys), _ITEMS_A_CALL):
            chunk = keys[start : start + _ITEMS_A_CALL]
            existing |= await self._put_new_chunk({key: items[key] for key in chunk})
        return existing

    async def _put_new_chunk(self, items: Mapping[Key, Item]) -> set[Key]:
        """PartiQL, because no other batch of DynamoDB's takes conditions without a transaction."""
        statements = [
            {
                "Statement": _insert_statement(self._name, key.sk, tuple(item)),
                "Parameters": [{"S": key.pk}, *map(attribute_of, item.values())],
            }
            for key, item in items.items()
        ]
        try:
            response = await self._client.call("BatchExecuteStatement", {"Statements": statements})
        except CallFailedError as error:
            raise _unavailable("BatchExecuteStatement", error.code) from None
        codes = [one.get("Error", {}).get("Code") for one in response["Responses"]]
        failed = {code for code in codes if code not in (None, _DUPLICATE)}
        if failed:
            raise _unavailable("BatchExecuteStatement", min(failed))
        return {key for key, code in zip(items, codes, strict=True) if code == _DUPLICATE}

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    async def _put_chunk(self, unprocessed: Sequence[Any]) -> None:
        for _ in range(_BATCH_ATTEMPTS):
            try:
                response = await self._client.call(
                    "BatchWriteItem", {"RequestItems": {self._name: unprocessed}}
                )
            except CallFailedError as error:
                raise _unavailable("BatchWriteItem", error.code) from None
            unprocessed = response.get("UnprocessedItems", {}).get(self._name, [])
            if not unprocessed:
                return
            await self._client.pause()
        raise _unavailable("BatchWriteItem", "Unprocessed")


@lru_cache(maxsize=64)
def _insert_statement(table: str, sk: str, names: tuple[str, ...]) -> str:
    """Partition key and attribute values are parameters; the relay's own names are literals."""
    fields = "".join(f", '{name}': ?" for name in names)
    return f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'sk': '{sk}'{fields}}}"


def _unavailable(operation: str, code: str) -> TableUnavailableError:
    telemetry.aws_failed(operation, [code])
    return TableUnavailableError(f"DynamoDB failed: {code}")
