"""The function's process is killed at any moment: nothing is lost, and what is doubled was in hand.

Lambda's real runtime client runs the function, the sandbox's mapping feeds it from moto's queue.
"""

import asyncio
import faulthandler
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from relay.domain.kinds import Surface
from relay_sandbox.lambda_runtime.execution import LIBRARIES, FunctionLog, function_environment
from relay_sandbox.lambda_runtime.pollers import Poller
from relay_sandbox.processes.forker import Launch, launching
from relay_sandbox.stand_in import Fault
from tests.faults.conftest import Saw, Scale
from tests.faults.deployment import Deployed, Deployment, claim_key
from tests.faults.killing import MOMENTS, Extent, MortalFunction
from tests.faults.ledger import make_order, recorded_in
from tests.support.builders import Json

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("local aws"),  # one for all of them
]

LATE = "late"
SETTLE_SECONDS = 120
WINDOW_SECONDS = 0.1
IN_FLIGHT = 3
QUICK = {
    "RELAY_RETRY_SCHEDULE_SECONDS": "0.1,0.1,0.1",
    "RELAY_HOLD_SECONDS": "1",
    "RELAY_REQUESTS_IN_FLIGHT": str(IN_FLIGHT),
}
LOADED = (*LIBRARIES, "relay.forward.forwarder", "relay.lambda_adapter")
"""What the function loads, the layer too: it is no other in the next process."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def launch(
    deployed: Deployed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Launch]:
    """Starts processes from one that has everything loaded."""
    settings = Deployment(deployed).settings(Surface.MOBILE)
    log = FunctionLog(tmp_path_factory.mktemp("launch") / "launch.log")
    environment = function_environment(settings, deployed.aws.url, "")
    async with launching(LOADED, environment, log.write) as launch:
        yield launch
    log.close()


@dataclass
class Handled:
    """What was handed in to one forwarder, and the forwarder."""

    deployment: Deployment
    surface: Surface
    function: MortalFunction
    poller: asyncio.Task[None]
    orders: dict[str, Json]

    async def take(self, *orders: Json) -> None:
        """Hands in a batch and waits until nothing waits any more."""
        self.orders |= {order["event_id"]: order for order in orders}
        await self.deployment.hand_in(self.surface, orders)
        async with asyncio.timeout(SETTLE_SECONDS):
            while self.function.running or not await self._idle():  # to ask costs more
                if self.poller.done():
                    await self.poller
                await asyncio.sleep(0.02)

    async def _idle(self) -> bool:
        before = self.function.started
        waiting = await self.deployment.waiting(self.surface)
        return not waiting and not self.function.running and self.function.started == before

    def recorded(self) -> Counter[str]:
        """How often AppsFlyer recorded each event."""
        return recorded_in(self.deployment.stand_in.ledger)

    async def dead(self) -> Counter[str]:
        """How often each event is on the dead-letter queue."""
        return Counter(letter["event_id"] for letter in await self.deployment.letters(self.surface))

    def claimed(self) -> Counter[str]:
        """How often the death of a process left an event between its claim and its note."""
        keys = {claim_key(order): event_id for event_id, order in self.orders.items()}
        return Counter({keys[key]: times for key, times in self.function.toll.claimed.items()})


@asynccontextmanager
async def handling(
    deployed: Deployed, launch: Launch, surface: Surface, folder: Path, **variables: str
) -> AsyncIterator[Handled]:
    """A forwarder that is fed from its queue while the block runs."""
    deployment = Deployment(deployed)
    log = FunctionLog(folder / "function.log")
    async with deployment.up(**QUICK, **variables):
        function = MortalFunction(deployment, surface, log, launch)
        source = deployment.source(surface)
        poller = Poller(deployed.aws, source, function, limit=1, window_seconds=WINDOW_SECONDS)
        polling = asyncio.create_task(poller.run())
        try:
            yield Handled(deployment, surface, function, polling, {})
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            await function.close()


def batch(surface: Surface, name: str) -> Iterator[Json]:
    """Money, events without it, money that AppsFlyer takes late, and one without a name."""
    for number in range(5):
        yield make_order(surface, f"{name}-paid-{number}")
    for number in range(3):
        yield make_order(surface, f"{name}-free-{number}", paid=False)
    for number in range(2):
        yield make_order(surface, f"{name}-late-{number}", LATE)
    yield make_order(surface, f"{name}-slip", "")


async def endure(handled: Handled, kills: int, first: str) -> None:
    """Batch after batch, until the process has been killed so often, at `first` and so on."""
    # Each batch has a limit of its own; all of them take longer than a test may.
    faulthandler.cancel_dump_traceback_later()
    seed = int(os.environ.get("KILL_SEED") or time.time_ns())
    print(f"KILL_SEED={seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    function = handled.function
    handled.deployment.stand_in.faults.add([Fault(status=503, event_name=LATE, every=2)])
    # What an invocation takes that is left alone, and is not the first.
    await handled.take(make_order(handled.surface, "warm"))
    function.extent = Extent(0.0, {})
    await handled.take(*batch(handled.surface, "calm"))
    calm, first_of_all = function.extent, MOMENTS.index(first)
    for number in range(3 * kills):
        killed = function.toll.kills.total()
        if killed == kills:
            return
        if chance.random() < 0.2:
            await function.stop()  # so that a cold one is killed, too
        moment = MOMENTS[(first_of_all + killed) % len(MOMENTS)]
        function.aim(calm.shot(moment, chance))
        await handled.take(*batch(handled.surface, f"run-{number}"))
    raise AssertionError(f"killed only {killed} times")


def slips(handled: Handled) -> set[str]:
    """The events that break a rule."""
    return {id_ for id_ in handled.orders if id_.endswith("slip")}


def above_one(times: Counter[str]) -> Counter[str]:
    """How often each was done again."""
    return Counter({id_: count - 1 for id_, count in times.items() if count > 1})


async def test_killed_process_loses_nothing_and_doubles_no_money_but_between_send_and_note(
    deployed: Deployed, launch: Launch, tmp_path: Path, scale: Scale, saw: Saw
) -> None:
    async with handling(deployed, launch, Surface.MOBILE, tmp_path) as handled:
        await endure(handled, scale.kills, "answer")
        recorded, dead, claimed = handled.recorded(), await handled.dead(), handled.claimed()
        toll, log = handled.function.toll, (tmp_path / "function.log").read_text()

    again = above_one(recorded)
    money = Counter({id_: times for id_, times in again.items() if "free" not in id_})
    assert recorded.keys() == handled.orders.keys() - slips(handled)
    assert dead.keys() == slips(handled)
    assert money <= claimed
    assert toll.most_claimed <= IN_FLIGHT
    assert again <= toll.held
    assert above_one(dead) <= toll.held
    assert "unexpected error" not in log
    saw(
        **dict(toll.kills),
        events=len(handled.orders),
        in_hand=toll.held.total(),
        claimed=claimed.total(),
        money_doubled=money.total(),
        other_doubled=(again - money).total(),
        letters_doubled=above_one(dead).total(),
    )


async def test_killed_process_doubles_no_money_that_is_to_be_kept_for_a_person(
    deployed: Deployed, launch: Launch, tmp_path: Path, scale: Scale, saw: Saw
) -> None:
    """`UncertainMoney` = `dead_letter`: what it had claimed when it died is not sent again."""
    async with handling(
        deployed, launch, Surface.MOBILE, tmp_path, RELAY_UNCERTAIN_MONEY="dead_letter"
    ) as handled:
        await endure(handled, max(1, scale.kills // 2), "request")
        recorded, dead, claimed = handled.recorded(), await handled.dead(), handled.claimed()
        toll = handled.function.toll

    money = Counter({id_: times for id_, times in recorded.items() if "free" not in id_})
    kept = dead.keys() - slips(handled)
    assert above_one(money) == Counter()
    assert recorded.keys() | kept == handled.orders.keys() - slips(handled)
    assert kept <= claimed.keys()
    saw(**dict(toll.kills), events=len(handled.orders), claimed=claimed.total(), kept=len(kept))


async def test_killed_process_has_every_web_event_counted_once(
    deployed: Deployed, launch: Launch, tmp_path: Path, scale: Scale, saw: Saw
) -> None:
    """W11: what is sent again carries the same `customer_dedup_id`."""
    async with handling(deployed, launch, Surface.WEB, tmp_path) as handled:
        await endure(handled, max(1, scale.kills // 4), "call")
        recorded, dead = handled.recorded(), await handled.dead()
        toll = handled.function.toll

    assert recorded == Counter(handled.orders.keys() - slips(handled))
    assert dead.keys() == slips(handled)
    saw(**dict(toll.kills), events=len(handled.orders), in_hand=toll.held.total())
