"""SQS's own rules and shapes: what it refuses, by its code for that, and what its answers hold."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Final

from relay.aws.sqs import size_of
from tests.support.builders import Json
from tests.support.fakes import aws_error
from tests.support.memory_queue import MemoryQueue, QueueSettings, State, Stored

PREFIX: Final = "AWS.SimpleQueueService."
"""Of the codes that have kept their old form."""
LONGEST_WAIT: Final = 20
LONGEST_VISIBILITY: Final = 43_200
MOST_ENTRIES: Final = 10

_MEBIBYTE: Final = 1_048_576
_LONGEST_DELAY: Final = 900
_GROUP: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Shapes


def settings_of(attributes: dict[str, str], max_receive_count: int) -> QueueSettings:
    """A queue's settings from the attributes that it is made with."""
    given = QueueSettings(
        delay=int(attributes.pop("DelaySeconds", "0")),
        visibility=int(attributes.pop("VisibilityTimeout", "30")),
        retention=int(attributes.pop("MessageRetentionPeriod", "345600")),
        wait=int(attributes.pop("ReceiveMessageWaitTimeSeconds", "0")),
        max_receive_count=max_receive_count,
    )
    if attributes:
        raise aws_error("InvalidAttributeName")
    return given


def attributes_of(queue: MemoryQueue) -> dict[str, str]:
    """All attributes of a queue."""
    settings, counts = queue.settings, queue.counts
    attributes = {
        "ApproximateNumberOfMessages": counts[State.VISIBLE],
        "ApproximateNumberOfMessagesDelayed": counts[State.DELAYED],
        "ApproximateNumberOfMessagesNotVisible": counts[State.IN_FLIGHT],
        "DelaySeconds": settings.delay,
        "MessageRetentionPeriod": settings.retention,
        "QueueArn": queue.arn,
        "ReceiveMessageWaitTimeSeconds": settings.wait,
        "VisibilityTimeout": settings.visibility,
    }
    if queue.dead_letters is not None:
        target, most = queue.dead_letters.arn, settings.max_receive_count
        policy = {"deadLetterTargetArn": target, "maxReceiveCount": most}
        attributes["RedrivePolicy"] = json.dumps(policy)
    return {name: str(value) for name, value in attributes.items()}


def asked_for(attributes: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    """Some attributes, or all of them."""
    return {name: value for name, value in attributes.items() if {"All", name} & set(names)}


def shown(message: Stored, names: Sequence[str]) -> Json:
    """A message as ReceiveMessage gives it."""
    content: Json = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": md5(message.body),
        "Body": message.body,
    }
    if names:
        attributes = {
            "SenderId": "AIDAEXAMPLEEXAMPLE",
            "SentTimestamp": str(message.sent),
            "ApproximateReceiveCount": str(message.received),
            "ApproximateFirstReceiveTimestamp": str(message.first_received),
            **({"MessageGroupId": message.group} if message.group else {}),
            **({"DeadLetterQueueSourceArn": message.origin} if message.origin else {}),
        }
        content["Attributes"] = asked_for(attributes, names)
    return content


# Rules


def problem_of(entry: Json) -> str | None:
    """What is wrong with a message on its way to a queue."""
    body = entry["MessageBody"]
    strangers = entry.keys() - {"Id", "MessageBody", "DelaySeconds", "MessageGroupId"}
    if strangers or not 0 <= entry.get("DelaySeconds", 0) <= _LONGEST_DELAY:
        return "InvalidParameterValue"
    if not body or size_of(body) > _MEBIBYTE:
        return "InvalidParameterValue"
    if not _GROUP.fullmatch(entry.get("MessageGroupId", "any")):
        return "InvalidParameterValue"
    return "InvalidMessageContents" if _UNPRINTABLE.search(body) else None


def delete(queue: MemoryQueue, entry: Json) -> Json | str:
    """Deletes one message; gives what is wrong with its handle."""
    handle = entry["ReceiptHandle"]
    if not queue.knows(handle):
        return "ReceiptHandleIsInvalid"
    queue.delete(handle)
    return {}


def check_entries(entries: Sequence[Json]) -> None:
    """Refuses a batch as a whole."""
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise aws_error(f"{PREFIX}EmptyBatchRequest")
    if len(ids) > MOST_ENTRIES:
        raise aws_error(f"{PREFIX}TooManyEntriesInBatchRequest")
    if len(set(ids)) != len(ids):
        raise aws_error(f"{PREFIX}BatchEntryIdsNotDistinct")
    if not all(map(_ENTRY_ID.fullmatch, ids)):
        raise aws_error(f"{PREFIX}InvalidBatchEntryId")
    if sum(size_of(entry.get("MessageBody", "")) for entry in entries) > _MEBIBYTE:
        raise aws_error(f"{PREFIX}BatchRequestTooLong")


def check_within(number: int, least: int, most: int) -> None:
    """Refuses a parameter out of its bounds."""
    if not least <= number <= most:
        raise aws_error("InvalidParameterValue")


def md5(text: str) -> str:
    """By which boto3 checks what it gets."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
