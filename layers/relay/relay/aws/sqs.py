"""SQS: sends messages to a queue, ten a call, and returns those that SQS did not take."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from relay import telemetry

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        DeleteMessageBatchRequestEntryTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

MAX_MESSAGE_BYTES: Final = 1_048_576
"""SQS takes 1 MiB a message, and as much a batch."""
MAX_TAKEN_BYTES: Final = MAX_MESSAGE_BYTES - 65_536
"""Largest message to accept: the rest is room for what is added until it is a dead letter."""
_MESSAGES_A_CALL: Final = 10
_LONGEST_GROUP: Final = 128


class Message(NamedTuple):
    """A message on its way to a queue."""

    body: str
    group: str
    """The app id: fair queues keep one busy app from starving the others."""
    delay_seconds: int = 0

    @property
    def fits(self) -> bool:
        """Whether SQS takes it, and will still take it when more fields are added."""
        return size_of(self.body) <= MAX_TAKEN_BYTES


class Queue:
    """One SQS queue to send messages to.

    A consumer's own queue also deletes and hides received messages, by their receipt handles.
    """

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self.url = url

    def send(
        self, messages: Sequence[Message], has_time: Callable[[], bool] = lambda: True
    ) -> set[int]:
        """Sends them in as few calls as possible; blocking.

        Returns the positions of the messages that SQS did not take, so that none is lost silently.
        Once SQS does not respond, or `has_time` returns false, the rest is not tried: an invocation
        that runs out of time would send again what it has already delivered.
        """
        failed: set[int] = set()
        is_up = True
        for positions in _batches(messages):
            if not (is_up and has_time()):
                failed |= set(positions)
                continue
            try:
                failed |= self._send_batch(messages, positions)
            except BotoCoreError as error:
                telemetry.aws_failed("SendMessageBatch", [telemetry.aws_code(error)])
                failed |= set(positions)
                is_up = False
        return failed

    def delete(self, receipt_handles: Sequence[str]) -> None:
        """Takes received messages off the queue, as far as SQS does it; blocking."""
        for start in range(0, len(receipt_handles), _MESSAGES_A_CALL):
            handles = receipt_handles[start : start + _MESSAGES_A_CALL]
            entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
                {"Id": str(number), "ReceiptHandle": handle}
                for number, handle in enumerate(handles)
            ]
            if not self._succeeds(
                "DeleteMessageBatch",
                lambda: self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries),  # noqa: B023
            ):
                return

    def hide(self, receipt_handle: str, seconds: int) -> None:
        """Hides a received message for so long from now on, if SQS does it; blocking."""
        self._succeeds(
            "ChangeMessageVisibility",
            lambda: self._sqs.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            ),
        )

    @staticmethod
    def _succeeds(operation: str, call: Callable[[], object]) -> bool:
        try:
            call()
        except (BotoCoreError, ClientError) as error:
            telemetry.aws_failed(operation, [telemetry.aws_code(error)])
            return False
        return True

    def _send_batch(self, messages: Sequence[Message], positions: Sequence[int]) -> set[int]:
        entries = [_entry(position, messages[position]) for position in positions]
        try:
            response = self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        except ClientError as error:  # SQS responded, so the next call may succeed
            telemetry.aws_failed("SendMessageBatch", [telemetry.aws_code(error)])
            return set(positions)
        failures = response.get("Failed", [])
        if failures:
            telemetry.aws_failed("SendMessageBatch", (failure["Code"] for failure in failures))
        return {int(failure["Id"]) for failure in failures}


def _entry(position: int, message: Message) -> "SendMessageBatchRequestEntryTypeDef":
    entry: SendMessageBatchRequestEntryTypeDef = {
        "Id": str(position),
        "MessageBody": message.body,
        "MessageGroupId": group_of(message.group),
    }
    if message.delay_seconds:
        entry["DelaySeconds"] = message.delay_seconds
    return entry


def group_of(app_id: str) -> str:
    """A message group from an app id: only characters that SQS accepts, and never empty."""
    safe = "".join(c if c.isascii() and c.isprintable() and c != " " else "_" for c in app_id)
    return safe[:_LONGEST_GROUP] or "_"


def _batches(messages: Sequence[Message]) -> Iterator[list[int]]:
    """Positions of messages, in batches of at most ten messages and one mebibyte."""
    batch: list[int] = []
    size = 0
    for position, message in enumerate(messages):
        length = size_of(message.body)
        if batch and (len(batch) == _MESSAGES_A_CALL or size + length > MAX_MESSAGE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(position)
        size += length
    if batch:
        yield batch


def size_of(body: str) -> int:
    """Size of a message in bytes. Text that cannot be UTF-8 is left for SQS to refuse."""
    return len(body.encode("utf-8", "surrogatepass"))
