"""One contract, two tables of the event loop: DynamoDB's protocol as moto speaks it, and memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import pytest
import pytest_asyncio
import trustme

from relay import composition
from relay.aws.async_table import DynamoAsyncTable, DynamoClient
from relay.aws.sigv4 import Credentials
from relay.aws.table import AsyncTable, Condition, DynamoTable, Item, Key, StoredItem, Table
from relay.errors import ConfigurationError, TableUnavailableError
from relay.http1.pool import Pool
from relay.stores.deliveries import Claim, Deliveries, delivery_key
from tests.memory_table import MemoryAsyncTable, MemoryTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = Key("a" * 64, "delivery")
ITEM: Item = {"content": "b" * 64, "taken_until": 1_772_452_800_000}
Both = tuple[AsyncTable, Table]


def no_tls() -> Any:
    raise AssertionError("no TLS is spoken here")


MakeCalls = Callable[..., DynamoClient]


@pytest_asyncio.fixture
async def calls_to() -> AsyncIterator[MakeCalls]:
    """Makes calls to an address as the composition does; their connections end with the test."""
    pools = []

    def make(url: str, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> DynamoClient:
        pools.append(Pool(10, 1, 2, no_tls))
        key = Credentials("testing", "testing", None, "us-east-1", "dynamodb")
        return DynamoClient(pools[-1], url, lambda: key, pause=pause)

    yield make
    for pool in pools:
        pool.close()
    await asyncio.sleep(0)


@pytest.fixture(params=["memory", "moto"])
def both(request: pytest.FixtureRequest, calls_to: MakeCalls) -> Iterator[Both]:
    """The table on the event loop, and the same one for looking at it."""
    if request.param == "moto":
        name = request.getfixturevalue("make_table")()
        table = DynamoTable(request.getfixturevalue("dynamodb"), name)
        yield DynamoAsyncTable(calls_to(request.getfixturevalue("moto_url")), name), table
    else:
        memory = MemoryTable()
        yield MemoryAsyncTable(memory), memory
        memory.close()


async def found(table: Table, *keys: Key) -> Mapping[Key, StoredItem]:
    return await asyncio.to_thread(table.get, keys)


async def test_put_writes_and_replaces(both: Both) -> None:
    loop, table = both

    assert await loop.put(KEY, ITEM) is None
    assert await loop.put(KEY, {"text": "ü'\"?\U0001f600", "at": -1}) is None

    assert await found(table, KEY) == {KEY: {"text": "ü'\"?\U0001f600", "at": -1}}


@pytest.mark.parametrize(("bound", "written"), [(4, False), (5, True), (6, True)])
async def test_put_within_a_bound_writes_or_gives_what_is_in_the_way(
    both: Both, bound: int, *, written: bool
) -> None:
    loop, table = both
    await loop.put(KEY, {"at": 5})

    there = await loop.put(KEY, {"at": 9}, Condition("at", bound))

    assert there == (None if written else {"at": 5})
    assert await found(table, KEY) == {KEY: {"at": 9 if written else 5}}


async def test_put_new_writes_what_is_not_there_and_names_the_others(both: Both) -> None:
    loop, table = both
    await loop.put(KEY, {"at": 1, "by": "first"})
    other = Key("c" * 64, "delivery")

    assert await loop.put_new({KEY: {"at": 2, "by": "2"}, other: {"at": 3, "by": "3"}}) == {KEY}

    assert await found(table, KEY, other) == {
        KEY: {"at": 1, "by": "first"},
        other: {"at": 3, "by": "3"},
    }


async def test_put_new_and_put_all_take_more_than_fit_into_a_call(both: Both) -> None:
    loop, table = both
    keys = [Key(f"{number}", "delivery") for number in range(60)]

    assert await loop.put_new({key: {"at": 1} for key in keys[:30]}) == set()
    assert await loop.put_new({key: {"at": 2} for key in keys}) == set(keys[:30])
    await loop.put_all({key: {"at": 3} for key in keys[50:]})

    items = await found(table, *keys)
    assert [items[key]["at"] for key in keys] == [1] * 30 + [2] * 20 + [3] * 10


@pytest.mark.parametrize(("bound", "left"), [(4, True), (5, False)])
async def test_delete_within_a_bound(both: Both, bound: int, *, left: bool) -> None:
    loop, table = both
    await loop.put(KEY, {"at": 5})

    await loop.delete(KEY, Condition("at", bound))

    assert (KEY in await found(table, KEY)) is left


async def test_delete_of_nothing_is_fine(both: Both) -> None:
    loop, table = both

    await loop.delete(KEY, Condition("at", 5))

    assert await found(table, KEY) == {}


async def test_claim_of_many_processes_at_once_is_won_by_one(both: Both) -> None:
    keys = [delivery_key("stripe-main", f"in_{number}") for number in range(10)]
    processes = [Deliveries(both[0], keep_days=35) for _ in range(8)]

    claims = {
        key: await asyncio.gather(*(one.claim(key, "digest", seconds=60) for one in processes))
        for key in keys
    }

    assert [found.count(Claim.CLAIMED) for found in claims.values()] == [1] * 10
    assert {claim for found in claims.values() for claim in found} == {Claim.CLAIMED, Claim.BUSY}


async def test_delivery_is_known_to_other_processes(both: Both) -> None:
    ours, theirs = (Deliveries(both[0], keep_days=35) for _ in range(2))
    keys = [delivery_key("shop", f"order-{number}") for number in range(40)]
    await asyncio.gather(*(ours.claim(key, "digest", 60) for key in keys))
    await asyncio.gather(*(ours.remember(key, "digest") for key in keys[:20]))
    await asyncio.gather(*(ours.release(key) for key in keys[20:]))

    claims = await asyncio.gather(*(theirs.claim(key, "digest", 60) for key in keys))

    assert claims == [Claim.DUPLICATE] * 20 + [Claim.CLAIMED] * 20


async def test_composition_reaches_the_table_as_boto3_would(
    moto_url: str,
    make_table: Callable[[], str],
    dynamodb: "DynamoDBClient",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    name = make_table()

    table = composition._async_table(name, 5)  # noqa: SLF001 - it is what is tried
    await table.put(KEY, ITEM)
    table.close()
    await asyncio.sleep(0)

    assert await found(DynamoTable(dynamodb, name), KEY) == {KEY: ITEM}


def test_composition_trusts_the_authorities_that_boto3_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    public = composition._make_tls().cert_store_stats()["x509_ca"]  # noqa: SLF001 - likewise
    own = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(own))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(own))

    assert public > 100
    assert composition._make_tls().cert_store_stats()["x509_ca"] == 1  # noqa: SLF001 - likewise


def test_composition_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    with pytest.raises(ConfigurationError, match="AWS credentials"):
        composition._async_table("t", 5)  # noqa: SLF001 - likewise


# Failures, as DynamoDB tells them


class Answers(BaseHTTPRequestHandler):
    """Gives the answers it was told to, one after the other, and then the last again."""

    protocol_version = "HTTP/1.1"
    told: ClassVar[list[tuple[int, bytes]]] = []
    heard: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.heard.append(self.headers["x-amz-target"])
        status, body = self.told[0] if len(self.told) == 1 else self.told.pop(0)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def scripted(calls_to: MakeCalls) -> Iterator[Callable[..., DynamoAsyncTable]]:
    """A table whose DynamoDB gives these answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()

    async def at_once(_: float) -> None:
        return

    def script(*told: tuple[int, bytes]) -> DynamoAsyncTable:
        Answers.told = list(told)
        Answers.heard = []
        return DynamoAsyncTable(calls_to(f"http://127.0.0.1:{server.server_port}", at_once), "t")

    yield script
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(code: str) -> bytes:
    return b'{"__type": "com.amazonaws.dynamodb.v20120810#%s"}' % code.encode()


OK = (200, b"{}")
THROTTLED = (400, refusal("ThrottlingException"))
DENIED = (400, refusal("AccessDeniedException"))


@pytest.mark.parametrize("first", [THROTTLED, (500, b"oh"), (503, b"")])
async def test_put_that_fails_for_a_moment_is_tried_again(
    scripted: Callable[..., DynamoAsyncTable], first: tuple[int, bytes]
) -> None:
    table = scripted(first, OK)

    assert await table.put(KEY, ITEM) is None

    assert Answers.heard == ["DynamoDB_20120810.PutItem"] * 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (THROTTLED, "ThrottlingException"),
        (DENIED, "AccessDeniedException"),
        ((500, b"[]"), "InternalServerError"),
        ((418, b"\xff"), "Status418"),
    ],
)
async def test_table_that_fails_is_unavailable_by_awss_code(
    scripted: Callable[..., DynamoAsyncTable], answer: tuple[int, bytes], code: str
) -> None:
    table = scripted(answer)
    expected = pytest.raises(TableUnavailableError, match=f"^DynamoDB failed: {code}$")

    with expected:
        await table.put(KEY, ITEM)
    with expected:
        await table.delete(KEY, Condition("at", 1))
    with expected:
        await table.put_all({KEY: ITEM})
    with expected:
        await table.put_new({KEY: ITEM})


async def test_table_that_nobody_answers_for_is_unavailable(calls_to: MakeCalls) -> None:
    """Nothing listens on the discard port of this machine."""
    table = DynamoAsyncTable(calls_to("http://127.0.0.1:9"), "t")

    with pytest.raises(TableUnavailableError, match="ServiceUnavailable"):
        await table.put(KEY, ITEM)


async def test_put_all_sends_again_what_was_left_undone(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    left = b'{"UnprocessedItems": {"t": [{"PutRequest": {"Item": {"pk": {"S": "x"}}}}]}}'
    table = scripted((200, left), OK)

    await table.put_all({KEY: ITEM})

    assert Answers.heard == ["DynamoDB_20120810.BatchWriteItem"] * 2


async def test_put_all_that_stays_undone_is_unavailable(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    left = b'{"UnprocessedItems": {"t": [{"PutRequest": {"Item": {"pk": {"S": "x"}}}}]}}'
    table = scripted((200, left))

    with pytest.raises(TableUnavailableError, match="Unprocessed"):
        await table.put_all({KEY: ITEM})


async def test_put_new_of_which_one_failed_otherwise_is_unavailable(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    """An item that may not be there must not be taken for written."""
    failed = b'{"Responses": [{"TableName": "t"}, {"Error": {"Code": "ThrottlingError"}}]}'
    table = scripted((200, failed))

    with pytest.raises(TableUnavailableError, match="ThrottlingError"):
        await table.put_new({KEY: ITEM, Key("z", "delivery"): ITEM})
