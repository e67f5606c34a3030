"""One batch of records: read, handle while there is time, put on queues, report.

A batch of much text is handled in parts, one after the other: what is built of a record takes many
times its length, and Lambda passes in up to 6 MB.

A record is acknowledged only when its result is safe: done, or on a queue. The others are
reported to SQS as failed, which delivers them again. Whatever goes wrong with one record, or before
records are handled, costs only those that depend on it.

A record may also end its process, and then all that the process has in hand comes back. So a
suspect (`relay.consumer.suspects`) is handled alone, after the others: by then they are settled and
taken off the queue. When a suspect's turn comes it is hidden for longer than the suspects that are
left, so that these come back without it if the process dies. Each death thus finds one culprit, and
costs the others a receive.
"""

from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from relay import telemetry
from relay.aws.sqs import Message, Queue
from relay.aws.timeouts import PUT_SECONDS
from relay.consumer.deadline import Deadline, Remaining
from relay.consumer.job import Job
from relay.consumer.settler import Destination, Settlement, Settler
from relay.consumer.suspects import APART_SECONDS, Apart, Record, take_apart
from relay.consumer.workers import Line, Workers
from relay.errors import NotAnEnvelopeError
from relay.messages.backoff import Jitter

J = TypeVar("J", bound=Job)
Result = TypeVar("Result")
Handle = Callable[[J], Awaitable[Settlement]]

LONGEST_PART: Final = 512 * 1024
"""Characters of the bodies that are handled at once. Only a single body may be longer. A hundred
times as many bytes may be built of them, and usual batches are shorter by far."""
_END_SECONDS: Final = 1.0
"""Kept for the answer to Lambda."""
_PART_FOR_SUSPECTS: Final = 1 / 3
"""Of the time in which jobs may be begun."""


@dataclass(slots=True)
class Batch(Generic[J]):
    """The state of one invocation's records, by message id."""

    jobs: dict[str, J] = field(default_factory=dict)
    settlements: dict[str, Settlement] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    """Neither done nor on a queue: SQS delivers these again."""
    record_of: dict[str, str] = field(default_factory=dict)
    """The record of each job that is only a part of one. The record is done when all parts are."""


async def _at_once() -> None:
    pass


class Group(NamedTuple, Generic[J]):
    """Jobs that need the same to be known before they are handled."""

    jobs: Collection[J]
    ready: Callable[[], Awaitable[None]] = _at_once
    """Returns when it is known, or is known to be unknown. Its bugs cost its own jobs."""


class Beginning(NamedTuple, Generic[J]):
    """How the jobs of a batch are handled, and in which groups: those first that can go first."""

    handle: "Handle[J]"
    groups: Sequence[Group[J]]


class Handler(Protocol[J]):
    """What a use case does with the jobs of a batch."""

    @property
    def needed_seconds(self) -> float:
        """The longest that one job can take from now on, its overhead included."""
        ...

    def read(self, record: Record) -> Sequence[J]:
        """The jobs of a record; raises `NotAnEnvelopeError`.

        Mostly one, with the record's message id. Where there are several, or none, no job has that
        id: each is put on a queue, and the record is done when all of them are.
        """
        ...

    def begin(self, jobs: Collection[J], deadline: Deadline) -> Beginning[J]:
        """Begins to look up what the jobs need. Each job must be in one group."""
        ...

    def interrupted(self, job: J) -> Settlement:
        """The settlement of a job whose handling ended with a bug of ours."""
        ...

    def report(self, batch: Batch[J]) -> None:
        """Logs and counts a batch."""
        ...


class Consumer(Generic[J]):
    """Handles the batches of one function. Lives as long as its process."""

    def __init__(
        self,
        handler: Handler[J],
        settler: Settler,
        workers: Workers,
        queues: Mapping[Destination, Queue],
        jitter: Jitter,
    ) -> None:
        self._handler = handler
        self._jitter = jitter
        self._settler = settler
        self._workers = workers
        self._queues = queues

    async def consume(self, records: Sequence[Record], remaining: Remaining) -> list[str]:
        """Handles a batch; returns the message ids of the records to retry.

        When the remaining time is too short for a job, no new work starts: the rest of the batch is
        handed back.
        """
        deadline = Deadline(remaining)
        apart = take_apart(records, self._jitter)
        if not apart.suspects:
            failed = await self._handle_in_parts(apart.trusted, deadline)
        else:
            sooner = self._with_time_for_a_suspect(deadline)
            failed = await self._handle_in_parts(apart.trusted, sooner)
            failed |= await self._handle_alone(apart, failed, deadline)
        return [record["messageId"] for record in records if record["messageId"] in failed]

    # Suspects

    def _with_time_for_a_suspect(self, deadline: Deadline) -> Deadline:
        spare = deadline.remaining_seconds - self._handler.needed_seconds
        return deadline.sooner_by(max(0.0, spare * _PART_FOR_SUSPECTS))

    async def _handle_alone(
        self, apart: Apart, failed: Collection[str], deadline: Deadline
    ) -> set[str]:
        """Handles each suspect by itself. The trusted were handled, and all but `failed` are done.

        Returns the message ids of the suspects to retry.
        """
        suspects = apart.suspects
        done = [record for record in apart.trusted if record["messageId"] not in failed]
        left = {suspect["messageId"] for suspect in suspects}
        returned: set[str] = set()
        for suspect in suspects:
            if not deadline.allows(3 * PUT_SECONDS):
                break
            await self._set_apart(suspect, done)
            left.discard(suspect["messageId"])
            failed_now = await self._handle_together([suspect], deadline)
            returned |= failed_now
            done = [] if failed_now else [suspect]
        return returned | left

    async def _set_apart(self, suspect: Record, done: Sequence[Record]) -> None:
        """Takes what is done off the queue, and hides the suspect for longer than the others.

        If SQS does not do it, the suspect is handled all the same: if it kills, the others come
        back with it.
        """
        queue = self._queues[Destination.WAITING]

        def call() -> None:
            queue.delete([record["receiptHandle"] for record in done])
            queue.hide(suspect["receiptHandle"], APART_SECONDS)

        try:
            await self._workers.block(call, 2 * PUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - see above
            telemetry.unexpected(error, message_id=suspect["messageId"])

    # A batch

    async def _handle_in_parts(self, records: Sequence[Record], deadline: Deadline) -> set[str]:
        """Handles records part by part, and keeps nothing of a part."""
        failed: set[str] = set()
        for part in _parts(records):
            failed |= await self._handle_together(part, deadline)
        return failed

    async def _handle_together(self, records: Sequence[Record], deadline: Deadline) -> set[str]:
        """Handles records as one batch; returns the message ids of those to retry."""
        batch = Batch[J]()
        for record in records:
            self._read(record, batch)
        handle, groups = self._begin(batch.jobs.values(), deadline)
        await self._workers.run([self._line(group, handle, batch, deadline) for group in groups])
        batch.failed |= batch.jobs.keys() - batch.settlements.keys()
        await self._put_on_queues(batch, deadline)
        batch.failed = {batch.record_of.get(id_, id_) for id_ in batch.failed}
        _netted(lambda: self._handler.report(batch))
        return batch.failed

    def _read(self, record: Record, batch: Batch[J]) -> None:
        message_id = record["messageId"]
        try:
            for job in self._handler.read(record):
                batch.jobs[job.message_id] = job
                if job.message_id != message_id:
                    batch.record_of[job.message_id] = message_id
        except NotAnEnvelopeError as error:
            no_envelope = partial(self._settler.no_envelope, record["body"], message_id, str(error))
            self._keep(_netted(no_envelope, message_id), message_id, batch)
        except Exception as error:  # noqa: BLE001 - a bug must cost only its own record
            telemetry.unexpected(error, message_id=message_id)
            batch.failed.add(message_id)

    @staticmethod
    def _keep(settlement: Settlement | None, message_id: str, batch: Batch[J]) -> None:
        """Notes a record's settlement; without one, SQS delivers it again."""
        if settlement is None:
            batch.failed.add(message_id)
        else:
            batch.settlements[message_id] = settlement

    def _begin(self, jobs: Collection[J], deadline: Deadline) -> Beginning[J]:
        try:
            return self._handler.begin(jobs, deadline)
        except Exception as error:  # noqa: BLE001 - a bug must cost its jobs an attempt, not a crash
            return Beginning(_fail_with(error), [Group(jobs)])

    def _line(
        self, group: Group[J], handle: "Handle[J]", batch: Batch[J], deadline: Deadline
    ) -> Line:
        """A group's jobs as work. If it does not get ready, they are handled as by a bug."""
        ways = [handle]

        async def ready() -> None:
            try:
                await group.ready()
            except Exception as error:  # noqa: BLE001 - a bug must cost only the jobs that wait
                ways[:] = [_fail_with(error)]

        jobs = iter(group.jobs)
        return Line(ready, lambda: self._work(jobs, ways[0], batch, deadline), len(group.jobs))

    async def _work(
        self, jobs: Iterator[J], handle: "Handle[J]", batch: Batch[J], deadline: Deadline
    ) -> None:
        """One of the workers that share a group's jobs."""
        for job in jobs:
            if deadline.allows(self._handler.needed_seconds):
                settlement = await self._settle(job, handle)
            elif job.message_id in batch.record_of:  # its record comes again, whole
                settlement = None
            else:
                settlement = _netted(partial(self._settler.hand_back, job), job.message_id)
            self._keep(settlement, job.message_id, batch)

    async def _settle(self, job: J, handle: "Handle[J]") -> Settlement | None:
        """A job's settlement; None if a bug prevents even that."""
        try:
            return await handle(job)
        except Exception as error:  # noqa: BLE001 - a bug must cost only its own job an attempt
            telemetry.unexpected(error, message_id=job.message_id)
        return _netted(lambda: self._handler.interrupted(job), job.message_id)

    # Queues

    async def _put_on_queues(self, batch: Batch[J], deadline: Deadline) -> None:
        kept = {id_: one for id_, one in batch.settlements.items() if one.message is not None}
        if not kept:
            return
        seconds = deadline.remaining_seconds - _END_SECONDS
        try:
            batch.failed |= await self._workers.block(lambda: self._put(kept, deadline), seconds)
        except Exception as error:  # noqa: BLE001 - mostly time: what a thread still puts comes twice
            telemetry.aws_failed("SendMessageBatch", [telemetry.aws_code(error)])
            batch.failed |= kept.keys()

    def _put(self, settlements: Mapping[str, Settlement], deadline: Deadline) -> set[str]:
        """Puts messages on their queues; returns the ids of those that are on none."""
        missing = set(settlements)
        for destination, queue in self._queues.items():
            messages = {
                id_: one.message
                for id_, one in settlements.items()
                if one.destination is destination and one.message is not None
            }
            taken = _netted(lambda: _send(queue, messages, deadline))  # noqa: B023 - called at once
            missing -= taken or set()
        return missing


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
    if part:
        yield part


def _send(queue: Queue, messages: Mapping[str, Message], deadline: Deadline) -> set[str]:
    """Puts messages on a queue; returns the ids of those that it took."""
    ids = list(messages)
    missing = queue.send(list(messages.values()), lambda: deadline.allows(PUT_SECONDS))
    return set(ids) - {ids[position] for position in missing}


def _netted(call: Callable[[], Result], message_id: str = "") -> Result | None:
    """What a call returns; None, and a line in the log, if it ends with a bug of ours."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - this is the net
        telemetry.unexpected(error, **({"message_id": message_id} if message_id else {}))
        return None


def _fail_with(error: Exception) -> "Handle[J]":
    """Handles each job by this error, which the net around it then counts."""

    async def handle(job: J) -> Settlement:
        del job
        raise error

    return handle
