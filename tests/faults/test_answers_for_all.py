"""E14, E17: an answer that all get says nothing about an event, and costs none."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from relay.domain.kinds import Surface
from relay.forward.circuit_breaker import PROBES
from relay_sandbox.stand_in import Account
from relay_sandbox.stand_in.calls import Call
from tests.faults.conftest import Saw, Scale
from tests.faults.fleet import IN_FLIGHT, Fleet
from tests.faults.in_process import AppsFlyer, Entries, Strike
from tests.faults.ledger import make_order, overheard
from tests.faults.virtual_time import run
from tests.support.fakes import FakeClock, Says

APPS = ("id123456789", "com.example.shop", "com.example.game")
INSTANCES = 4
BATCH = 50
STATUSES = (301, 302, 307, 308, 403, 404, 405, 421)
HOLD_LIMIT = 3_600
"""Seconds, and shorter than the template's; in the short form a third."""


class World:
    """A forwarder's fleet and AppsFlyer, of which some calls are answered in this way."""

    def __init__(
        self,
        status: int,
        strikes: Callable[[Call, float], bool],
        hold_limit: int = HOLD_LIMIT,
    ) -> None:
        self.clock, self.entries = FakeClock(), Entries()
        self._start = self.clock.seconds()
        strike = Strike(str(status), lambda: Says(status, "made up"), uncertain=False)
        self.struck = 0

        def weather(call: Call) -> Strike | None:
            struck = strikes(call, self.now)
            self.struck += struck
            return strike if struck else None

        accounts = [
            Account.model_validate({"app_id": app_id, "kind": "mobile", "tokens": ("t",)})
            for app_id in APPS
        ]
        appsflyer = AppsFlyer(accounts, self.clock, self.entries, weather)
        self.fleet = Fleet(
            appsflyer,
            self.clock,
            instances=INSTANCES,
            batch_size=BATCH,
            hold_limit_seconds=hold_limit,
        )
        for app_id in APPS:
            self.fleet.add_app(app_id, "t")
        self._orders = 0

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.seconds() - self._start

    def hand_in(self, apps: Iterable[str]) -> None:
        """A purchase of each."""
        for app_id in apps:
            self._orders += 1
            self.fleet.put([make_order(Surface.MOBILE, f"o-{self._orders}") | {"app_id": app_id}])

    async def busy(self, seconds: int, a_second: int) -> None:
        """So many purchases a second of all apps in turn."""
        for _ in range(seconds):
            self.hand_in(APPS[number % len(APPS)] for number in range(a_second))
            await asyncio.sleep(1)

    def reasons(self) -> Counter[str]:
        """Of the dead letters."""
        return Counter(letter.get("reason", "crashed") for letter in self.fleet.letters())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All of them in the full form, one of each sort in the short one."""
    if "wrong_status" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        metafunc.parametrize("wrong_status", STATUSES if full else (302, 403, 404))


def test_minute_of_it_for_all_costs_no_event(wrong_status: int, scale: Scale, saw: Saw) -> None:
    seconds = min(60, scale.events)
    world = World(wrong_status, lambda _, now: seconds <= now < 2 * seconds)
    a_second = max(3, scale.events // 25)
    events = 3 * seconds * a_second

    async def story() -> None:
        world.fleet.feeding = True
        async with world.fleet.at_work():
            await world.busy(3 * seconds, a_second)
            world.fleet.feeding = False
            await world.fleet.drained()

    with overheard() as heard:
        run(world.clock, story())
        counted = heard().counted

    assert world.reasons() == {}
    assert len(world.entries.recorded()) == events
    assert counted["Blocked"] == world.struck > 0
    saw(events=events, delivered=len(world.entries.recorded()), refused=world.struck)


@pytest.mark.parametrize("status", [403, pytest.param(404, marks=pytest.mark.full_only)])
def test_app_that_gets_nothing_else_rests_alone_until_the_hold_limit(
    status: int, scale: Scale, saw: Saw
) -> None:
    closed, *others = APPS
    limit = min(HOLD_LIMIT, 150 * scale.events)
    world = World(status, lambda call, _: call.app_id == closed, limit)
    count = scale.events * 3

    async def story() -> None:
        async with world.fleet.at_work():
            world.hand_in([closed] * count)
            await asyncio.sleep(2)
            # Those that were under way at first, and each batch's probes.
            assert world.struck <= 2 * INSTANCES * IN_FLIGHT + PROBES * (count // BATCH + INSTANCES)
            for _ in range(20):
                world.hand_in(others)
                await asyncio.sleep(30)
            assert len(world.entries.recorded()) == 20 * len(others)
            await asyncio.sleep(limit - world.now - 60)
            assert world.fleet.letters() == []
            await world.fleet.drained()

    with overheard():
        run(world.clock, story())

    reason = "account_blocked" if status == 403 else f"status_{status}"
    reasons = world.reasons()
    assert reasons.total() == count
    assert reasons.keys() <= {f"hold_limit: {reason}", "hold_limit: appsflyer_unwell"}
    saw(events=count, dead_letters=count, requests=world.struck)


def test_one_among_good_ones_holds_that_event_alone(saw: Saw) -> None:
    odd = '"o-7"'
    world = World(404, lambda call, now: odd in str(call.payload) and now < 3600)

    async def story() -> None:
        world.fleet.feeding = True
        async with world.fleet.at_work():
            await world.busy(60, 3)
            await asyncio.sleep(60)
            assert len(world.entries.recorded()) >= 60 * 3 - 12
            world.fleet.feeding = False
            await world.fleet.drained()

    with overheard():
        run(world.clock, story())

    assert len(world.entries.recorded()) == 180
    assert world.reasons() == {}
    saw(events=180, refused=world.struck)
