"""Looking through a dead-letter queue: every letter once, and all of them back in the end.

SQS has no way of looking: what is received is hidden for a while, and comes again when that is
over. So ids are remembered, and what is not deleted is made visible again at the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from relay_cli.clients.aws import explained
from relay_cli.dlq.dead_letter import DeadLetter, read_letter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        DeleteMessageBatchRequestEntryTypeDef,
    )

HIDDEN_SECONDS: Final = 300
"""How long a letter of a small queue stays hidden if we are killed before we can give it back."""
_LETTERS_A_SECOND: Final = 50
"""A slow look through a queue: a large one is hidden longer, or it would come round too early."""
_LONGEST_HIDDEN_SECONDS: Final = 43_200
"""What SQS allows: 12 hours."""
MOST_LETTERS: Final = 100_000
"""SQS hides about 120,000 messages of a queue at most; these bound our memory too (50 MB)."""
_A_CALL: Final = 10
_EMPTY_ANSWERS: Final = 3
"""Empty answers after which a queue counts as empty though SQS counts more: its count lags."""


@dataclass(slots=True)
class Mailbox:
    """A dead-letter queue that is looked through, while its `with` block runs.

    Leaving the block makes visible again what was received and not deleted.
    """

    sqs: "SQSClient"
    url: str
    wait_seconds: int = 1
    """How long SQS looks on all its servers before it says that there is nothing."""
    full: bool = False
    """Whether there may be more than could be looked at."""
    _hidden_seconds: int = HIDDEN_SECONDS
    _seen: int = 0
    _again: int = 0
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
        self.give_back()

    def size(self) -> int:
        """About how many letters there are; raises `CliError`."""
        with explained("SQS"):
            answer = self.sqs.get_queue_attributes(
                QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def batches(self, most: int = _A_CALL) -> Iterator[list[DeadLetter]]:
        """New letters, at most ten at a time, until there are none; raises `CliError`."""
        expected, empty = self.size(), 0
        self._hidden_seconds = min(
            HIDDEN_SECONDS + expected // _LETTERS_A_SECOND, _LONGEST_HIDDEN_SECONDS
        )
        while not self.full and empty < _EMPTY_ANSWERS:
            again = self._again
            if letters := self.receive(most):
                empty = 0
                yield letters
            elif self._seen >= expected or self._again > len(self._receipts):
                return  # all are seen, or all that are kept have come round once more
            elif self._again == again:
                empty += 1

    def receive(self, most: int = _A_CALL) -> list[DeadLetter]:
        """Letters that have not been seen yet; none when SQS has none, or only seen ones."""
        with explained("SQS"):
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=self._hidden_seconds,
                WaitTimeSeconds=self.wait_seconds,
                MessageSystemAttributeNames=["All"],
            )
        new = []
        for message in answer.get("Messages", []):
            if message["MessageId"] not in self._receipts:
                new.append(message)
            # Of one that came again, only the newest receipt counts.
            self._receipts[message["MessageId"]] = message["ReceiptHandle"]
        self._seen += len(new)
        self._again = 0 if new else self._again + len(answer.get("Messages", []))
        self.full = len(self._receipts) >= MOST_LETTERS
        return [read_letter(message) for message in new]

    def delete(self, letters: list[DeadLetter]) -> set[str]:
        """Deletes letters for good; the message ids of those that SQS did not delete."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(position), "ReceiptHandle": letter.receipt}
            for position, letter in enumerate(letters)
        ]
        failed = set(range(len(letters)))
        try:
            answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            failed = {int(failure["Id"]) for failure in answer.get("Failed", [])}
        except (BotoCoreError, ClientError):
            pass  # all of them failed, and the caller says so
        left = {letters[position].message_id for position in failed}
        for letter in letters:
            if letter.message_id not in left:
                self._receipts.pop(letter.message_id, None)
        return left

    def give_back(self) -> None:
        """Makes visible again all that was received and not deleted; what fails comes by itself."""
        kept = list(self._receipts.values())
        for start in range(0, len(kept), _A_CALL):
            entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {"Id": str(position), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for position, receipt in enumerate(kept[start : start + _A_CALL])
            ]
            try:
                self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
            except (BotoCoreError, ClientError):
                return
