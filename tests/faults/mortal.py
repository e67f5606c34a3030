"""Forwarders whose processes die, and whose calls fail, hang or lose their answers, where told to.

What a process does to the world are steps; harm is laid out for the next of a sort. A process that
dies does nothing any more: not even what it had begun to wait for.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httpx
from botocore.exceptions import ReadTimeoutError

from relay.aws.table import AsyncTable, Condition, Found, Item, Key, PutResult, Written
from relay.errors import TableBusyError, TableUnavailableError
from relay.forward.forwarder import Forwarder
from relay.http1.errors import ExchangeTimeoutError
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable
from tests.faults.fleet import Fleet
from tests.support.builders import Json
from tests.support.fakes import aws_error

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

_T = TypeVar("_T")

_CALL_SECONDS: Final = 0.004
"""What a call to DynamoDB takes."""
_HUNG_SECONDS: Final = 7.0
"""After that, no answer comes any more (`relay.aws.timeouts`)."""


class Step(StrEnum):
    """What a process does to the world."""

    PARAMETERS = "parameters"
    CLAIM = "claim"
    SEND = "send"
    REMEMBER = "remember"
    DOUBT = "doubt"
    RELEASE = "release"
    QUEUE = "queue"
    BURY = "bury"


class Harm(StrEnum):
    """What may happen to a step."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    FAILS = "fails"
    FAILS_IN_PART = "fails in part"
    """Every second item of a call."""
    LOSES_ANSWER = "loses the answer"
    """It is done, and fails for whoever asked."""
    HANGS = "hangs"
    """Until nobody waits any longer. Calls in threads fail at once instead."""
    BUG = "bug"
    """An error of ours, after it was done."""


class ProcessDiedError(BaseException):
    """Ends what a thread of a dead process does. Nothing of the layer's catches it."""


class MadeUpError(Exception):
    """A bug that was laid out."""


class Harms:
    """Harm that is laid out, by step; what comes first strikes first."""

    def __init__(self) -> None:
        self.dealt: Counter[tuple[Step, Harm]] = Counter()
        self._laid: defaultdict[Step, deque[Harm]] = defaultdict(deque)

    def lay(self, step: Step, harm: Harm) -> None:
        """Strikes the next step of this sort that nothing else strikes."""
        self._laid[step].append(harm)

    def clear(self) -> None:
        """From here on, all goes well."""
        self._laid.clear()

    def take(self, step: Step) -> Harm | None:
        """What happens to this step."""
        if not self._laid[step]:
            return None
        harm = self._laid[step].popleft()
        self.dealt[step, harm] += 1
        return harm


class Process:
    """One process of a function: lives until it is struck dead."""

    def __init__(self, harms: Harms) -> None:
        self.alive = True
        self.task: asyncio.Task[set[str] | None] | None = None
        """The invocation that it works on."""
        self._harms = harms

    def die(self) -> None:
        """SIGKILL."""
        self.alive = False
        if self.task is not None:
            self.task.cancel()

    async def step(
        self, step: Step, do: Callable[[Harm | None], Awaitable[_T]], failure: Callable[[], _T]
    ) -> _T:
        """Takes a step. `failure` raises, or gives what a failed call gives."""
        harm = self._begin(step, asyncio.CancelledError)
        if harm is Harm.FAILS:
            return failure()
        if harm is Harm.HANGS:
            await asyncio.sleep(_HUNG_SECONDS)
            return failure()
        answer = await do(harm)
        self._end(harm, asyncio.CancelledError)
        return failure() if harm is Harm.LOSES_ANSWER else answer

    def step_in_thread(self, step: Step, do: Callable[[Harm | None], _T], failure: Exception) -> _T:
        """The same for a blocking call; `failure` is raised."""
        harm = self._begin(step, ProcessDiedError)
        if harm in (Harm.FAILS, Harm.HANGS):
            raise failure
        answer = do(harm)
        self._end(harm, ProcessDiedError)
        if harm is Harm.LOSES_ANSWER:
            raise failure
        return answer

    def check_alive(self) -> None:
        """A dead process does nothing."""
        if not self.alive:
            raise asyncio.CancelledError

    def _begin(self, step: Step, end: type[BaseException]) -> Harm | None:
        if not self.alive:
            raise end
        harm = self._harms.take(step)
        if harm is Harm.DIES_BEFORE:
            self.die()
            raise end
        return harm

    def _end(self, harm: Harm | None, end: type[BaseException]) -> None:
        if harm is Harm.DIES_AFTER:
            self.die()
        if not self.alive:
            raise end
        if harm is Harm.BUG:
            raise MadeUpError


class _Deliveries:
    """The table of deliveries, as a process reaches it (`AsyncTable`)."""

    def __init__(self, process: Process, table: AsyncTable) -> None:
        self._process = process
        self._table = table

    async def get_all(self, keys: Collection[Key]) -> Found:
        return await self._take(Step.CLAIM, lambda: self._table.get_all(keys))

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        step = Step.CLAIM if "claimant" in item else Step.DOUBT
        return await self._take(step, lambda: self._table.put(key, item, only_if))

    async def delete(self, key: Key, only_if: Condition) -> None:
        await self._take(Step.RELEASE, lambda: self._table.delete(key, only_if))

    async def put_all(self, items: Mapping[Key, Item]) -> Written:
        return await self._write(Step.REMEMBER, items, self._table.put_all)

    async def put_new(self, items: Mapping[Key, Item]) -> Written:
        return await self._write(Step.CLAIM, items, self._table.put_new)

    async def _take(self, step: Step, call: Callable[[], Awaitable[_T]]) -> _T:
        async def do(harm: Harm | None) -> _T:
            await asyncio.sleep(_CALL_SECONDS)
            self._process.check_alive()
            if harm is Harm.FAILS_IN_PART:
                _unavailable()
            return await call()

        return await self._process.step(step, do, _unavailable)

    async def _write(
        self,
        step: Step,
        items: Mapping[Key, Item],
        write: Callable[[Mapping[Key, Item]], Awaitable[Written]],
    ) -> Written:
        async def do(harm: Harm | None) -> Written:
            await asyncio.sleep(_CALL_SECONDS)
            self._process.check_alive()
            throttled = list(items)[::2] if harm is Harm.FAILS_IN_PART else []
            written = await write({key: items[key] for key in items if key not in throttled})
            busy = {key: TableBusyError("DynamoDB failed: ThrottlingError") for key in throttled}
            return Written(written.existing, {**written.failed, **busy})

        def failed() -> Written:
            return Written(set(), dict.fromkeys(items, _TIMED_OUT))

        return await self._process.step(step, do, failed)


_TIMED_OUT: Final = TableUnavailableError("DynamoDB failed: ReadTimeoutError")


def _unavailable() -> Any:
    raise _TIMED_OUT


class _Sqs:
    """SQS, as a process reaches it."""

    def __init__(self, process: Process, sqs: Any, dead: str) -> None:
        self._process = process
        self._sqs = sqs
        self._dead = dead

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:  # noqa: N803 - AWS's
        def do(harm: Harm | None) -> Json:
            refused = Entries[::2] if harm is Harm.FAILS_IN_PART else []
            taken = [entry for entry in Entries if entry not in refused]
            answer: Json = {"Successful": []}
            if taken:
                answer = self._sqs.send_message_batch(QueueUrl=QueueUrl, Entries=taken)
            failed = [{"Id": one["Id"], "Code": "InternalError"} for one in refused]
            return {**answer, "Failed": failed} if failed else answer

        step = Step.BURY if QueueUrl == self._dead else Step.QUEUE
        return self._process.step_in_thread(step, do, aws_error("ServiceUnavailable"))

    def delete_message_batch(self, **call: Any) -> Any:
        return self._touch(lambda: self._sqs.delete_message_batch(**call))

    def change_message_visibility(self, **call: Any) -> Any:
        return self._touch(lambda: self._sqs.change_message_visibility(**call))

    def _touch(self, call: Callable[[], Any]) -> Any:
        """What is done to received messages before a suspect is handled."""

        def do(harm: Harm | None) -> Any:
            if harm is Harm.FAILS_IN_PART:
                raise aws_error("ServiceUnavailable")
            return call()

        return self._process.step_in_thread(Step.QUEUE, do, aws_error("ServiceUnavailable"))


class _Ssm:
    """Parameter Store, as a process reaches it."""

    def __init__(self, process: Process, ssm: Any) -> None:
        self._process = process
        self._ssm = ssm

    def get_parameters(self, **request: Any) -> Json:
        timed_out = ReadTimeoutError(endpoint_url="https://ssm.example.com")
        call = partial(self._ssm.get_parameters, **request)
        return self._process.step_in_thread(Step.PARAMETERS, lambda _: call(), timed_out)


class _AppsFlyer(httpx.AsyncBaseTransport):
    """AppsFlyer, as a process reaches it."""

    def __init__(self, process: Process, appsflyer: httpx.AsyncBaseTransport) -> None:
        self._process = process
        self._appsflyer = appsflyer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async def do(_: Harm | None) -> httpx.Response:
            return await self._appsflyer.handle_async_request(request)

        return await self._process.step(Step.SEND, do, _no_response)


def _no_response() -> httpx.Response:
    raise ExchangeTimeoutError("made up")


class MortalFleet(Fleet):
    """A fleet whose processes may be harmed."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.harms = Harms()
        self._processes: dict[Forwarder, Process] = {}

    def make_forwarder(self) -> Forwarder:
        process = Process(self.harms)
        forwarder = self.forwarder_over(
            cast("SQSClient", _Sqs(process, self.sqs, self.dead)),
            cast("SSMClient", _Ssm(process, self.ssm)),
            _Deliveries(process, MemoryAsyncTable(self.deliveries)),
            _AppsFlyer(process, self._appsflyer),
        )
        self._processes[forwarder] = process
        return forwarder

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do, unless something is put on the queue."""
        return not self._busy and not self.waiting

    async def live_for(self, seconds: float) -> None:
        """Lets time pass; where nothing is left to do, at once."""
        end = self.clock.seconds() + seconds
        while (left := end - self.clock.seconds()) > 0:
            if self.is_idle:
                self.clock.advance(left)
                break
            await asyncio.sleep(min(left, self._until_next()))

    async def _invoke(self, forwarder: Forwarder, records: Sequence[Json]) -> set[str] | None:
        process = self._processes[forwarder]
        process.task = task = asyncio.create_task(super()._invoke(forwarder, records))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # the poller is stopped
            task.cancel()
            raise
        failed = None if task.cancelled() else task.result()
        if failed is None:  # dead, or ended by Lambda
            process.alive = False
            del self._processes[forwarder]
        return failed
