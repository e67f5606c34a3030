"""SQS messages have Lambda's format; partial batch responses are read by Lambda's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from relay_sandbox.lambda_runtime.sqs_events import failed_ids, sqs_record
from tests.support.every import every

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

ARN = "arn:aws:sqs:us-east-1:123456789012:mobile"
IDS = ["one", "two", "three"]


def message() -> MessageTypeDef:
    return {
        "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "ReceiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "Body": "Test message.",
        "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
    }


def test_record_of_a_message_has_the_shape_of_lambdas_documentation() -> None:
    assert sqs_record(message(), ARN) == {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": "Test message.",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "us-east-1",
    }


def test_record_message_attributes_are_camel_case_and_binary_ones_base64() -> None:
    with_attributes = message() | {
        "MessageAttributes": {
            "tenant": {"DataType": "String", "StringValue": "shop"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
        "MD5OfMessageAttributes": "0408be33998ab7b5d7d2d0d4a9e3f05b",
    }

    record = sqs_record(with_attributes, ARN)

    empty: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert record["messageAttributes"] == {
        "tenant": {**empty, "dataType": "String", "stringValue": "shop"},
        "blob": {**empty, "dataType": "Binary", "binaryValue": "AP8="},
    }
    assert record["md5OfMessageAttributes"] == "0408be33998ab7b5d7d2d0d4a9e3f05b"


@pytest.mark.parametrize(
    "response", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}, {"other": 1}]
)
def test_response_without_failures_means_that_all_succeeded(response: object) -> None:
    assert failed_ids(response, IDS) == set()


def test_response_with_failures_names_exactly_those() -> None:
    response = {"batchItemFailures": [{"itemIdentifier": "two"}, {"itemIdentifier": "three"}]}

    assert failed_ids(response, IDS) == {"two", "three"}


@every(
    "response",
    [
        "done",
        7,
        ["two"],
        {"batchItemFailures": "two"},
        {"batchItemFailures": {"itemIdentifier": "two"}},
        {"batchItemFailures": ["two"]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemIdentifier": 2}]},
        {"batchItemFailures": [{"itemIdentifier": "two"}, {"identifier": "three"}]},
        {"batchItemFailures": [{"itemIdentifier": "two"}, {"itemIdentifier": "stranger"}]},
    ],
)
def test_malformed_response_means_that_all_failed(response: object) -> None:
    assert failed_ids(response, IDS) == set(IDS)
