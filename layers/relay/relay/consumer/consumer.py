"""One batch of records: read, handle while there is time, put on queues, report.

A batch of much text is handled in parts, one after the other: what is built of a record takes many
times its length, and Lambda passes in up to 6 MB.

A record is acknowledged only when its result is safe: done, or on a queue. The others are
reported to SQS as failed, which delivers them again.
"""

from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from relay import telemetry
from relay.aws.sqs import Message, Queue
from relay.aws.timeouts import PUT_SECONDS
from relay.consumer.deadline import Deadline, Remaining
from relay.consumer.job import Job
from relay.consumer.settler import Destination, Settlement, Settler
from relay.errors import NotAnEnvelopeError

J = TypeVar("J", bound=Job)
Record = Mapping[str, Any]
"""An SQS record, as Lambda passes it in."""
Handle = Callable[[J], Awaitable[Settlement]]

LONGEST_PART: Final = 512 * 1024
"""Characters of the bodies that are handled at once. Only a single body may be longer. A hundred
times as many bytes may be built of them, and usual batches are shorter by far."""
Work = Coroutine[Any, Any, None]


@dataclass(slots=True)
class Batch(Generic[J]):
    """The state of one invocation's records, by message id."""

    jobs: dict[str, J] = field(default_factory=dict)
    settlements: dict[str, Settlement] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    """Neither done nor on a queue: SQS delivers these again."""


class Handler(Protocol[J]):
    """What a use case does with the jobs of a batch."""

    @property
    def needed_seconds(self) -> float:
        """The longest that one job can take from now on, its overhead included."""
        ...

    def read(self, record: Record) -> J:
        """The job of a record; raises `NotAnEnvelopeError`."""
        ...

    async def begin(self, jobs: Collection[J], deadline: Deadline) -> "Handle[J]":
        """Looks up what the jobs share; returns the function that handles one job."""
        ...

    def interrupted(self, job: J) -> Settlement:
        """The settlement of a job whose handling ended with a bug of ours."""
        ...

    def report(self, batch: Batch[J]) -> None:
        """Logs and counts a batch."""
        ...


class Workers(Protocol):
    """How jobs are handled concurrently: as tasks of an event loop, or in threads."""

    async def run(self, work: Callable[[], Work], jobs: int) -> None:
        """Runs several copies of `work` at once, as many as suit the number of jobs."""
        ...

    async def block(self, call: Callable[[], None]) -> None:
        """Makes a blocking call."""
        ...


class Consumer(Generic[J]):
    """Handles the batches of one function. Lives as long as its process."""

    def __init__(
        self,
        handler: Handler[J],
        settler: Settler,
        workers: Workers,
        queues: Mapping[Destination, Queue],
    ) -> None:
        self._handler = handler
        self._settler = settler
        self._workers = workers
        self._queues = queues

    async def consume(self, records: Sequence[Record], remaining: Remaining) -> list[str]:
        """Handles a batch; returns the message ids of the records to retry.

        When the remaining time is too short for a job, no new work starts: the rest of the batch is
        handed back.
        """
        deadline, failed = Deadline(remaining), list[str]()
        for part in _parts(records):
            failed += await self._consume_part(part, deadline)
        return failed

    async def _consume_part(self, records: Sequence[Record], deadline: Deadline) -> list[str]:
        """Handles some of a batch, and keeps nothing of it."""
        batch = Batch[J]()
        for record in records:
            self._read(record, batch)
        handle = await self._handler.begin(batch.jobs.values(), deadline)
        waiting = iter(batch.jobs.values())
        await self._workers.run(
            lambda: self._work(waiting, handle, batch, deadline), len(batch.jobs)
        )
        if any(settlement.message for settlement in batch.settlements.values()):
            await self._workers.block(lambda: self._put_on_queues(batch, deadline))
        self._report(batch)
        return [record["messageId"] for record in records if record["messageId"] in batch.failed]

    def _read(self, record: Record, batch: Batch[J]) -> None:
        message_id = record["messageId"]
        try:
            batch.jobs[message_id] = self._handler.read(record)
        except NotAnEnvelopeError as error:
            settlement = self._settler.no_envelope(record["body"], message_id, str(error))
            batch.settlements[message_id] = settlement
        except Exception as error:  # noqa: BLE001 - a bug must cost only its own record
            telemetry.unexpected(error, message_id=message_id)
            batch.failed.add(message_id)

    async def _work(
        self, jobs: Iterator[J], handle: "Handle[J]", batch: Batch[J], deadline: Deadline
    ) -> None:
        """One of the workers that share a batch's jobs."""
        for job in jobs:
            if deadline.allows(self._handler.needed_seconds):
                settlement = await self._settle(job, handle)
            else:
                settlement = self._settler.hand_back(job)
            if settlement is None:
                batch.failed.add(job.message_id)
            else:
                batch.settlements[job.message_id] = settlement

    async def _settle(self, job: J, handle: "Handle[J]") -> Settlement | None:
        """A job's settlement; None if a bug prevents even that."""
        try:
            return await handle(job)
        except Exception as error:  # noqa: BLE001 - a bug must cost only its own job an attempt
            telemetry.unexpected(error, message_id=job.message_id)
        try:
            return self._handler.interrupted(job)
        except Exception as error:  # noqa: BLE001 - then SQS delivers the record again
            telemetry.unexpected(error, message_id=job.message_id)
            return None

    def _put_on_queues(self, batch: Batch[J], deadline: Deadline) -> None:
        for destination, queue in self._queues.items():
            messages = {
                id_: settlement.message
                for id_, settlement in batch.settlements.items()
                if settlement.destination is destination and settlement.message is not None
            }
            try:
                batch.failed.update(_put(queue, messages, deadline))
            except Exception as error:  # noqa: BLE001 - then only these records come back
                telemetry.unexpected(error)
                batch.failed.update(messages)

    def _report(self, batch: Batch[J]) -> None:
        try:
            self._handler.report(batch)
        except Exception as error:  # noqa: BLE001 - a failed metric must not bring records back
            telemetry.unexpected(error)


def _parts(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """The records in their order, in parts of at most `LONGEST_PART` characters."""
    part: list[Record] = []
    length = 0
    for record in records:
        length += len(record["body"])
        if part and length > LONGEST_PART:
            yield part
            part, length = [], len(record["body"])
        part.append(record)
    yield part


def _put(queue: Queue, messages: Mapping[str, Message], deadline: Deadline) -> Iterable[str]:
    """Puts messages on a queue; returns the ids of those that it did not take."""
    ids = list(messages)
    missing = queue.send(list(messages.values()), lambda: deadline.allows(PUT_SECONDS))
    return (ids[position] for position in missing)
