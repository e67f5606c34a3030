"""SQS: sends messages to a queue, ten a call, and returns those that SQS did not take."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from relay import telemetry
from relay.aws.timeouts import ANSWER_SECONDS, LONGEST_CALL_SECONDS

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
_CALLS_AT_ONCE: Final = 10
"""Fewer than a client has connections. Five hundred messages are five rounds of calls."""


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
        sending = _Sending(self._sqs, self.url, messages, has_time)
        failed: set[int] = set()
        for positions in batches(enumerate(messages)):
            failed |= sending.send_batch(positions)
        return failed

    def send_in_time(self, messages: Sequence[Message], remaining: Callable[[], float]) -> set[int]:
        """Like `send`, with several calls at a time, for a caller who waits for a response.

        `remaining`: the seconds that the invocation may still run. No call starts that may last
        longer, and the result is there `ANSWER_SECONDS` before the end, whatever SQS does. A call
        that has not returned by then counts as failed, though SQS may have taken its messages.
        """

        def has_time() -> bool:
            return remaining() >= LONGEST_CALL_SECONDS + ANSWER_SECONDS

        sending = _Sending(self._sqs, self.url, messages, has_time)
        calls = {
            _threads().submit(sending.send_batch, positions): positions
            for positions in batches(enumerate(messages))
        }
        done, late = wait(calls, timeout=max(0.0, remaining() - ANSWER_SECONDS))
        failed: set[int] = set()
        for call in done:
            failed |= call.result()
        for call in late:
            call.cancel()
            failed |= set(calls[call])
        if late:
            telemetry.aws_failed("SendMessageBatch", ["NoResponse"])
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


@cache
def _threads() -> ThreadPoolExecutor:
    """They live as long as the process, and start when there is something to do for them."""
    return ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="sqs")


class _Sending:
    """Sends messages batch by batch, until there is no time or no response; for any thread."""

    def __init__(
        self,
        sqs: "SQSClient",
        url: str,
        messages: Sequence[Message],
        has_time: Callable[[], bool],
    ) -> None:
        self._sqs = sqs
        self._url = url
        self._messages = messages
        self._has_time = has_time
        self._is_up = True

    def send_batch(self, positions: Sequence[int]) -> set[int]:
        """Sends the messages at these positions; returns those that SQS did not take."""
        if not (self._is_up and self._has_time()):
            return set(positions)
        try:
            return self._call(positions)
        except BotoCoreError as error:
            telemetry.aws_failed("SendMessageBatch", [telemetry.aws_code(error)])
            self._is_up = False
            return set(positions)

    def _call(self, positions: Sequence[int]) -> set[int]:
        entries = [entry_of(position, self._messages[position]) for position in positions]
        try:
            response = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
        except ClientError as error:  # SQS responded, so the next call may succeed
            telemetry.aws_failed("SendMessageBatch", [telemetry.aws_code(error)])
            return set(positions)
        failures = response.get("Failed", [])
        if failures:
            telemetry.aws_failed("SendMessageBatch", (failure["Code"] for failure in failures))
        return {int(failure["Id"]) for failure in failures}


def entry_of(position: int, message: Message) -> "SendMessageBatchRequestEntryTypeDef":
    """A message in a call, known by its position."""
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


def batches(messages: Iterable[tuple[int, Message]]) -> Iterator[list[int]]:
    """Positions of messages, in batches of at most ten messages and one mebibyte."""
    batch: list[int] = []
    size = 0
    for position, message in messages:
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
