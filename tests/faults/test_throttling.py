"""DynamoDB throttles single writes of its batches: each fails for itself, and is soon repeated."""

import asyncio
import json
import math
import random
from collections.abc import Mapping
from typing import Any, cast

import pytest

from relay.aws.async_table import CallFailedError, DynamoAsyncTable, DynamoClient
from relay.aws.table import Condition, Item, Key, item_of, record_of
from relay.domain.kinds import Surface
from relay_sandbox.local_aws.memory_table import MemoryTable
from relay_sandbox.stand_in import Account
from tests.faults.conftest import Saw, Scale
from tests.faults.fleet import Fleet
from tests.faults.in_process import AppsFlyer, Entries
from tests.faults.ledger import make_order
from tests.faults.listening import listening
from tests.faults.virtual_time import run
from tests.support.builders import MOBILE_APP
from tests.support.fakes import FakeClock

CALL_SECONDS = 0.006
SECONDS = 3.0
"""What "within seconds" is held to."""
EVENTS = 10
"""Times `scale.events`."""


class ThrottlingDynamo(DynamoClient):
    """DynamoDB's protocol over a table in memory; each write is throttled by this chance.

    A batch of which every item is throttled is refused as a whole, and so is a single write.
    """

    def __init__(self, table: MemoryTable, part: float, chance: random.Random) -> None:
        self._table = table
        self._part = part
        self._chance = chance
        self._pause = asyncio.sleep

    async def _call_once(self, operation: str, body: bytes) -> Mapping[str, Any]:
        await asyncio.sleep(CALL_SECONDS)
        request = json.loads(body)
        match operation:
            case "BatchExecuteStatement":
                return {"Responses": [self._insert(one) for one in request["Statements"]]}
            case "BatchWriteItem":
                return self._write(request["RequestItems"])
            case "PutItem":
                return self._put(request)
            case _:
                return self._delete(request)

    def _throttles(self) -> bool:
        return self._chance.random() < self._part

    def _insert(self, statement: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._throttles():
            return {"Error": {"Code": "ThrottlingError"}}
        names = [part.split("'")[1] for part in statement["Statement"].split(", ")]
        values = dict(zip(["pk", *names[2:]], statement["Parameters"], strict=True))
        key, item = written_by({**values, "sk": {"S": "delivery"}})
        there = self._table.put(key, item, Condition("never", 0))
        return {"Error": {"Code": "DuplicateItem"}} if there else {"TableName": "deliveries"}

    def _write(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        [(table, puts)] = request.items()
        unprocessed = [put for put in puts if self._throttles()]
        if len(unprocessed) == len(puts):
            raise CallFailedError("ProvisionedThroughputExceededException", {})
        for put in puts:
            if put not in unprocessed:
                self._table.put(*written_by(put["PutRequest"]["Item"]))
        return {"UnprocessedItems": {table: unprocessed} if unprocessed else {}}

    def _put(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._throttles():
            raise CallFailedError("ThrottlingException", {})
        key, item = written_by(request["Item"])
        written, before = self._table.replace(key, item, bound_of(request))
        record = None if before is None else record_of(key, cast("Item", before))
        if not written:
            raise CallFailedError("ConditionalCheckFailedException", {"Item": record})
        return {} if record is None else {"Attributes": record}

    def _delete(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._throttles():
            raise CallFailedError("ThrottlingException", {})
        self._table.delete_if(Key(request["Key"]["pk"]["S"], "delivery"), bound_of(request))
        return {}


def written_by(record: Mapping[str, Any]) -> tuple[Key, Item]:
    """What the relay writes."""
    key, item = item_of(record)
    return key, cast("Item", item)


def bound_of(request: Mapping[str, Any]) -> Condition:
    value = request["ExpressionAttributeValues"][":value"]["N"]
    return Condition("taken_until", int(value))


class Throttled:
    """A fleet whose deliveries are throttled, and orders for it."""

    def __init__(self, part: float, events: int) -> None:
        self.clock, self.entries = FakeClock(), Entries()
        account = Account.model_validate({"app_id": MOBILE_APP, "kind": "mobile", "tokens": ("t",)})
        appsflyer = AppsFlyer([account], self.clock, self.entries)
        self.fleet = Fleet(appsflyer, self.clock, batch_size=100, requests_in_flight=50)
        self.fleet.add_app(MOBILE_APP, "t")
        chance = random.Random(1)  # noqa: S311 - which writes are throttled, no secret
        self.fleet.async_table = lambda table: DynamoAsyncTable(
            ThrottlingDynamo(table, part, chance), "deliveries"
        )
        self.fleet.put(make_order(Surface.MOBILE, f"order-{n}") for n in range(events))

    def run(self) -> list[float]:
        """Seconds until each event was recorded, the longest last."""
        start = self.clock.now
        run(self.clock, self._drain())
        return sorted((one.at - start).total_seconds() for one in self.entries.recorded())

    async def _drain(self) -> None:
        async with self.fleet.at_work():
            await self.fleet.drained()


def p99(waits: list[float]) -> float:
    return waits[int(0.99 * (len(waits) - 1))]


@pytest.mark.parametrize("part", [0.05, 0.2])
def test_throttling_in_part_adds_seconds_and_uses_up_no_attempt(
    part: float, scale: Scale, saw: Saw
) -> None:
    """Of a hundred batches of 25 at 5 %, 72 have a write that is throttled."""
    events = EVENTS * scale.events
    with listening() as heard:
        calm = Throttled(0, events).run()
        assert heard.counted["Deferred"] == 0
        throttled = Throttled(part, events)
        waits = throttled.run()

    assert len(calm) == len(waits) == events
    assert p99(waits) - p99(calm) < SECONDS
    # Only a write that was throttled five times in a row fails, and its event alone: of two writes
    # an event so many on average, and hardly ever four standard deviations more.
    expected = 2 * events * part**5
    assert heard.counted["Deferred"] <= expected + 4 * math.sqrt(expected) + 1
    assert throttled.fleet.letters() == []
    assert heard.unexpected == []
    added = round(p99(waits) - p99(calm), 2)
    saw(events=events, throttled_percent=round(100 * part), added_seconds_p99=added)
