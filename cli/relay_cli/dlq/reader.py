"""Looking through a dead-letter queue: every letter once, and all of them back in the end.

SQS has no way of looking: what is received is hidden for a while, and comes again when that is
over. So ids are remembered, and what is not deleted is made visible again at the end.
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
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        DeleteMessageBatchRequestEntryTypeDef,
    )

VISIBILITY_TIMEOUT: Final = 300
"""How long a letter of a small queue stays hidden if we are killed before we can give it back."""
_DEAD_LETTERS_PER_SECOND: Final = 50
"""A slow look through a queue: a large one is hidden longer, or it would come round too early."""
_MAX_VISIBILITY_TIMEOUT: Final = 43_200
"""What SQS allows: 12 hours."""
MAX_DEAD_LETTERS: Final = 100_000
"""SQS hides about 120,000 messages of a queue at most; these bound our memory too (50 MB)."""
_BATCH_SIZE: Final = 10
_MAX_EMPTY_RESPONSES: Final = 3
"""Empty answers after which a queue counts as empty though SQS counts more: its count lags."""


OnProgress = Callable[[int], None]
"""Gets how many more dead letters have been read."""


@dataclass(slots=True)
class DeadLetterReader:
    """A dead-letter queue that is looked through, while its `with` block runs.

    Leaving the block makes visible again what was received and not deleted.
    """

    sqs: "SQSClient"
    url: str
    wait_seconds: int = 1
    """How long SQS looks on all its servers before it says that there is nothing."""
    truncated: bool = False
    """Whether there may be more than could be looked at."""
    _visibility_timeout: int = VISIBILITY_TIMEOUT
    _seen: int = 0
    _repeats: int = 0
    """Of the last answers, how many letters in a row had been seen before."""
    _receipts: dict[str, str] = field(default_factory=dict)
    """Of all that is to be given back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Gives back what was taken out."""
        self.release()

    def size(self) -> int:
        """About how many letters there are; raises `CliError`."""
        with translate_errors("SQS"):
            response = self.sqs.get_queue_attributes(
                QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(response["Attributes"]["ApproximateNumberOfMessages"])

    def batches(self, max_count: int = _BATCH_SIZE) -> Iterator[list[DeadLetter]]:
        """New letters, at most ten at a time, until there are none; raises `CliError`."""
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
                return  # all are seen, or all that are kept have come round once more
            elif self._repeats == repeats_before:
                empty += 1

    def receive(self, max_count: int = _BATCH_SIZE) -> list[DeadLetter]:
        """Letters that have not been seen yet; none when SQS has none, or only seen ones."""
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
            # Of one that came again, only the newest receipt counts.
            self._receipts[message["MessageId"]] = message["ReceiptHandle"]
        self._seen += len(new)
        self._repeats = 0 if new else self._repeats + len(response.get("Messages", []))
        self.truncated = len(self._receipts) >= MAX_DEAD_LETTERS
        return [parse_dead_letter(message) for message in new]

    def delete(self, dead_letters: list[DeadLetter]) -> set[str]:
        """Deletes letters for good; the message ids of those that SQS did not delete."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(position), "ReceiptHandle": dead_letter.receipt}
            for position, dead_letter in enumerate(dead_letters)
        ]
        failed = set(range(len(dead_letters)))
        try:
            response = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            failed = {int(failure["Id"]) for failure in response.get("Failed", [])}
        except (BotoCoreError, ClientError):
            pass  # all of them failed, and the caller says so
        failed_ids = {dead_letters[position].message_id for position in failed}
        for dead_letter in dead_letters:
            if dead_letter.message_id not in failed_ids:
                self._receipts.pop(dead_letter.message_id, None)
        return failed_ids

    def release(self) -> None:
        """Makes visible again all that was received and not deleted; what fails comes by itself."""
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
