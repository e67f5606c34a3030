"""The relay's own calls to DynamoDB are checked by AWS's model, in every test that makes them."""

from collections.abc import Mapping
from typing import Any

import pytest

from relay.aws.async_table import CallFailedError, DynamoClient
from relay.aws.table import Condition, Key, record_of
from tests.support.dynamo_model import faults_of_refusal, faults_of_request, faults_of_response

PUT = {"TableName": "deliveries", "Item": record_of(Key("a", "delivery"), {"at": 1})}
STATEMENT = {"Statement": "INSERT INTO t VALUE {'pk': ?}", "Parameters": [{"S": "a"}]}


class Dynamo(DynamoClient):
    """Answers as it is told; a test of the check needs nothing of the rest."""

    def __init__(self, answer: Mapping[str, Any] | Exception) -> None:
        self._answer = answer

    async def _call_once(self, operation: str, body: bytes) -> Mapping[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutItem", {**PUT, "ReturnValuesOnConditionCheckFailures": "ALL_OLD"}),
        ("PutItem", {**PUT, "ReturnValues": "ALL_BEFORE"}),
        ("PutItem", {**PUT, "Item": {"pk": "a"}}),
        ("PutItem", {"TableName": "deliveries"}),
        ("DeleteItem", {"TableName": "deliveries", "Item": {}}),
        ("BatchExecuteStatement", {"Statements": [STATEMENT] * 26}),
        ("BatchExecuteStatement", {"Statements": [{**STATEMENT, "Parameters": []}]}),
        ("BatchWriteItem", {"RequestItems": {"t": [{"PutRequest": {"Key": {}}}]}}),
        ("BatchWriteItem", {"RequestItems": {"t": [{"DeleteRequest": {"Key": {}}}] * 26}}),
    ],
)
async def test_call_that_awss_model_does_not_allow_fails_its_test(
    operation: str, request_: Mapping[str, Any]
) -> None:
    assert faults_of_request(operation, request_) != []
    with pytest.raises(AssertionError, match=operation):
        await Dynamo({}).call(operation, request_)


async def test_answer_that_dynamodb_would_not_give_fails_its_test() -> None:
    odd: Mapping[str, Any] = {"Attributes": None}
    refusal = CallFailedError("ConditionalCheckFailedException", {"Item": {"at": {"N": 5}}})

    assert faults_of_response("PutItem", odd) != []
    assert faults_of_refusal(refusal.code, refusal.content) != []
    with pytest.raises(AssertionError, match="PutItem"):
        await Dynamo(odd).call("PutItem", PUT)
    with pytest.raises(AssertionError, match="ConditionalCheckFailed"):
        await Dynamo(refusal).call("PutItem", PUT)


async def test_call_and_answers_that_the_model_allows_pass() -> None:
    request = {**PUT, **Condition("at", 1).as_condition(), "ReturnValues": "ALL_OLD"}

    assert await Dynamo({"Attributes": PUT["Item"]}).call("PutItem", request) != {}
    with pytest.raises(CallFailedError):
        await Dynamo(CallFailedError("OfTomorrow", {"__type": "OfTomorrow"})).call(
            "PutItem", request
        )
