"""One contract, two tables of the event loop: DynamoDB's protocol as moto speaks it, and memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import botocore.session
import pytest
import pytest_asyncio
import trustme
from botocore.credentials import ReadOnlyCredentials
from botocore.model import StringShape

from relay import composition
from relay.aws.async_table import DynamoAsyncTable, DynamoClient
from relay.aws.table import (
    AsyncTable,
    Condition,
    DynamoTable,
    Found,
    Item,
    Key,
    StoredItem,
    Table,
    Written,
    record_of,
)
from relay.errors import ConfigurationError, TableBusyError, TableUnavailableError
from relay.http1.pool import Pool
from relay.stores.deliveries import Claim, Deliveries, delivery_key
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable

POLL_SECONDS = 0.01
"""How soon a server notices that it shall end; half a second if nothing is said."""

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
        key = ReadOnlyCredentials("testing", "testing", None)
        return DynamoClient(pools[-1], url, "us-east-1", lambda: key, pause=pause)

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


async def test_get_all_reads_the_items_that_are_there(both: Both) -> None:
    loop, _ = both
    await loop.put(KEY, ITEM)

    assert await loop.get_all([KEY, Key("c" * 64, "delivery")]) == Found({KEY: ITEM}, {})


async def test_put_writes_and_replaces(both: Both) -> None:
    loop, table = both

    assert await loop.put(KEY, ITEM) == (True, None)
    assert await loop.put(KEY, {"text": "ü'\"?\U0001f600", "at": -1}) == (True, ITEM)

    assert await found(table, KEY) == {KEY: {"text": "ü'\"?\U0001f600", "at": -1}}


@pytest.mark.parametrize(("bound", "written"), [(4, False), (5, True), (6, True)])
async def test_put_within_a_bound_writes_or_gives_what_is_in_the_way(
    both: Both, bound: int, *, written: bool
) -> None:
    loop, table = both
    await loop.put(KEY, {"at": 5})

    result = await loop.put(KEY, {"at": 9}, Condition("at", bound))

    assert result == (written, {"at": 5})
    assert await found(table, KEY) == {KEY: {"at": 9 if written else 5}}


async def test_put_new_writes_what_is_not_there_and_names_the_others(both: Both) -> None:
    loop, table = both
    await loop.put(KEY, {"at": 1, "by": "first"})
    other = Key("c" * 64, "delivery")

    written = await loop.put_new({KEY: {"at": 2, "by": "2"}, other: {"at": 3, "by": "3"}})

    assert written == ({KEY}, {})

    assert await found(table, KEY, other) == {
        KEY: {"at": 1, "by": "first"},
        other: {"at": 3, "by": "3"},
    }


async def test_put_new_and_put_all_take_more_than_fit_into_a_call(both: Both) -> None:
    loop, table = both
    keys = [Key(f"{number}", "delivery") for number in range(60)]

    assert await loop.put_new({key: {"at": 1} for key in keys[:30]}) == (set(), {})
    assert await loop.put_new({key: {"at": 2} for key in keys}) == (set(keys[:30]), {})
    assert await loop.put_all({key: {"at": 3} for key in keys[20:]}) == (set(), {})

    items = await found(table, *keys)
    assert [items[key]["at"] for key in keys] == [1] * 20 + [3] * 40


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


Answer = tuple[int, bytes] | tuple[int, bytes, int]
"""Status and body, and how long it says that the body is, if that is not so."""


class Answers(BaseHTTPRequestHandler):
    """Gives the answers it was told to, one after the other, and then the last again."""

    protocol_version = "HTTP/1.1"
    told: ClassVar[list[Answer]] = []
    heard: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.heard.append(self.headers["x-amz-target"])
        status, body, *length = self.told[0] if len(self.told) == 1 else self.told.pop(0)
        self.send_response(status)
        self.send_header("content-length", str(*length or (len(body),)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(length)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def scripted(calls_to: MakeCalls) -> Iterator[Callable[..., DynamoAsyncTable]]:
    """A table whose DynamoDB gives these answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()

    async def at_once(_: float) -> None:
        return

    def script(*told: Answer) -> DynamoAsyncTable:
        Answers.told = list(told)
        Answers.heard = []
        calls = calls_to(f"http://127.0.0.1:{server.server_port}", at_once)
        return DynamoAsyncTable(calls, "deliveries", at_once)

    yield script
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(code: str) -> bytes:
    return b'{"__type": "com.amazonaws.dynamodb.v20120810#%s"}' % code.encode()


OK = (200, b"{}")
THROTTLED = (400, refusal("ThrottlingException"))
DENIED = (400, refusal("AccessDeniedException"))
THROTTLES = [
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
]


@pytest.mark.parametrize("first", [THROTTLED, (500, b"oh"), (503, b"")])
async def test_put_that_fails_for_a_moment_is_tried_again(
    scripted: Callable[..., DynamoAsyncTable], first: tuple[int, bytes]
) -> None:
    table = scripted(first, OK)

    assert await table.put(KEY, ITEM) == (True, None)

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
        raise (await table.get_all([KEY])).failed[KEY]
    with expected:
        await table.put(KEY, ITEM)
    with expected:
        await table.delete(KEY, Condition("at", 1))
    for written in (await table.put_all({KEY: ITEM}), await table.put_new({KEY: ITEM})):
        with expected:
            raise written.failed[KEY]


async def test_table_that_nobody_answers_for_is_unavailable(calls_to: MakeCalls) -> None:
    """Nothing listens on the discard port of this machine."""
    table = DynamoAsyncTable(calls_to("http://127.0.0.1:9"), "deliveries")

    with pytest.raises(TableUnavailableError, match="ServiceUnavailable"):
        await table.put(KEY, ITEM)


# Batches that fail in part


KEYS = [Key(name, "delivery") for name in "abcd"]
ITEMS = dict.fromkeys(KEYS, ITEM)


def result_of(*errors: str | None) -> tuple[int, bytes]:
    """The response to a BatchExecuteStatement whose statements have these errors."""
    results = [{"TableName": "deliveries"} if e is None else {"Error": {"Code": e}} for e in errors]
    return 200, json.dumps({"Responses": results}).encode()


def left_undone(*keys: Key) -> tuple[int, bytes]:
    """The response to a BatchWriteItem that left these undone."""
    puts = [{"PutRequest": {"Item": record_of(key, ITEM)}} for key in keys]
    return 200, json.dumps({"UnprocessedItems": {"deliveries": puts} if puts else {}}).encode()


def codes(written: Written, kind: type[TableUnavailableError]) -> dict[Key, str]:
    """The codes of the failed writes, if all of them failed in this way."""
    assert {type(error) for error in written.failed.values()} == {kind}
    return {key: str(e).removeprefix("DynamoDB failed: ") for key, e in written.failed.items()}


async def test_put_new_of_which_some_fail_writes_the_others(both: Both) -> None:
    """DynamoDB refuses a partition key of 2,049 bytes; of a batch, that statement alone."""
    loop, table = both
    too_long, other = Key("x" * 2_049, "delivery"), Key("c" * 64, "delivery")
    await loop.put(KEY, {"at": 1})

    written = await loop.put_new({key: {"at": 2} for key in (KEY, too_long, other)})

    assert (written.existing, set(written.failed)) == ({KEY}, {too_long})
    assert await found(table, KEY, other) == {KEY: {"at": 1}, other: {"at": 2}}


def statement_codes() -> list[str]:
    """Every error that AWS's own model has for a statement of a batch."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    shape = model.shape_for("BatchStatementErrorCodeEnum")
    assert isinstance(shape, StringShape)
    return sorted({*shape.enum, "OfTomorrow"} - {"DuplicateItem"})


PERMANENT = {
    "AccessDenied",
    "ConditionalCheckFailed",
    "ItemCollectionSizeLimitExceeded",
    "OfTomorrow",
    "ResourceNotFound",
    "ValidationError",
}


@pytest.mark.parametrize("code", statement_codes())
async def test_put_new_of_which_one_fails_says_whether_to_try_it_again(
    scripted: Callable[..., DynamoAsyncTable], code: str
) -> None:
    table = scripted(result_of(None, code, "DuplicateItem", None))

    written = await table.put_new(ITEMS)

    kind = TableUnavailableError if code in PERMANENT else TableBusyError
    assert written.existing == {KEYS[2]}
    assert codes(written, kind) == {KEYS[1]: code}


async def test_put_new_of_which_one_fails_without_a_code_is_not_taken_for_written(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    table = scripted((200, b'{"Responses": [{"Error": {}}]}'))

    written = await table.put_new({KEY: ITEM})

    assert codes(written, TableUnavailableError) == {KEY: "Unknown"}


async def test_put_new_that_gets_too_few_results_is_not_taken_for_written(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    for answer in (result_of(None), OK):
        written = await scripted(answer).put_new(ITEMS)

        assert codes(written, TableUnavailableError) == dict.fromkeys(KEYS, "IncompleteResponse")


async def test_get_all_of_which_some_are_left_unread_says_which(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    unread = {"deliveries": {"Keys": [{"pk": {"S": KEYS[1].pk}, "sk": {"S": KEYS[1].sk}}]}}
    table = scripted((200, json.dumps({"Responses": {}, "UnprocessedKeys": unread}).encode()))

    found = await table.get_all(KEYS[:2])

    assert found.items == {}
    assert [type(error) for error in found.failed.values()] == [TableBusyError]
    assert list(found.failed) == [KEYS[1]]


async def test_put_all_of_which_some_are_left_undone_says_which(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    table = scripted(left_undone(KEYS[0], KEYS[3]))

    written = await table.put_all(ITEMS)

    assert written.existing == set()
    assert codes(written, TableBusyError) == dict.fromkeys((KEYS[0], KEYS[3]), "Unprocessed")
    assert Answers.heard == ["DynamoDB_20120810.BatchWriteItem"]


@pytest.mark.parametrize("code", THROTTLES)
async def test_batch_that_is_throttled_as_a_whole_may_be_tried_again(
    scripted: Callable[..., DynamoAsyncTable], code: str
) -> None:
    """So says DynamoDB if it throttles every write of it."""
    table = scripted((400, refusal(code)))

    for written in (await table.put_new(ITEMS), await table.put_all(ITEMS)):
        assert codes(written, TableBusyError) == dict.fromkeys(KEYS, code)


async def test_batches_of_which_one_fails_leave_the_others_written(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    keys = [Key(f"{number}", "delivery") for number in range(30)]
    table = scripted(left_undone(keys[1]), DENIED)

    written = await table.put_all(dict.fromkeys(keys, ITEM))

    assert written.failed.keys() == {keys[1], *keys[25:]}


async def test_claims_of_which_some_are_throttled_are_all_had_and_the_others_at_once(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    table = scripted(result_of(None, "ThrottlingError", None), result_of(None))
    deliveries = Deliveries(table, 35)

    claims = await asyncio.gather(*(deliveries.claim(name, "digest", 60) for name in "abc"))

    assert claims == [Claim.CLAIMED] * 3
    assert Answers.heard == ["DynamoDB_20120810.BatchExecuteStatement"] * 2


async def test_claims_of_which_one_is_denied_are_had_but_for_that_one(
    scripted: Callable[..., DynamoAsyncTable],
) -> None:
    deliveries = Deliveries(scripted(result_of(None, "AccessDenied", None)), 35)

    claims = await asyncio.gather(
        *(deliveries.claim(name, "digest", 60) for name in "abc"), return_exceptions=True
    )

    assert claims[::2] == [Claim.CLAIMED] * 2
    assert isinstance(claims[1], TableUnavailableError)


# Responses that are cut off


CUT_OFF = (200, b"{}", 9)
"""Says that it has nine bytes, and ends after two, which are JSON."""


@pytest.mark.parametrize(
    "first", [CUT_OFF, (200, b'{"Item'), (200, b"[]"), (200, b""), (400, refusal("X")[:9], 99)]
)
async def test_response_that_is_cut_off_is_a_failure_and_the_call_is_tried_again(
    scripted: Callable[..., DynamoAsyncTable], first: tuple[int, bytes]
) -> None:
    table = scripted(first, OK)

    assert await table.put(KEY, ITEM) == (True, None)

    assert Answers.heard == ["DynamoDB_20120810.PutItem"] * 2


@pytest.mark.parametrize("answer", [CUT_OFF, (200, b"<html>")])
async def test_response_that_stays_cut_off_is_not_taken_for_a_success(
    scripted: Callable[..., DynamoAsyncTable], answer: tuple[int, bytes]
) -> None:
    table = scripted(answer)

    with pytest.raises(TableUnavailableError, match="IncompleteResponse"):
        await table.put(KEY, ITEM)
    with pytest.raises(TableUnavailableError, match="IncompleteResponse"):
        await table.delete(KEY, Condition("at", 1))
    for written in (await table.put_all({KEY: ITEM}), await table.put_new({KEY: ITEM})):
        assert codes(written, TableUnavailableError) == {KEY: "IncompleteResponse"}
