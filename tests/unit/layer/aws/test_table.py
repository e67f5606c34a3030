"""What moto never does: leave a part of a batch undone, and refuse with a text of AWS's own."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from relay.aws.table import Condition, DynamoTable, Key, is_key_text
from relay.errors import TableUnavailableError
from tests.support.every import every

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = Key("user-1", "app")
NAME = "identities"


@pytest.fixture
def dynamodb() -> "Iterator[DynamoDBClient]":
    client = boto3.client("dynamodb")
    yield client
    client.close()


@pytest.fixture
def aws(dynamodb: "DynamoDBClient") -> Iterator[Stubber]:
    """Answers of AWS's, in their order; each must be asked for."""
    with Stubber(dynamodb) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def table(dynamodb: "DynamoDBClient", aws: Stubber, pauses: list[float]) -> DynamoTable:
    return DynamoTable(dynamodb, NAME, pause=pauses.append)


def record(key: Key, **attributes: Any) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}, **attributes}


def read_of(*keys: Key) -> dict[str, Any]:
    return {"RequestItems": {NAME: {"Keys": [record(key) for key in keys], "ConsistentRead": True}}}


def read(*found: Key, undone: tuple[Key, ...] = ()) -> dict[str, Any]:
    left = {NAME: {"Keys": [record(key) for key in undone]}} if undone else {}
    return {"Responses": {NAME: [record(key) for key in found]}, "UnprocessedKeys": left}


def write_of(*keys: Key) -> list[dict[str, Any]]:
    return [{"DeleteRequest": {"Key": record(key)}} for key in keys]


def query_of(condition: str, value: str, **more: Any) -> dict[str, Any]:
    name = condition.rpartition(" = ")[2]
    values = {name: {"S": value}}
    return {
        "TableName": NAME,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        **more,
    }


# What is asked for


def test_put_writes_the_item(table: DynamoTable, aws: Stubber) -> None:
    item = record(KEY, at={"N": "7"})
    aws.add_response("put_item", {}, {"TableName": NAME, "Item": item})

    assert table.put(KEY, {"at": 7}) is None


def test_merge_sets_what_it_is_given(table: DynamoTable, aws: Stubber) -> None:
    asked = {
        "TableName": NAME,
        "Key": record(KEY),
        "UpdateExpression": "SET #0 = :0, #1 = :1",
        "ExpressionAttributeNames": {"#0": "at", "#1": "name"},
        "ExpressionAttributeValues": {":0": {"N": "7"}, ":1": {"S": "x"}},
    }
    aws.add_response("update_item", {}, asked)

    table.merge(KEY, {"at": 7, "name": "x"})


def test_under_reads_page_after_page(table: DynamoTable, aws: Stubber) -> None:
    first, second = Key("user-1", "a"), Key("user-1", "b")
    asked = query_of("pk = :pk", "user-1", ConsistentRead=True)
    page = {"Items": [record(first, a={"N": "1"})], "LastEvaluatedKey": record(first)}
    aws.add_response("query", page, asked)
    aws.add_response(
        "query", {"Items": [record(second)]}, {**asked, "ExclusiveStartKey": record(first)}
    )

    assert table.under("user-1") == {first: {"a": 1}, second: {}}


def test_of_customer_asks_the_index(table: DynamoTable, aws: Stubber) -> None:
    asked = query_of("customer_user_id = :customer", "user-1", IndexName="customers")
    aws.add_response("query", {"Items": [record(KEY)]}, asked)

    assert table.of_customer("user-1") == [KEY]


# What is left undone


def test_get_asks_again_for_the_keys_that_were_left_undone(
    table: DynamoTable, aws: Stubber, pauses: list[float]
) -> None:
    first, second, third = (Key(f"user-{number}", "app") for number in range(3))
    aws.add_response(
        "batch_get_item", read(first, undone=(second, third)), read_of(first, second, third)
    )
    aws.add_response("batch_get_item", read(third, undone=(second,)), read_of(second, third))
    aws.add_response("batch_get_item", read(second), read_of(second))

    assert table.get([first, second, third]).keys() == {first, second, third}

    assert pauses == [0.05, 0.1]


def test_get_gives_up_on_what_is_left_undone_again_and_again(
    table: DynamoTable, aws: Stubber, pauses: list[float]
) -> None:
    for _ in range(5):
        aws.add_response("batch_get_item", read(undone=(KEY,)), read_of(KEY))

    with pytest.raises(TableUnavailableError, match="left some of BatchGetItem undone"):
        table.get([KEY])

    assert pauses == [0.05, 0.1, 0.2, 0.4]


def test_delete_asks_again_for_the_items_that_were_left_undone(
    table: DynamoTable, aws: Stubber, pauses: list[float]
) -> None:
    other = Key("user-2", "app")
    aws.add_response(
        "batch_write_item",
        {"UnprocessedItems": {NAME: write_of(other)}},
        {"RequestItems": {NAME: write_of(KEY, other)}},
    )
    aws.add_response(
        "batch_write_item", {"UnprocessedItems": {}}, {"RequestItems": {NAME: write_of(other)}}
    )

    table.delete([KEY, other])

    assert pauses == [0.05]


# What a person has put there


def test_get_reads_an_attribute_of_another_sort_as_nothing_and_the_others_as_they_are(
    table: DynamoTable, aws: Stubber
) -> None:
    edited = record(
        KEY,
        text={"S": "x"},
        whole={"N": "-5"},
        fraction={"N": "1.5"},
        huge={"N": "1E+30"},
        flag={"BOOL": True},
        null={"NULL": True},
        many={"L": [{"S": "x"}]},
    )
    answer = {"Responses": {NAME: [edited]}, "UnprocessedKeys": {}}
    aws.add_response("batch_get_item", answer, read_of(KEY))

    assert table.get([KEY]) == {
        KEY: {
            "text": "x",
            "whole": -5,
            **dict.fromkeys(("fraction", "huge", "flag", "null", "many")),
        }
    }


# What goes wrong


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("batch_get_item", lambda table: table.get([KEY])),
        ("put_item", lambda table: table.put(KEY, {"a": 1})),
        ("put_item", lambda table: table.put(KEY, {"a": 1}, Condition("a", 1))),
        ("update_item", lambda table: table.merge(KEY, {"a": 1})),
        ("batch_write_item", lambda table: table.delete([KEY])),
        ("query", lambda table: table.under(KEY.pk)),
        ("query", lambda table: table.of_customer(KEY.pk)),
    ],
    ids=["get", "put", "put if", "merge", "delete", "under", "of_customer"],
)
def test_failure_is_told_by_awss_code_and_never_by_its_text(
    table: DynamoTable,
    aws: Stubber,
    said: Callable[[], str],
    operation: str,
    call: Any,
) -> None:
    aws.add_client_error(operation, "ThrottlingException", "about user-1 of app")

    with pytest.raises(TableUnavailableError) as caught:
        call(table)

    assert str(caught.value) == "DynamoDB failed: ThrottlingException"
    assert caught.value.__suppress_context__
    assert '"codes":["ThrottlingException"]' in said()
    assert "user-1" not in said()


def test_put_asks_for_the_item_in_the_way_with_the_refusal(
    table: DynamoTable, aws: Stubber
) -> None:
    """So that no read follows, which could see something else by then."""
    aws.add_client_error(
        "put_item",
        "ConditionalCheckFailedException",
        modeled_fields={"Item": record(KEY, at={"N": "9"}, name={"S": "first"})},
        expected_params={
            "TableName": NAME,
            "Item": record(KEY, at={"N": "7"}),
            "ConditionExpression": "attribute_not_exists(pk) OR #field <= :value",
            "ExpressionAttributeNames": {"#field": "at"},
            "ExpressionAttributeValues": {":value": {"N": "5"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )

    assert table.put(KEY, {"at": 7}, Condition("at", 5)) == {"at": 9, "name": "first"}


# Keys


@every(
    "text, usable",
    [("", False), ("abcd", True), ("abcde", False), ("üü", True), ("üüü", False)],
)
def test_key_text_is_of_one_byte_to_so_many_in_utf_8(text: str, usable: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_key_text(text, 4) is usable


def test_key_text_of_half_a_surrogate_pair_is_none() -> None:
    assert not is_key_text("\ud83d", 2048)
