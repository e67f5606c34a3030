"""Throttling is answered in one way, whichever write it hits: alone or in a batch."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import chain, repeat
from typing import Any, Final

from relay.aws.async_table import CallFailedError, DynamoAsyncTable, DynamoClient
from relay.aws.table import KEYS_A_READ, Condition, Item, Key
from relay.aws.timeouts import ATTEMPTS, CONNECT_SECONDS, LONGEST_CALL_SECONDS, READ_SECONDS
from relay.errors import TableBusyError, TableUnavailableError
from relay.stores.batcher import Batcher
from relay.stores.write_batcher import WriteBatcher
from tests.faults.virtual_time import run
from tests.support.builders import NOW
from tests.support.every import every
from tests.support.fakes import FakeClock

KEY = Key("a" * 64, "delivery")
ITEM: Item = {"at": 1}
SLOWEST: Final = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS)

Call = Callable[[DynamoAsyncTable], Awaitable[object]]


async def look_up(
    table: DynamoAsyncTable, keys: Collection[Key]
) -> dict[Key, object | TableUnavailableError]:
    found = await table.get_all(keys)
    return {key: found.failed.get(key) or found.items.get(key) for key in keys}


CALLS: Final[dict[str, Call]] = {
    "PutItem": lambda table: table.put(KEY, ITEM),
    "PutItem with a condition": lambda table: table.put(KEY, ITEM, Condition("at", 1)),
    "BatchGetItem": lambda table: Batcher(partial(look_up, table), KEYS_A_READ).ask(KEY, None),
    "DeleteItem": lambda table: table.delete(KEY, Condition("at", 1)),
    "BatchExecuteStatement": lambda table: WriteBatcher(table.put_new).put(KEY, ITEM),
    "BatchWriteItem": lambda table: WriteBatcher(table.put_all).put(KEY, ITEM),
}
every_call = every("write", CALLS.values(), ids=CALLS)


class BusyDynamo(DynamoClient):
    """DynamoDB that refuses calls with these codes, one after the other; then it does them."""

    def __init__(self, codes: Iterator[str], seconds: Iterator[float] | None = None) -> None:
        self.calls: list[str] = []
        self._codes = codes
        self._seconds = seconds or repeat(0.006)
        self._pause = asyncio.sleep

    async def _call_once(self, operation: str, body: bytes) -> Mapping[str, Any]:
        self.calls.append(operation)
        await asyncio.sleep(next(self._seconds))
        code = next(self._codes, None)
        if code is not None:
            raise CallFailedError(code, {})
        if operation != "BatchExecuteStatement":
            return {}
        return {"Responses": [{} for _ in json.loads(body)["Statements"]]}


def outcome_of(write: Call, dynamo: DynamoClient, clock: FakeClock) -> object:
    """What a write gives or raises, in virtual time."""
    table = DynamoAsyncTable(dynamo, "deliveries")

    async def writing() -> object:
        [outcome] = await asyncio.gather(write(table), return_exceptions=True)
        return outcome

    return run(clock, writing())


@every_call
@every(
    "code",
    ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"],
)
def test_write_that_is_throttled_four_times_is_written_by_the_fifth(write: Call, code: str) -> None:
    dynamo = BusyDynamo(iter([code] * 4))

    outcome = outcome_of(write, dynamo, FakeClock())

    assert not isinstance(outcome, BaseException)
    assert len(dynamo.calls) == 5


@every_call
def test_write_that_stays_throttled_fails_within_the_time_of_a_call(write: Call) -> None:
    dynamo, clock = BusyDynamo(repeat("ThrottlingException")), FakeClock()

    assert isinstance(outcome_of(write, dynamo, clock), TableBusyError)

    assert len(dynamo.calls) == 5
    assert (clock.now - NOW).total_seconds() < 1


@every_call
def test_write_that_is_throttled_slowly_ends_as_early_as_a_call_must(write: Call) -> None:
    """A retry is begun only if it ends in time, though it takes as long as a call can take."""
    seconds = chain([0.4, 0.3], repeat(SLOWEST))
    dynamo, clock = BusyDynamo(repeat("ThrottlingException"), seconds), FakeClock()

    assert isinstance(outcome_of(write, dynamo, clock), TableBusyError)

    assert (clock.now - NOW).total_seconds() <= LONGEST_CALL_SECONDS
    assert len(dynamo.calls) > 1


@every_call
@every("code, calls", [("InternalServerError", ATTEMPTS), ("AccessDeniedException", 1)])
def test_write_that_fails_otherwise_is_not_repeated_as_if_it_were_throttled(
    write: Call, code: str, calls: int
) -> None:
    dynamo = BusyDynamo(repeat(code))

    outcome = outcome_of(write, dynamo, FakeClock())

    assert isinstance(outcome, TableUnavailableError)
    assert not isinstance(outcome, TableBusyError)
    assert len(dynamo.calls) == calls
