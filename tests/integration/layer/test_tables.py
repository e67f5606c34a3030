"""One contract, two tables: DynamoDB's protocol as moto speaks it, and the table in memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from relay.aws.table import Condition, DynamoTable, Item, Key, Table
from relay.errors import TableUnavailableError
from relay_sandbox.local_aws.memory_table import MemoryTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = Key("user-1", "id123456789")


@pytest.fixture(params=["memory", "moto"])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    if request.param == "moto":
        make_table = request.getfixturevalue("make_table")
        yield DynamoTable(request.getfixturevalue("dynamodb"), make_table())
    else:
        table = MemoryTable()
        yield table
        table.close()


# Reading and writing


@pytest.mark.parametrize(
    "item",
    [
        {"appsflyer_id": "1415211453000-6513894", "installed_at": 1772452740000},
        {"text": "", "digits": "0012", "dashes": "--", "odd": "123", "even": "1234"},
        {"zero": 0, "negative": -5, "long": 12345678901234567890123456789012345678},
        {"letters": 'Zoë "x"\n\x00\U0001f600', "page": "x" * 300, "numbers": "9" * 300},
        {"name": "reserved word", "#a b": "odd name", "expires_at": 1},
        {},
    ],
    ids=["identity", "texts", "numbers", "letters", "names", "nothing"],
)
def test_get_gives_what_was_put(table: Table, item: Item) -> None:
    assert table.put(KEY, item) is None

    assert table.get([KEY]) == {KEY: item}


def test_get_absent_keys_are_left_out(table: Table) -> None:
    table.put(KEY, {"a": 1})

    assert table.get([KEY, Key("user-2", KEY.sk), Key(KEY.pk, "id2")]) == {KEY: {"a": 1}}


def test_get_of_no_keys_is_empty(table: Table) -> None:
    assert table.get([]) == {}


def test_get_a_key_that_is_named_twice_is_read(table: Table) -> None:
    table.put(KEY, {"a": 1})

    assert table.get([KEY, KEY]) == {KEY: {"a": 1}}


def test_get_reads_more_keys_than_a_call_can_name(table: Table) -> None:
    """BatchGetItem takes a hundred."""
    keys = [Key(f"user-{number}", "app") for number in range(101)]
    for number, key in enumerate(keys):
        table.put(key, {"number": number})

    assert table.get(keys) == {key: {"number": number} for number, key in enumerate(keys)}


def test_put_replaces_the_whole_item(table: Table) -> None:
    table.put(KEY, {"a": 1, "b": 2})
    table.put(KEY, {"a": 3})

    assert table.get([KEY]) == {KEY: {"a": 3}}


@pytest.mark.parametrize(
    "key",
    [Key("", "app"), Key("user", ""), Key("u" * 2049, "app"), Key("user", "ü" * 513)],
    ids=["no pk", "no sk", "long pk", "long sk"],
)
def test_put_impossible_key_is_refused(table: Table, key: Key) -> None:
    with pytest.raises(TableUnavailableError, match=r"^DynamoDB failed: ValidationException$"):
        table.put(key, {"a": 1})


def test_put_longest_key_is_taken(table: Table) -> None:
    key = Key("u" * 2048, "ü" * 512)

    table.put(key, {"a": 1})

    assert table.get([key]) == {key: {"a": 1}}


# The condition


@pytest.mark.parametrize("there", [5, 4, -1])
def test_put_replaces_an_item_within_the_bound(table: Table, there: int) -> None:
    table.put(KEY, {"at": there})

    assert table.put(KEY, {"at": 7}, Condition("at", 5)) is None

    assert table.get([KEY]) == {KEY: {"at": 7}}


@pytest.mark.parametrize(
    "there",
    [{"at": 6, "name": "first"}, {"at": 10}, {"other": 1}],
    ids=["just beyond", "more digits", "without the field"],
)
def test_put_gives_the_item_that_is_in_the_way_and_leaves_it(table: Table, there: Item) -> None:
    table.put(KEY, there)

    assert table.put(KEY, {"at": 1}, Condition("at", 5)) == there

    assert table.get([KEY]) == {KEY: there}


def test_put_conditional_writes_where_there_is_nothing(table: Table) -> None:
    assert table.put(KEY, {"at": 7}, Condition("at", 5)) is None

    assert table.get([KEY]) == {KEY: {"at": 7}}


def test_put_condition_is_about_this_key_alone(table: Table) -> None:
    table.put(Key(KEY.pk, "id2"), {"at": 9})
    table.put(Key("user-2", KEY.sk), {"at": 9})

    assert table.put(KEY, {"at": 7}, Condition("at", 5)) is None


# merge


def test_merge_sets_some_attributes_and_leaves_the_others(table: Table) -> None:
    table.put(KEY, {"to_invoice": "invoice:1", "expires_at": 1})

    table.merge(KEY, {"expires_at": 2, "to_customer": "customer:1"})

    assert table.get([KEY]) == {
        KEY: {"to_invoice": "invoice:1", "expires_at": 2, "to_customer": "customer:1"}
    }


def test_merge_makes_an_item_where_there_is_none(table: Table) -> None:
    table.merge(KEY, {"a": 1})

    assert table.get([KEY]) == {KEY: {"a": 1}}


# delete


def test_delete_takes_these_items_and_no_others(table: Table) -> None:
    """BatchWriteItem takes 25."""
    keys = [Key(f"user-{number}", "app") for number in range(27)]
    for key in keys:
        table.put(key, {"a": 1})

    table.delete([*keys[1:], keys[1], Key("nobody", "app")])

    assert table.get(keys) == {keys[0]: {"a": 1}}


def test_delete_of_nothing_does_nothing(table: Table) -> None:
    key = Key("user-1", "app")
    table.put(key, {"a": 1})

    table.delete([])

    assert table.get([key]) == {key: {"a": 1}}


# Queries


def test_under_gives_every_item_of_a_partition(table: Table) -> None:
    items = {Key("user-1", f"app-{number}"): {"number": number} for number in range(30)}
    for key, item in {**items, Key("user-10", "app"): {"number": 99}}.items():
        table.put(key, item)

    assert table.under("user-1") == items
    assert table.under("nobody") == {}


def test_under_gives_more_than_a_page(table: Table) -> None:
    """A page of Query's ends at 1 MB."""
    for number in range(4):
        table.put(Key("user-1", f"app-{number}"), {"text": "x" * 390_000})

    assert len(table.under("user-1")) == 4


def test_of_customer_gives_the_keys_of_all_items_with_this_customer(table: Table) -> None:
    table.put(Key("stripe#invoice:1", "node"), {"customer_user_id": "user-1"})
    table.merge(Key("stripe#invoice:2", "node"), {"customer_user_id": "user-1", "a": 1})
    table.put(Key("stripe#invoice:3", "node"), {"customer_user_id": "user-2"})
    table.put(Key("stripe#invoice:4", "node"), {"a": 1})

    found = table.of_customer("user-1")

    assert sorted(found) == [Key("stripe#invoice:1", "node"), Key("stripe#invoice:2", "node")]
    assert table.of_customer("nobody") == []


def test_of_customer_forgets_whoever_is_not_in_the_item_any_more(table: Table) -> None:
    table.put(KEY, {"customer_user_id": "user-1"})
    table.put(KEY, {"a": 1})

    assert table.of_customer("user-1") == []


def test_put_empty_customer_is_refused_because_of_the_index(table: Table) -> None:
    with pytest.raises(TableUnavailableError, match="ValidationException"):
        table.put(KEY, {"customer_user_id": ""})


# Many at once


def test_put_of_many_at_once_lets_one_win(table: Table) -> None:
    def put(number: int) -> bool:
        return table.put(KEY, {"number": number, "at": 1}, Condition("at", 0)) is None

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(put, range(8)))

    [item] = table.get([KEY]).values()
    assert [number for number, mine in enumerate(won) if mine] == [item["number"]]


# Failures


def test_table_that_does_not_exist_is_unavailable(dynamodb: "DynamoDBClient") -> None:
    with pytest.raises(
        TableUnavailableError, match=r"^DynamoDB failed: ResourceNotFoundException$"
    ):
        DynamoTable(dynamodb, "nowhere").put(KEY, {"a": 1})


def test_dynamodb_that_is_not_there_is_unavailable() -> None:
    """Nothing listens on the discard port of this machine."""
    quick = Config(retries={"total_max_attempts": 1}, connect_timeout=5, proxies={})
    client = boto3.client("dynamodb", endpoint_url="http://127.0.0.1:9", config=quick)

    with pytest.raises(TableUnavailableError, match="EndpointConnectionError"):
        DynamoTable(client, "table").get([KEY])
    client.close()
