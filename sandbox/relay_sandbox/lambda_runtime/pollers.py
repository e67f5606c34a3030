"""Event source mappings: receive messages, invoke a function with them, delete what succeeded.

Messages that were reported as failed (or the whole batch, if the function failed) stay on the queue
and are delivered again after their visibility time-out. After `maxReceiveCount` times the queue
itself (here moto) moves them to the dead-letter queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from relay_sandbox.lambda_runtime.runtime_api import MAX_PAYLOAD_BYTES
from relay_sandbox.lambda_runtime.sqs_events import Record, failed_ids, record_bytes, sqs_record

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef

    from relay_sandbox.deployment.stack import EventSource
    from relay_sandbox.lambda_runtime.function import Invocable
    from relay_sandbox.lambda_runtime.runtime_api import FunctionError
    from relay_sandbox.local_aws.aws import LocalAws

_LOGGER = logging.getLogger(__name__)
_CALL_BATCH = 10  # messages that SQS receives or deletes in one call
_LONG_POLL_SECONDS = 2  # short, so that stopping is quick
_WINDOW_POLL_SECONDS = 0.05
_AFTER_ERROR_SECONDS = 0.5
_EMPTY_EVENT_BYTES = len(b'{"Records": []}')


class BatchObserver(Protocol):
    """Is told what becomes of the records of a queue, as it happens."""

    def received(self, queue_url: str, records: Sequence[Record]) -> None:
        """A function is about to get these records."""

    def settled(
        self,
        queue_url: str,
        records: Sequence[Record],
        handed_back: Collection[str],
        error: FunctionError | None,
    ) -> None:
        """The function has ended: with an error, or with these message ids handed back."""


class Poller:
    """An event source mapping, active while `run` runs.

    `limit` is the maximum of concurrent invocations. At the limit nothing is received, so that no
    message waits here while the queue counts it as being processed. `window_seconds` is the
    batching window. `observer` is told of each batch. After an error of the function its messages
    come back after `seconds_after_error`, not after the queue's visibility time-out.
    """

    def __init__(
        self,
        aws: LocalAws,
        source: EventSource,
        function: Invocable,
        *,
        limit: int,
        window_seconds: float,
        observer: BatchObserver | None = None,
        seconds_after_error: int | None = None,
    ) -> None:
        self._aws = aws
        self._source = source
        self._function = function
        self._window_seconds = window_seconds
        self._observer = observer
        self._seconds_after_error = seconds_after_error
        self._slots = asyncio.Semaphore(limit)
        self._left_over: list[Record] = []  # received, but too large for the previous batch

    async def run(self) -> None:
        """Poll until cancelled; batches in progress are then delivered again."""
        async with asyncio.TaskGroup() as under_way:
            while True:
                await self._slots.acquire()
                batch = await self._collect()
                delivery = under_way.create_task(self._deliver(batch))
                delivery.add_done_callback(lambda _: self._slots.release())

    async def _collect(self) -> list[Record]:
        """Wait for a message, then fill the batch up to its size, 6 MB, or the window's end."""
        received, self._left_over = self._left_over, []
        while not received:
            received = await self._receive(self._source.batch_size, _LONG_POLL_SECONDS)
        loop = asyncio.get_running_loop()
        closes = loop.time() + self._window_seconds
        while (wanted := self._source.batch_size - len(received)) > 0 and loop.time() < closes:
            if _event_bytes(received) > MAX_PAYLOAD_BYTES:
                break
            more = await self._receive(wanted, 0)
            received += more
            if not more:
                await asyncio.sleep(min(_WINDOW_POLL_SECONDS, max(0.0, closes - loop.time())))
        fitting = _count_that_fit(received)
        self._left_over = received[fitting:]
        return received[:fitting]

    async def _receive(self, wanted: int, wait_seconds: int) -> list[Record]:
        try:
            response = await self._aws.call(
                self._aws.sqs.receive_message,
                QueueUrl=self._source.queue_url,
                MaxNumberOfMessages=min(wanted, _CALL_BATCH),
                WaitTimeSeconds=wait_seconds,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (BotoCoreError, ClientError):
            _LOGGER.exception("cannot receive from %s; trying again", self._source.queue_url)
            await asyncio.sleep(_AFTER_ERROR_SECONDS)
            return []
        return [sqs_record(m, self._source.queue_arn) for m in response.get("Messages", [])]

    async def _deliver(self, batch: list[Record]) -> None:
        ids = [record["messageId"] for record in batch]
        if self._observer:
            self._observer.received(self._source.queue_url, batch)
        invocation = await self._function.invoke({"Records": batch})
        reports = self._source.reports_item_failures
        failed = failed_ids(invocation.result, ids) if reports else set()
        if self._observer:
            self._observer.settled(self._source.queue_url, batch, failed, invocation.error)
        if invocation.error:
            kind = invocation.error.type  # not the message, which may contain a sender's data
            _LOGGER.warning("%s failed: %s; see its log", self._source.function, kind)
            await self._shorten_wait(batch)
            return
        await self._delete([record for record in batch if record["messageId"] not in failed])

    async def _shorten_wait(self, records: Sequence[Record]) -> None:
        if self._seconds_after_error is None:
            return
        for record in records:
            with contextlib.suppress(BotoCoreError, ClientError):  # they come back later then
                await self._aws.call(
                    self._aws.sqs.change_message_visibility,
                    QueueUrl=self._source.queue_url,
                    ReceiptHandle=record["receiptHandle"],
                    VisibilityTimeout=self._seconds_after_error,
                )

    async def _delete(self, records: Sequence[Record]) -> None:
        for chunk in _chunks(records, _CALL_BATCH):
            entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
                {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
                for number, record in enumerate(chunk)
            ]
            try:
                await self._aws.call(
                    self._aws.sqs.delete_message_batch,
                    QueueUrl=self._source.queue_url,
                    Entries=entries,
                )
            except (BotoCoreError, ClientError):  # they are delivered again, as on AWS
                _LOGGER.exception("cannot delete from %s", self._source.queue_url)


def _event_bytes(records: Iterable[Record]) -> int:
    return _EMPTY_EVENT_BYTES + sum(map(record_bytes, records))


def _count_that_fit(records: Sequence[Record]) -> int:
    """Return how many of the first records fit into one event; at least one."""
    sizes = itertools.accumulate(map(record_bytes, records), initial=_EMPTY_EVENT_BYTES)
    return max(1, sum(size <= MAX_PAYLOAD_BYTES for size in sizes) - 1)


def _chunks(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    return (records[start : start + size] for start in range(0, len(records), size))
