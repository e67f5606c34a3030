"""A plan, carried out: handed in, forwarded through whatever weather, and written down."""

import asyncio
import gc
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from botocore.exceptions import ReadTimeoutError

from relay.aws.table import Condition, Item, Key, PutResult, Written
from relay.aws.timeouts import LONGEST_CALL_SECONDS
from relay.errors import TableUnavailableError
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from relay_sandbox.stand_in import Account
from relay_sandbox.stand_in.calls import Call
from tests.faults.balance import TOKEN, Balance, Plan, number_of, refuses
from tests.faults.fleet import Fleet
from tests.faults.in_process import STRIKES, WRONG, AppsFlyer, Mixed, Strike
from tests.faults.listening import listening
from tests.faults.virtual_time import VirtualLoop, run
from tests.support.fakes import FakeClock

_SAMPLES: Final = 40
_BACKLOG: Final = 250
_BETWEEN_HANGS: Final = 20.0
_HANG_SECONDS: Final = 15.0
_STATM: Final = Path("/proc/self/statm")


class Soak:
    """See the module. `faults`: the part of all calls to AppsFlyer that fail, by `strikes` (E16).

    `pace`: seconds between one event and the next; none hands in as many as can be worked on.
    Other keyword arguments are those of `Fleet`.
    """

    def __init__(
        self,
        plan: Plan,
        faults: float = 0.0,
        *,
        strikes: Sequence[Strike] = STRIKES,
        pace: float = 0.0,
        **fleet: Any,
    ) -> None:
        self.plan = plan
        self.balance = Balance(plan)
        self.mixed = Mixed(faults, seed=2, strikes=strikes)
        self.meanwhile: Callable[[], Awaitable[None]] = _nothing
        """What happens while events come in and are worked on."""
        self.looks_at_memory = False
        """Whether `blocks` and `bytes` are filled; each look takes a whole garbage collection."""
        self.blocks: list[int] = []
        """Blocks of memory that Python held, along the way: about one an object."""
        self.bytes: list[int] = []
        """Bytes of the whole process, the table of deliveries set apart."""
        self.clock = FakeClock()
        self._pace = pace
        self.answers_all: Strike | None = None
        """What AppsFlyer answers everybody, whatever they send."""
        self.hit: set[int] = set()
        """The events that got such an answer."""
        self.hung: Counter[str] = Counter()
        """How often each service of AWS's hung."""
        accounts = map(Account.model_validate, plan.accounts())
        appsflyer = AppsFlyer(accounts, self.clock, self.balance, self._weather)
        self.fleet = Fleet(appsflyer, self.clock, surface=plan.surface, **fleet)
        self.table = MemoryTable()
        self.fleet.deliveries = self.table
        self.tables_hang = False
        self._table_hangs_with_a_request = False
        self.fleet.async_table = lambda table: _Hanging(table, lambda: self.tables_hang)
        for app_id in plan.apps:
            self.fleet.add_app(app_id, TOKEN.format(app_id))

    def run(self) -> None:
        """From the first event to the last."""
        gc.freeze()  # what was there before need not be looked at each time, nor afterwards
        with listening() as self.heard:
            run(self.clock, self._run())

    async def parameters_and_queue_hang(self) -> None:
        """By turns, for a while each, as long as events come in. What hangs does nothing."""
        while self.fleet.feeding:
            for hang in (self._parameters_hang, self._queue_hangs):
                await asyncio.sleep(_BETWEEN_HANGS)
                with hang():
                    await asyncio.sleep(_HANG_SECONDS)

    async def tables_hang_for(self, seconds: float) -> None:
        """The table of deliveries hangs from the next request with money on, which it forgets."""
        await asyncio.sleep(_BETWEEN_HANGS)
        self._table_hangs_with_a_request = True
        await asyncio.sleep(seconds)
        self._table_hangs_with_a_request = self.tables_hang = False

    @contextmanager
    def _parameters_hang(self) -> Iterator[None]:
        self.fleet.ssm.error = _timed_out("ssm")
        with self._calls_in_threads_hang("parameters"):
            yield
        self.fleet.ssm.error = None

    @contextmanager
    def _queue_hangs(self) -> Iterator[None]:
        error = _timed_out("sqs")
        self.fleet.sqs.fails = lambda operation: error if operation == "SendMessageBatch" else None
        with self._calls_in_threads_hang("queue"):
            yield
        self.fleet.sqs.fails = lambda operation: None

    @contextmanager
    def _calls_in_threads_hang(self, service: str) -> Iterator[None]:
        loop = cast("VirtualLoop", asyncio.get_running_loop())
        self.hung[service] += 1
        loop.hangs_seconds = LONGEST_CALL_SECONDS
        yield
        loop.hangs_seconds = 0.0

    async def wrong_answers_for_all(self, seconds: float) -> None:
        """Each of them for so long, one after the other, with as long a time of calm before."""
        for strike in WRONG:
            await asyncio.sleep(seconds)
            self.answers_all = strike
            await asyncio.sleep(seconds)
            self.answers_all = None

    def _weather(self, call: Call) -> Strike | None:
        number = number_of(self.plan.surface, call.payload or {})
        if self._table_hangs_with_a_request and self.plan.has_money(number):
            self.tables_hang = True
        if self.answers_all is not None:
            self.hit.add(number)
            return self.answers_all
        return refuses(call) or self.mixed(call)

    async def _run(self) -> None:
        self.fleet.feeding = True
        async with self.fleet.at_work():
            await asyncio.gather(self._feed(), self._bury(), self.meanwhile())
            await self.fleet.drained()
        self._bury_all()

    async def _feed(self) -> None:
        """Hands in what is planned, never more at once than is soon worked on."""
        for number in range(self.plan.count):
            for telling, (envelope, cents) in enumerate(self.plan.tellings(number)):
                self.balance.hand_in(number, cents)
                self.fleet.put([envelope], _second_telling(number) if telling else 0)
            if self.looks_at_memory and number % (self.plan.count // _SAMPLES) == 0:
                self._look_at_memory()
            await asyncio.sleep(self._pace)
            while self.fleet.visible > _BACKLOG:  # noqa: ASYNC110 - a queue tells nobody
                await asyncio.sleep(0.1)
        self.fleet.feeding = False

    async def _bury(self) -> None:
        """Takes dead letters away as they come, so that what grows is not the test's."""
        while self.fleet.feeding:
            self._bury_all()
            await asyncio.sleep(10)

    def _bury_all(self) -> None:
        for letter in self.fleet.letters():
            self.balance.dead_letter(letter)

    def _look_at_memory(self) -> None:
        gc.collect()
        self.blocks.append(sys.getallocatedblocks())
        self.bytes.append(_resident_bytes() - self.table.size)


class _Hanging(MemoryAsyncTable):
    """A table that now and then does not answer, until nobody waits any longer."""

    def __init__(self, table: MemoryTable, hangs: Callable[[], bool]) -> None:
        super().__init__(table)
        self._hangs = hangs

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        await self._answer()
        return await super().put(key, item, only_if)

    async def delete(self, key: Key, only_if: Condition) -> None:
        await self._answer()
        await super().delete(key, only_if)

    async def put_all(self, items: Mapping[Key, Item]) -> Written:
        await self._answer()
        return await super().put_all(items)

    async def put_new(self, items: Mapping[Key, Item]) -> Written:
        await self._answer()
        return await super().put_new(items)

    async def _answer(self) -> None:
        if self._hangs():
            await asyncio.sleep(LONGEST_CALL_SECONDS)
            raise TableUnavailableError("DynamoDB failed: ReadTimeoutError")


def _timed_out(service: str) -> ReadTimeoutError:
    return ReadTimeoutError(endpoint_url=f"https://{service}.example.com")


async def _nothing() -> None:
    pass


def _second_telling(number: int) -> int:
    """Seconds: often none, mostly some, and now and then long after the first is delivered."""
    long_after = {0: 900, 1: 3_600, 2: 43_200}
    return long_after.get(number % 50, max(0, number % 31 - 10))


def _resident_bytes() -> int:
    """Of this process; where the system does not tell, the most that they ever were."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
