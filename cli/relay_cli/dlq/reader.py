"""Reads a dead-letter queue: each message once, and all of them visible again at the end.

SQS cannot peek. A received message is hidden until its visibility timeout ends, and then comes
again. So the reader remembers ids, and at the end makes visible what was not deleted.

A deleted message may come again too, from a server of SQS's that was away when it was deleted
("At-least-once delivery" in its guide). It is deleted once more, and given to nobody.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

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


class _Received(NamedTuple):
    """What one call of SQS's returned."""

    new: list[DeadLetter]
    held: int
    """How many came again that are neither deleted nor visible again."""
    deleted: int
    """How many came again although they are deleted."""


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
    _receipts: dict[str, str] = field(default_factory=dict)
    """Receipts of the messages to make visible again, by message id."""
    _deleted: set[str] = field(default_factory=set)
    """The ids of what may come again although it is gone."""

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
        expected, empty, repeats = self.size(), 0, 0
        self._visibility_timeout = min(
            VISIBILITY_TIMEOUT + expected // _DEAD_LETTERS_PER_SECOND, _MAX_VISIBILITY_TIMEOUT
        )
        while not self.truncated and empty < _MAX_EMPTY_RESPONSES:
            received = self._receive(max_count)
            if received.new:
                empty, repeats = 0, 0
                yield received.new
                continue
            repeats += received.held + received.deleted
            if repeats > len(self._receipts) + len(self._deleted):
                return  # all that are known have come again
            if self._seen >= expected and not received.deleted:
                return
            empty += not (received.held or received.deleted)

    def _receive(self, max_count: int) -> _Received:
        with translate_errors("SQS"):
            response = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=max_count,
                VisibilityTimeout=self._visibility_timeout,
                WaitTimeSeconds=self.wait_seconds,
                MessageSystemAttributeNames=["All"],
            )
        messages = response.get("Messages", [])
        deleted = [one["ReceiptHandle"] for one in messages if one["MessageId"] in self._deleted]
        if deleted:
            self._delete(deleted)  # where this fails, they stay hidden for as long as may be
        left = [one for one in messages if one["MessageId"] not in self._deleted]
        # A message may come twice in one response too.
        new = {one["MessageId"]: one for one in left if one["MessageId"] not in self._receipts}
        # Of a message that came again, only the newest receipt is valid.
        self._receipts |= {one["MessageId"]: one["ReceiptHandle"] for one in left}
        self._seen += len(new)
        self.truncated = len(self._receipts) >= MAX_DEAD_LETTERS
        letters = [parse_dead_letter(message) for message in new.values()]
        return _Received(letters, len(left) - len(new), len(deleted))

    def delete(self, dead_letters: list[DeadLetter]) -> set[str]:
        """Deletes dead letters for good. Returns the message ids that SQS did not delete."""
        failed = self._delete([dead_letter.receipt for dead_letter in dead_letters])
        failed_ids = {dead_letters[position].message_id for position in failed}
        deleted_ids = {dead_letter.message_id for dead_letter in dead_letters} - failed_ids
        self._deleted |= deleted_ids
        for message_id in deleted_ids:
            self._receipts.pop(message_id, None)
        return failed_ids

    def _delete(self, receipts: list[str]) -> set[int]:
        """Returns the positions of those that SQS did not delete."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(position), "ReceiptHandle": receipt}
            for position, receipt in enumerate(receipts)
        ]
        try:
            response = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        except (BotoCoreError, ClientError):
            return set(range(len(receipts)))  # and the caller reports it
        return {int(failure["Id"]) for failure in response.get("Failed", [])}

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
