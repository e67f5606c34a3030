"""The shapes of SQS's answers, from the queues in memory."""

import hashlib
import json
from collections.abc import Sequence

from tests.support.builders import Json
from tests.support.fakes import aws_error
from tests.support.memory_queue import MemoryQueue, QueueSettings, State, Stored
from tests.support.sqs_rules import LONGEST_VISIBILITY, PREFIX


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


def delete(queue: MemoryQueue, entry: Json) -> Json | str:
    """Deletes one message; gives what is wrong with its handle."""
    handle = entry["ReceiptHandle"]
    if not queue.knows(handle):
        return "ReceiptHandleIsInvalid"
    queue.delete(handle)
    return {}


def hide(queue: MemoryQueue, entry: Json, now: int) -> str | None:
    """Sets anew when one message is visible again; gives what is wrong with its handle."""
    handle, seconds = entry["ReceiptHandle"], entry["VisibilityTimeout"]
    if not 0 <= seconds <= LONGEST_VISIBILITY:
        return "InvalidParameterValue"
    if not queue.knows(handle):
        return "ReceiptHandleIsInvalid"
    return None if queue.hide(handle, seconds, now) else f"{PREFIX}MessageNotInflight"


def md5(text: str) -> str:
    """By which boto3 checks what it gets."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
