"""DynamoDB on the event loop, for the two writes that each event with money needs.

boto3 needs a thread and 600 µs or more for each call, five times the cost of the rest of an event.
This module uses the same protocol over the relay's keep-alive connections, at a twentieth of that
cost. Calls that are not made for each event use boto3 (`table`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from relay import telemetry
from relay.aws.busy import Pause, repeat_while_busy
from relay.aws.sigv4 import signed_headers
from relay.aws.table import (
    Condition,
    Found,
    Item,
    Key,
    PutResult,
    StoredItem,
    Written,
    attribute_of,
    item_of,
    key_of,
    record_of,
)
from relay.aws.timeouts import ATTEMPTS, LONGEST_PAUSE_SECONDS
from relay.errors import TableBusyError, TableUnavailableError
from relay.exact_json import InvalidJsonError, dumps, loads
from relay.http1.errors import ExchangeError
from relay.http1.pool import Origin, Pool
from relay.http1.response_parser import ResponseParser

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

_VERSION: Final = "DynamoDB_20120810"
_ITEMS_A_CALL: Final = 25

_DUPLICATE: Final = "DuplicateItem"
_UNPROCESSED: Final = "Unprocessed"
_INCOMPLETE: Final = "IncompleteResponse"
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_THROTTLED: Final = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
"""Codes of a whole call, a single write or a batch. DynamoDB also gives them when it throttles all
writes of a batch. Nothing was written."""
_TRANSIENT: Final = frozenset({_INCOMPLETE, "InternalServerError", "ServiceUnavailable"})
_BUSY: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
        _UNPROCESSED,
    }
)
"""Codes of single writes, of which the same write may succeed a moment later."""


class CallFailedError(Exception):
    """DynamoDB refused a call; `code` is AWS's code, `content` the whole response."""

    def __init__(self, code: str, content: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.content = content


class DynamoClient:
    """Calls operations of DynamoDB, signed. Retries once after a transient error.

    Throttling is none: it is answered with the writes that it concerns (`busy`).

    `credentials` is called for each request, because credentials may be renewed.
    """

    def __init__(
        self,
        pool: Pool,
        endpoint: str,
        region: str,
        credentials: "Callable[[], ReadOnlyCredentials]",
        pause: Pause = asyncio.sleep,
    ) -> None:
        address = urlsplit(endpoint)
        encrypted = address.scheme == "https"
        port = address.port or (443 if encrypted else 80)
        self._origin = Origin(address.hostname or "", port, encrypted)
        self._host = address.netloc
        self._url = f"{address.scheme}://{address.netloc}/"
        self._pool = pool
        self._region = region
        self._credentials = credentials
        self._pause = pause

    async def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The response to one call; raises `CallFailedError`.

        The relay sets these codes itself: `ServiceUnavailable` without a response,
        `IncompleteResponse` for one that was cut off, `InternalServerError` for every 5xx,
        `Status<status>` for a response without a code.
        """
        body = dumps(request)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._call_once(operation, body)
            except CallFailedError as error:
                if error.code not in _TRANSIENT or attempt == ATTEMPTS:
                    raise
            await self._pause(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311 - no secret
        raise AssertionError("not reached")  # pragma: no cover

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()

    async def _call_once(self, operation: str, body: bytes) -> Mapping[str, Any]:
        try:
            response = await self._pool.exchange(self._origin, self._message(operation, body))
        except ExchangeError as error:
            name = type(error).__name__
            raise CallFailedError("ServiceUnavailable", {"message": name}) from None
        content = _content(response)
        if response.status == HTTPStatus.OK and content is not None:
            return content
        raise CallFailedError(_code(content, response), content or {})

    def _message(self, operation: str, body: bytes) -> bytes:
        headers = signed_headers(
            self._credentials(), self._region, self._url, f"{_VERSION}.{operation}", body
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = (
            f"POST / HTTP/1.1\r\nhost: {self._host}\r\n{lines}"
            f"content-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _content(response: ResponseParser) -> Mapping[str, Any] | None:
    """The JSON object of a response; None if it is cut off or is none."""
    if not response.complete:
        return None
    try:
        content = loads(response.body)
    except InvalidJsonError:
        return None
    return content if isinstance(content, dict) else None


def _code(content: Mapping[str, Any] | None, response: ResponseParser) -> str:
    """AWS's code, from a type such as `com.amazonaws.dynamodb.v20120810#ThrottlingException`."""
    status = response.status or 0
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "InternalServerError"
    if not response.complete or status == HTTPStatus.OK:
        return _INCOMPLETE
    return str((content or {}).get("__type", "")).rpartition("#")[2] or f"Status{status}"


class DynamoAsyncTable:
    """`table.AsyncTable`, in DynamoDB.

    A single write that is throttled is repeated here, one of a batch by whoever gathered the batch
    (`stores/batcher`), both by `repeat_while_busy`.
    """

    def __init__(self, calls: DynamoClient, name: str, pause: Pause = asyncio.sleep) -> None:
        self._client = calls
        self._name = name
        self._pause = pause

    async def get_all(self, keys: Collection[Key]) -> Found:
        """BatchGetItem: a read unit for 4 KB, also of an absent item."""
        wanted = {"Keys": [record_of(key) for key in keys], "ConsistentRead": True}
        try:
            response = await self._client.call(
                "BatchGetItem", {"RequestItems": {self._name: wanted}}
            )
        except CallFailedError as error:
            return Found({}, _failures("BatchGetItem", dict.fromkeys(keys, error.code), _THROTTLED))
        items = dict(map(item_of, response.get("Responses", {}).get(self._name, ())))
        unread = response.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", ())
        codes = dict.fromkeys(map(key_of, unread), _UNPROCESSED)
        return Found(items, _failures("BatchGetItem", codes, _BUSY))

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        """PutItem: a write unit a KB, refused or not. The item before costs nothing."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "Item": record_of(key, item),
            "ReturnValues": "ALL_OLD",
        }
        if only_if is not None:
            request |= only_if.as_condition()
        return await repeat_while_busy(lambda: self._put(request), self._pause)

    async def delete(self, key: Key, only_if: Condition) -> None:
        """DeleteItem: a write unit a KB, refused or not."""
        request = {"TableName": self._name, "Key": record_of(key), **only_if.as_condition()}
        await repeat_while_busy(lambda: self._delete(request), self._pause)

    async def put_all(self, items: Mapping[Key, Item]) -> Written:
        """BatchWriteItem, 25 items a call: a write unit a KB."""
        return await _in_chunks(items, self._put_chunk)

    async def put_new(self, items: Mapping[Key, Item]) -> Written:
        """BatchExecuteStatement, 25 items a call: a write unit a KB, refused or not."""
        return await _in_chunks(items, self._put_new_chunk)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    async def _put(self, request: Mapping[str, Any]) -> PutResult:
        try:
            response = await self._client.call("PutItem", request)
        except CallFailedError as error:
            if error.code == _CONDITION_FAILED:
                return PutResult(written=False, before=_before(error.content.get("Item")))
            raise _unavailable("PutItem", error.code) from None
        return PutResult(written=True, before=_before(response.get("Attributes")))

    async def _delete(self, request: Mapping[str, Any]) -> None:
        try:
            await self._client.call("DeleteItem", request)
        except CallFailedError as error:
            if error.code != _CONDITION_FAILED:
                raise _unavailable("DeleteItem", error.code) from None

    async def _put_chunk(self, items: Mapping[Key, Item]) -> Written:
        puts = [{"PutRequest": {"Item": record_of(*one)}} for one in items.items()]
        request = {"RequestItems": {self._name: puts}}
        try:
            response = await self._client.call("BatchWriteItem", request)
        except CallFailedError as error:
            return _all_failed("BatchWriteItem", items, error.code)
        unprocessed = response.get("UnprocessedItems", {}).get(self._name, ())
        keys = (key_of(one["PutRequest"]["Item"]) for one in unprocessed)
        return Written(set(), _failures("BatchWriteItem", dict.fromkeys(keys, _UNPROCESSED), _BUSY))

    async def _put_new_chunk(self, items: Mapping[Key, Item]) -> Written:
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
            return _all_failed("BatchExecuteStatement", items, error.code)
        results = response.get("Responses", ())
        if len(results) != len(items):
            return _all_failed("BatchExecuteStatement", items, _INCOMPLETE)
        return _of_statements(dict(zip(items, results, strict=True)))


def _before(record: Mapping[str, Any] | None) -> StoredItem | None:
    """The item before a write, as a response has it; None if it has none."""
    return item_of(record)[1] if record else None


async def _in_chunks(
    items: Mapping[Key, Item], write: Callable[[Mapping[Key, Item]], Awaitable[Written]]
) -> Written:
    """Writes as many items a call as DynamoDB takes."""
    if len(items) <= _ITEMS_A_CALL:
        return await write(items)
    existing, failed, keys = set[Key](), dict[Key, TableUnavailableError](), list(items)
    for start in range(0, len(keys), _ITEMS_A_CALL):
        written = await write({key: items[key] for key in keys[start : start + _ITEMS_A_CALL]})
        existing |= written.existing
        failed |= written.failed
    return Written(existing, failed)


@lru_cache(maxsize=64)
def _insert_statement(table: str, sk: str, names: tuple[str, ...]) -> str:
    """Partition key and attribute values are parameters; the relay's own names are literals."""
    fields = "".join(f", '{name}': ?" for name in names)
    return f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'sk': '{sk}'{fields}}}"


def _of_statements(results: Mapping[Key, Mapping[str, Any]]) -> Written:
    """What became of the statements of a BatchExecuteStatement, each by its own result."""
    errors = {key: result["Error"] for key, result in results.items() if "Error" in result}
    codes = {key: error.get("Code", "Unknown") for key, error in errors.items()}
    existing = {key for key, code in codes.items() if code == _DUPLICATE}
    failed = {key: code for key, code in codes.items() if code != _DUPLICATE}
    return Written(existing, _failures("BatchExecuteStatement", failed, _BUSY))


def _all_failed(operation: str, keys: Iterable[Key], code: str) -> Written:
    """A whole call failed, with this code."""
    return Written(set(), _failures(operation, dict.fromkeys(keys, code), _THROTTLED))


def _failures(
    operation: str, codes: Mapping[Key, str], busy: frozenset[str]
) -> dict[Key, TableUnavailableError]:
    """An error for each write that failed; logs them in one line."""
    if codes:
        telemetry.aws_failed(operation, codes.values())
    return {key: _error(code, is_busy=code in busy) for key, code in codes.items()}


def _unavailable(operation: str, code: str) -> TableUnavailableError:
    telemetry.aws_failed(operation, [code])
    return _error(code, is_busy=code in _THROTTLED)


def _error(code: str, *, is_busy: bool) -> TableUnavailableError:
    kind = TableBusyError if is_busy else TableUnavailableError
    return kind(f"DynamoDB failed: {code}")
