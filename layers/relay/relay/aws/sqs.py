"""SQS: putting messages on a queue, ten at a time, and saying which did not get there."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from relay import telemetry

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_MESSAGE_BYTES: Final = 1_048_576
"""SQS takes 1 MiB a message, and as much a batch."""
MAX_TAKEN_BYTES: Final = MAX_MESSAGE_BYTES - 65_536
"""What is taken in: the rest is for what is noted on an event until it is a dead letter."""
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
        """Whether SQS takes it, and will still take it when more is noted on it."""
        return size_of(self.body) <= MAX_TAKEN_BYTES


class Queue:
    """One SQS queue that messages are put on."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self.url = url

    def send(
        self, messages: Sequence[Message], has_time: Callable[[], bool] = lambda: True
    ) -> set[int]:
        """Sends them in as few calls as can be; blocking.

        Returns the positions of those that SQS did not take, so that nothing is lost unseen. Once
        SQS does not answer, or `has_time` says no, the rest is not tried: an invocation that runs
        out of time would send again what it has already delivered.
        """
        failed: set[int] = set()
        goes_on = True
        for positions in _batches(messages):
            if not (goes_on and has_time()):
                failed |= set(positions)
                continue
            try:
                failed |= self._send_batch(messages, positions)
            except BotoCoreError as error:
                telemetry.aws_failed("SendMessageBatch", [telemetry.aws_code(error)])
                failed |= set(positions)
                goes_on = False
        return failed

    def _send_batch(self, messages: Sequence[Message], positions: Sequence[int]) -> set[int]:
        entries = [_entry(position, messages[position]) for position in positions]
        try:
            answer = self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        except ClientError as error:  # an answer, so the next call may fare better
            telemetry.aws_failed("SendMessageBatch", [telemetry.aws_code(error)])
            return set(positions)
        failures = answer.get("Failed", [])
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
    """A message group from an app id: what SQS takes, and never empty."""
    safe = "".join(c if c.isascii() and c.isprintable() and c != " " else "_" for c in app_id)
    return safe[:_LONGEST_GROUP] or "_"


def _batches(messages: Sequence[Message]) -> Iterator[list[int]]:
    """Positions in groups of at most ten messages and one mebibyte."""
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
    """Bytes of a message; what cannot be UTF-8 is refused by SQS, not by us."""
    return len(body.encode("utf-8", "surrogatepass"))
