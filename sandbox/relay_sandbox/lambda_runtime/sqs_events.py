"""Lambda's events of SQS messages, and the partial batch responses of functions."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from relay_sandbox.local_aws.aws import REGION

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef

Record = dict[str, Any]


def sqs_record(message: MessageTypeDef, queue_arn: str) -> Record:
    """Convert a message of ReceiveMessage into a record of Lambda's event."""
    record: Record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }
    if digest := message.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = digest
    return record


def _attribute(value: MessageAttributeValueOutputTypeDef) -> Record:
    attribute: Record = {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return attribute


def record_bytes(record: Record) -> int:
    """Return a record's size in an event, in bytes, with the comma after it."""
    return len(json.dumps(record, ensure_ascii=False).encode()) + 2


def failed_ids(response: object, ids: Sequence[str]) -> set[str]:
    """Return the message ids of the batch that a partial batch response reports as failed.

    None of them if there is no response or no list in it. All of them if the response is malformed:
    not an object, no list where one belongs, or an entry whose `itemIdentifier` is missing, empty
    or not of this batch. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    if response is None:
        return set()
    failures = response.get("batchItemFailures") if isinstance(response, Mapping) else response
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return set(ids)
    reported = {_identifier(failure) for failure in failures}
    return {name for name in reported if name} if reported <= set(ids) else set(ids)


def _identifier(failure: object) -> str | None:
    identifier = failure.get("itemIdentifier") if isinstance(failure, Mapping) else None
    return identifier if isinstance(identifier, str) else None
