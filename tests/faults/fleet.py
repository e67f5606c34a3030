"""Forwarders at work on one queue, as an event source mapping runs them, by a clock that jumps.

Each of them is a process of its own: it remembers what it has read, and nothing of the others. A
poller takes a batch, hands it in, and deletes what was not reported as failed; an invocation that
takes too long is ended, as Lambda ends it.
"""

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NoReturn

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from relay.aws.parameter_store import ParameterStore
from relay.aws.table import AsyncTable
from relay.domain.kinds import Surface
from relay.forward.forwarder import Forwarder
from relay.forward.rate_limiter import RateLimiter
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.support.builders import Json, make_settings
from tests.support.fakes import FakeClock, FakeSsm
from tests.support.forwarders import make_forwarder
from tests.support.memory_queue import State, Traffic
from tests.support.memory_sqs import MemorySqs
from tests.support.template import PARAMETERS, properties

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

_QUEUE: Final = properties("MobileQueue")
INVOCATION_SECONDS: Final[int] = properties("ForwardMobileFunction")["Timeout"]
VISIBILITY_SECONDS: Final[int] = _QUEUE["VisibilityTimeout"]
MAX_RECEIVES: Final[int] = _QUEUE["RedrivePolicy"]["maxReceiveCount"]
SCHEDULE: Final = tuple(map(int, PARAMETERS["RetryScheduleSeconds"]["Default"].split(",")))
WINDOW_SECONDS: Final = float(PARAMETERS["BatchingWindowSeconds"]["Default"])
"""How long a batch may fill."""

_INVOCATION: Final[ContextVar[asyncio.Task[Any]]] = ContextVar("invocation")

IN_FLIGHT: Final = 10
"""Requests that one forwarder has open at once."""
_A_CALL: Final = 10
_IDLE_SECONDS: Final = 20.0
"""How soon it is looked whether somebody still feeds the queue."""
_LOOK_SECONDS: Final = 0.5
"""How soon a poller looks again, where a call failed that should have brought something."""
_DAYS: Final = 6


class Fleet:
    """A queue, its dead-letter queue, and the forwarders behind it.

    `instances`: how many there are. Other keyword arguments are a forwarder's settings.
    """

    def __init__(
        self,
        appsflyer: httpx.AsyncBaseTransport,
        clock: FakeClock,
        *,
        surface: Surface = Surface.MOBILE,
        instances: int = 4,
        batch_size: int = 50,
        traffic: Traffic = Traffic(),  # noqa: B008 - a constant
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.surface = surface
        self.sqs = MemorySqs(clock, traffic=traffic)
        self.sqs.on_change = self._stir
        self.queue, self.dead = self.sqs.make_pair(
            surface.value,
            MAX_RECEIVES,
            VisibilityTimeout=str(VISIBILITY_SECONDS),
            MessageRetentionPeriod=str(_QUEUE["MessageRetentionPeriod"]),
        )
        self.ssm = FakeSsm()
        self.deliveries = MemoryTable()
        self.identities = MemoryTable()
        self.async_table: Callable[[MemoryTable], AsyncTable] = MemoryAsyncTable
        """How forwarders reach the table of deliveries."""
        self.settings = make_settings(
            **{
                "queue_url": self.queue,
                "dead_letter_queue_url": self.dead,
                "retry_schedule_seconds": SCHEDULE,
                "requests_in_flight": IN_FLIGHT,
                "deduplicate": "money",
                **settings,
            }
        )
        self.timed_out = 0
        """Invocations that Lambda had to end."""
        self.feeding = False
        """Whether more may be put on the queue from outside."""
        self._appsflyer = appsflyer
        self._instances = instances
        self._batch_size = batch_size
        self._busy = 0
        self._stirred, self._turn = asyncio.Event(), asyncio.Lock()
        self._killed: set[asyncio.Task[Any]] = set()
        self._chance = random.Random(0)  # noqa: S311 - jitter, and the same in each run

    def make_forwarder(self) -> Forwarder:
        """A forwarder of a fresh process: it remembers nothing."""
        table = self.async_table(self.deliveries)
        return self.forwarder_over(self.sqs.client(), self.ssm.client(), table, self._appsflyer)

    def forwarder_over(
        self,
        sqs: "SQSClient",
        ssm: "SSMClient",
        deliveries: AsyncTable,
        appsflyer: httpx.AsyncBaseTransport,
    ) -> Forwarder:
        """A forwarder that reaches everything by these."""
        store = ParameterStore(ssm, "/relay", self.clock.seconds, jitter=self._chance.uniform)
        limiter = RateLimiter(
            self.settings.requests_a_second_here(self.surface), self.clock.seconds
        )
        return make_forwarder(
            self.surface,
            self.settings,
            appsflyer,
            store,
            sqs,
            self.clock,
            deliveries=deliveries,
            identities=self.identities,
            limiter=limiter,
            jitter=self._chance.uniform,
        )

    def add_app(self, app_id: str, token: str) -> None:
        """Sets an app up, or gives it another token."""
        self.ssm.parameters[f"/relay/apps/{self.surface}/{app_id}"] = "{}"
        self.ssm.parameters[f"/relay/tokens/{self.surface}/{app_id}"] = token

    def put(self, envelopes: Iterable[Json], delay_seconds: int = 0) -> None:
        """As producers do, who try again until SQS has taken them."""
        for envelope in envelopes:
            self.sqs.put(self.queue, json.dumps(envelope), envelope["app_id"], delay_seconds)

    def letters(self) -> list[Json]:
        """Takes all dead letters off their queue."""
        return [json.loads(body) for body in self.sqs.take_all(self.dead)]

    @property
    def killed(self) -> int:
        """How many processes ended in the middle of an invocation."""
        return len(self._killed)

    @property
    def waiting(self) -> int:
        """How many messages are on the queue, wherever."""
        return len(self.sqs.queue(self.queue))

    @property
    def visible(self) -> int:
        """How many messages may be received now."""
        return self.sqs.queue(self.queue).counts[State.VISIBLE]

    # The event source mapping

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The pollers poll, while the block lasts; what is under way at its end is given up."""
        # They belong to the loop that first waits for them.
        self._stirred, self._turn = asyncio.Event(), asyncio.Lock()
        forwarders = [self.make_forwarder() for _ in range(self._instances)]
        pollers = [asyncio.create_task(self._poll(forwarder)) for forwarder in forwarders]
        try:
            yield
        finally:
            for poller in pollers:
                poller.cancel()
            ended = await asyncio.gather(*pollers, return_exceptions=True)
        for end in ended:
            if not isinstance(end, asyncio.CancelledError | None):
                raise end

    async def drained(self) -> None:
        """Until nothing is left on the queue; fails when that takes more than some days."""
        until = self.clock.seconds() + _DAYS * 86_400
        while self.feeding or self._busy or self.waiting:
            await self._until_stirred(_IDLE_SECONDS if self.feeding else math.inf)
            assert self.clock.seconds() < until, f"{self.waiting} messages wait for ever"

    async def _poll(self, forwarder: Forwarder) -> None:
        while True:
            records = await self._next_records()
            self._busy += 1
            try:
                forwarder = await self._handle(forwarder, records)
            finally:
                self._busy -= 1
                self._stir()

    async def _next_records(self) -> list[Json]:
        """Waits for messages, and takes those that are there.

        One poller at a time: the others would wake in vain.
        """
        async with self._turn:
            while not (records := self._receive(self._batch_size)):
                await self._until_stirred()
            return records

    async def _handle(self, forwarder: Forwarder, records: list[Json]) -> Forwarder:
        """Lets a batch fill, hands it in, deletes what is done; gives the process for the next."""
        if len(records) < self._batch_size:
            await asyncio.sleep(WINDOW_SECONDS)
            records += self._receive(self._batch_size - len(records))
        failed = await self._invoke(forwarder, records)
        if failed is None:
            return self.make_forwarder()
        self._delete([record for record in records if record["messageId"] not in failed])
        return forwarder

    def _stir(self) -> None:
        """Wakes whoever waits now, as a message wakes a long poll."""
        self._stirred.set()
        self._stirred.clear()

    async def _until_stirred(self, longest: float = math.inf) -> None:
        """Until there may be something to take, or nothing any more."""
        seconds = min(longest, self._until_next())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), None if seconds == math.inf else seconds)

    def _until_next(self) -> float:
        """Seconds until there may be something to take, if nobody stirs before."""
        queue = self.sqs.queue(self.queue)
        due = queue.next_due()
        wait = math.inf if due is None else max(0.001, due / 1000 - self.clock.now.timestamp())
        if queue.counts[State.VISIBLE] and not queue.is_full:
            return min(wait, _LOOK_SECONDS)
        return wait

    def kill(self) -> NoReturn:
        """Ends the process that calls this, in the middle of what it does."""
        invocation = _INVOCATION.get()
        self._killed.add(invocation)
        invocation.cancel()
        raise asyncio.CancelledError

    async def _forward(
        self, forwarder: Forwarder, records: Sequence[Json], end: float
    ) -> list[str]:
        invocation = asyncio.current_task()
        assert invocation is not None
        _INVOCATION.set(invocation)
        return await forwarder.forward(records, lambda: end - self.clock.seconds())

    async def _invoke(self, forwarder: Forwarder, records: Sequence[Json]) -> set[str] | None:
        """The message ids that failed; None where the invocation had to be ended."""
        end = self.clock.seconds() + INVOCATION_SECONDS
        invocation = asyncio.create_task(self._forward(forwarder, records, end))
        try:
            async with asyncio.timeout(INVOCATION_SECONDS):
                return set(await invocation)
        except TimeoutError:
            self.timed_out += 1
            return None
        except asyncio.CancelledError:
            if invocation not in self._killed:  # the poller's own end
                raise
            return None

    def _receive(self, most: int) -> list[Json]:
        records: list[Json] = []
        try:
            while len(records) < most:
                answer = self.sqs.receive_message(
                    QueueUrl=self.queue,
                    MaxNumberOfMessages=min(_A_CALL, most - len(records)),
                    WaitTimeSeconds=20,
                    AttributeNames=["All"],
                )
                if "Messages" not in answer:
                    break
                records += map(_record, answer["Messages"])
        except (BotoCoreError, ClientError):  # what was received already is worked on
            pass
        return records

    def _delete(self, records: Sequence[Json]) -> None:
        for start in range(0, len(records), _A_CALL):
            entries = [
                {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
                for number, record in enumerate(records[start : start + _A_CALL])
            ]
            try:
                self.sqs.delete_message_batch(QueueUrl=self.queue, Entries=entries)
            except (BotoCoreError, ClientError):  # they come again, as on AWS
                continue


def _record(message: Json) -> Json:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
