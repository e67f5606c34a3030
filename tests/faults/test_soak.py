"""Many events, mixed faults, some handed in twice: the books agree to the event and the cent.

The real forwarder on the queue and the table in memory, which pass the same contract tests as
moto's; AppsFlyer is the stand-in's judgement, in this process.
"""

import asyncio
import gc
import random
import resource
import sys
from pathlib import Path

import pytest

from relay.preparation import Surface
from relay_sandbox.stand_in import Account
from tests.fakes import FakeClock
from tests.faults.balance import APPS, TOKEN, Balance, Plan, refuses
from tests.faults.conftest import Saw, Scale
from tests.faults.fleet import Fleet
from tests.faults.in_process import AppsFlyer, Mixed
from tests.faults.listening import listening
from tests.faults.virtual_time import run
from tests.memory_queue import Traffic
from tests.memory_table import MemoryTable

pytestmark = pytest.mark.xdist_group("soak")  # one soak for all that look at it

FAULTS = 0.05
MOST_BLOCKS = 15_000
"""By how many objects memory may have grown in the last quarter since the first: a fifth of one for
each event of the long form, so that nothing is kept of an event. Most of them are what is on the
queue at the time."""
MOST_BYTES = 8_000_000
"""The same for the whole process, the table of deliveries set apart, which DynamoDB keeps."""
_SAMPLES = 40
_BACKLOG = 250
_STATM = Path("/proc/self/statm")


class Soak:
    """A plan, carried out."""

    def __init__(self, plan: Plan, traffic: Traffic = Traffic()) -> None:  # noqa: B008 - a constant
        self.plan = plan
        self.balance = Balance(plan)
        self.mixed = Mixed(FAULTS, seed=2)
        self.blocks: list[int] = []
        """Blocks of memory that Python held, along the way: about one an object."""
        self.bytes: list[int] = []
        """Bytes of the whole process, the table of deliveries set apart."""
        self.clock = FakeClock()
        accounts = map(Account.model_validate, plan.accounts())
        appsflyer = AppsFlyer(
            accounts, self.clock, self.balance, lambda call: refuses(call) or self.mixed(call)
        )
        self.fleet = Fleet(
            appsflyer,
            self.clock,
            surface=plan.surface,
            instances=4,
            traffic=traffic,
            deduplicate="all",
        )
        self.table = MemoryTable()
        self.fleet.deliveries = self.table
        for app_id in APPS[plan.surface]:
            self.fleet.add_app(app_id, TOKEN.format(app_id))

    def run(self) -> None:
        gc.collect()
        gc.freeze()  # what was there before need not be looked at each time
        with listening() as self.heard:
            run(self.clock, self._run())
        gc.unfreeze()

    async def _run(self) -> None:
        self.fleet.feeding = True
        async with self.fleet.at_work():
            await asyncio.gather(self._feed(), self._bury())
            await self.fleet.drained()
        self._bury_all()

    async def _feed(self) -> None:
        """Hands in what is planned, never more at once than is soon worked off."""
        for number in range(self.plan.count):
            for telling, (envelope, cents) in enumerate(self.plan.tellings(number)):
                self.balance.hand_in(number, cents)
                self.fleet.put([envelope], _second_telling(number) if telling else 0)
            if number % (self.plan.count // _SAMPLES) == 0:
                self._look_at_memory()
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
            self.balance.bury(letter)

    def _look_at_memory(self) -> None:
        gc.collect()
        self.blocks.append(sys.getallocatedblocks())
        self.bytes.append(_resident_bytes() - self.table.size)


def _second_telling(number: int) -> int:
    """Seconds: often none, mostly some, and now and then long after the first is delivered."""
    return 900 if number % 50 == 0 else max(0, number % 31 - 10)


def _resident_bytes() -> int:
    """Of this process; where the system does not tell, the most that they ever were."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _growth(samples: list[int]) -> int:
    """From the first quarter to the last; what was needed to get going is left out."""
    quarter = len(samples) // 4
    first, last = samples[quarter // 2 : quarter], samples[-quarter // 2 :]
    return sum(last) // len(last) - sum(first) // len(first)


@pytest.fixture(scope="module", params=[Surface.MOBILE, Surface.WEB])
def soak(request: pytest.FixtureRequest, scale: Scale) -> Soak:
    """A soak that is over; what is promised of it is looked at from several sides."""
    soak = Soak(Plan(request.param, scale.soak // 2))
    soak.run()
    return soak


def test_soak_accounts_for_every_event(soak: Soak, saw: Saw) -> None:
    """Handed in = delivered + dead letters + duplicates, for each of them."""
    balance, plan = soak.balance, soak.plan
    for number in range(plan.count):
        delivered, dead, dropped = plan.expected(number)
        assert (balance.accepted[number], balance.dead[number]) == (delivered, dead), number
        assert balance.handed[number] == delivered + dead + dropped, number
    saw(
        events=plan.count,
        handed_in=sum(balance.handed),
        delivered=sum(balance.accepted),
        dead_letters=sum(balance.dead),
        duplicates=soak.heard.counted["Duplicate"],
        faults=soak.mixed.dealt.total(),
    )


def test_soak_loses_and_doubles_no_cent(soak: Soak, saw: Saw) -> None:
    balance, plan = soak.balance, soak.plan
    for number in range(plan.count):
        dropped = plan.expected(number)[2] * plan.cents(number)
        due = balance.handed_cents[number] - balance.dead_cents[number] - dropped
        assert balance.accepted_cents[number] == due, number
        assert balance.recorded_cents[number] == _recorded(balance, number, due), number
    saw(
        cents=sum(balance.accepted_cents),
        recorded=sum(balance.recorded_cents),
        of_those_uncertain=sum(balance.doubtful_cents),
    )


def _recorded(balance: Balance, number: int, due: int) -> int:
    """What AppsFlyer is to have recorded, with what it recorded and did not say so."""
    doubtful = balance.doubtful_cents[number]
    if balance.plan.surface is Surface.MOBILE:
        return due + doubtful
    return doubtful if balance.doubtful[number] else due  # W11: it drops the second one


def test_soak_records_twice_only_what_was_uncertain_and_counted(soak: Soak, saw: Saw) -> None:
    balance = soak.balance
    doubled = balance.doubled

    assert all(balance.doubtful[number] for number in doubled)
    extra = sum(balance.recorded[number] - 1 for number in doubled)
    assert extra <= soak.heard.counted["Uncertain"] == soak.mixed.uncertain
    if soak.plan.surface is Surface.WEB:  # W11
        assert doubled == []
    saw(doubled=len(doubled), uncertain=soak.mixed.uncertain)


def test_soak_gives_each_dead_letter_its_reason(soak: Soak) -> None:
    """The same id with other content is a conflict, whichever of the two came first."""
    assert soak.balance.reasons == soak.plan.reasons()
    assert soak.plan.reasons()["id_conflict"] > 0


def test_soak_counts_what_it_did(soak: Soak) -> None:
    counted, balance, plan = soak.heard.counted, soak.balance, soak.plan
    assert counted["Delivered"] == sum(balance.accepted)
    assert counted["DeadLettered"] == sum(balance.dead)
    assert counted["Duplicate"] == sum(plan.expected(number)[2] for number in range(plan.count))


def test_soak_has_no_bug_of_ours_and_no_invocation_out_of_time(soak: Soak) -> None:
    assert soak.heard.unexpected == []
    assert soak.fleet.timed_out == 0
    assert soak.fleet.sqs.queue(soak.fleet.queue).expired == 0


def test_soak_keeps_memory_flat(soak: Soak, saw: Saw) -> None:
    blocks, size = _growth(soak.blocks), _growth(soak.bytes)

    assert blocks < MOST_BLOCKS
    assert size < MOST_BYTES
    saw(objects_more=blocks, bytes_more=size)


def test_soak_on_a_queue_that_delivers_twice_counts_no_event_twice(scale: Scale, saw: Saw) -> None:
    """At least once: one receive in twenty comes again, deleted or not."""
    traffic = Traffic(duplicates=0.05, chance=random.Random(4).random)  # noqa: S311 - no secret
    soak = Soak(Plan(Surface.MOBILE, scale.soak // 4), traffic)

    soak.run()

    balance, plan = soak.balance, soak.plan
    copies = 0
    for number in range(plan.count):
        delivered, dead, dropped = plan.expected(number)
        assert balance.accepted[number] == delivered, number
        assert balance.dead[number] >= dead, number
        copies += balance.dead[number] - dead - dropped
    assert all(balance.doubtful[number] for number in balance.doubled)
    copies += soak.heard.counted["Duplicate"]
    assert copies > plan.count / 50
    saw(events=plan.count, copies=copies, doubled=len(balance.doubled))
