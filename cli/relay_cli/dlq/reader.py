"""Reads a dead-letter queue: each message once, and all of them visible again at the end.

SQS cannot peek. A received message is hidden until its visibility timeout ends, and then comes
again. So the reader remembers ids, and at the end makes visible what was not deleted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from relay_cli.clients.aws import translate_errors
from relay_cli.dlq.dead_letter import DeadLetter, parse_dead_letter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        DeleteMessageBatchRequestEntryTypeDef,
    )

VISIBILITY_TIMEOUT: Final = 300
"""Seconds for which messages of a small queue stay hidden if the process is killed."""
_DEAD_LETTERS_PER_SECOND: Final = 50
"""A slow rate of reading. Messages of a large queue are hidden longer, or they would come again."""
_MAX_VISIBILITY_TIMEOUT: Final = 43_200
"""The limit of SQS: 12 hours."""
MAX_DEAD_LETTERS: Final = 100_000
"""SQS hides about 120,000 messages of a queue at most. This also bounds memory (50 MB)."""
_BATCH_SIZE: Final = 10
_MAX_EMPTY_RESPONSES: Final = 3
"""Empty responses after which the queue counts as empty, because SQS's own count lags."""


OnProgress = Callable[[int], None]
"""Receives how many more dead letters have been read."""


@dataclass(slots=True)
class DeadLetterReader:
    """Reads a dead-letter queue inside a `with` block.

    On exit it makes visible again what was received and not deleted.
    """

    sqs: "SQSClient"
    url: str
    wait_seconds: int = 1
    """How long SQS polls all its servers before it returns an empty response."""
    truncated: bool = False
    """Whether the queue may hold more than could be read."""
    _visibility_timeout: int = VISIBILITY_TIMEOUT
    _seen: int = 0
    _repeats: int = 0
    """How many messages in a row had been seen before."""
    _receipts: dict[str, str] = field(default_factory=dict)
    """Receipts of the messages to make visible again, by message id."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Makes visible again what was received and not deleted."""
        self.release()

    def size(self) -> int:
        """The approximate number of dead letters that are visible; raises `CliError`."""
        return self._count("ApproximateNumberOfMessages")

    def hidden(self) -> int:
        """About how many are hidden, because somebody else reads them; raises `CliError`."""
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def _count(self, name: "QueueAttributeNameType") -> int:
        with translate_errors("SQS"):
            response = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(response["Attributes"][name])

    def batches(self, max_count: int = _BATCH_SIZE) -> Iterator[list[DeadLetter]]:
        """New dead letters, at most ten at a time, until there are none; raises `CliError`."""
        expected, empty = self.size(), 0
        self._visibility_timeout = min(
            VISIBILITY_TIMEOUT + expected // _DEAD_LETTERS_PER_SECOND, _MAX_VISIBILITY_TIMEOUT
        )
        while not self.truncated and empty < _MAX_EMPTY_RESPONSES:
            repeats_before = self._repeats
            if dead_letters := self.receive(max_count):
                empty = 0
                yield dead_letters
            elif self._seen >= expected or self._repeats > len(self._receipts):
                return  # all have been seen, or all that are held have come again
            elif self._repeats == repeats_before:
                empty += 1

    def receive(self, max_count: int = _BATCH_SIZE) -> list[DeadLetter]:
        """Dead letters not seen before; empty if SQS returns none, or only known ones."""
        with translate_errors("SQS"):
            response = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=max_count,
                VisibilityTimeout=self._visibility_timeout,
                WaitTimeSeconds=self.wait_seconds,
                MessageSystemAttributeNames=["All"],
            )
        new = []
        for message in response.get("Messages", []):
            if message["MessageId"] not in self._receipts:
                new.append(message)
            # Of a message that came again, only the newest receipt is valid.
            self._receipts[message["MessageId"]] = message["ReceiptHandle"]
        self._seen += len(new)
        self._repeats = 0 if new else self._repeats + len(response.get("Messages", []))
        self.truncated = len(self._receipts) >= MAX_DEAD_LETTERS
        return [parse_dead_letter(message) for message in new]

    def delete(self, dead_letters: list[DeadLetter]) -> set[str]:
        """Deletes dead letters for good. Returns the message ids that SQS did not delete."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(position), "ReceiptHandle": dead_letter.receipt}
            for position, dead_letter in enumerate(dead_letters)
        ]
        failed = set(range(len(dead_letters)))
        try:
            response = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            failed = {int(failure["Id"]) for failure in response.get("Failed", [])}
        except (BotoCoreError, ClientError):
            pass  # all of them failed, and the caller reports it
        failed_ids = {dead_letters[position].message_id for position in failed}
        for dead_letter in dead_letters:
            if dead_letter.message_id not in failed_ids:
                self._receipts.pop(dead_letter.message_id, None)
        return failed_ids

    def release(self) -> None:
        """Makes visible what was not deleted. On failure, the visibility timeout does it later."""
        receipts = list(self._receipts.values())
        for start in range(0, len(receipts), _BATCH_SIZE):
            entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {"Id": str(position), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for position, receipt in enumerate(receipts[start : start + _BATCH_SIZE])
            ]
            try:
                self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
            except (BotoCoreError, ClientError):
                return
