"""A plan, carried out: handed in, forwarded through whatever weather, and written down."""

import asyncio
import gc
import resource
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from relay_sandbox.stand_in import Account
from relay_sandbox.stand_in.calls import Call
from tests.fakes import FakeClock
from tests.faults.balance import TOKEN, Balance, Plan, refuses
from tests.faults.fleet import Fleet
from tests.faults.in_process import STRIKES, AppsFlyer, Mixed, Strike
from tests.faults.listening import listening
from tests.faults.virtual_time import run
from tests.memory_table import MemoryTable

_SAMPLES: Final = 40
_BACKLOG: Final = 250
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
        accounts = map(Account.model_validate, plan.accounts())
        appsflyer = AppsFlyer(accounts, self.clock, self.balance, self._weather)
        self.fleet = Fleet(appsflyer, self.clock, surface=plan.surface, **fleet)
        self.table = MemoryTable()
        self.fleet.deliveries = self.table
        for app_id in plan.apps:
            self.fleet.add_app(app_id, TOKEN.format(app_id))

    def run(self) -> None:
        """From the first event to the last."""
        gc.collect()
        gc.freeze()  # what was there before need not be looked at each time
        with listening() as self.heard:
            run(self.clock, self._run())
        gc.unfreeze()

    def _weather(self, call: Call) -> Strike | None:
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
            await asyncio.sleep(1)

    def _bury_all(self) -> None:
        for letter in self.fleet.letters():
            self.balance.dead_letter(letter)

    def _look_at_memory(self) -> None:
        gc.collect()
        self.blocks.append(sys.getallocatedblocks())
        self.bytes.append(_resident_bytes() - self.table.size)


async def _nothing() -> None:
    pass


def _second_telling(number: int) -> int:
    """Seconds: often none, mostly some, and now and then long after the first is delivered."""
    return 900 if number % 50 == 0 else max(0, number % 31 - 10)


def _resident_bytes() -> int:
    """Of this process; where the system does not tell, the most that they ever were."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
