"""AWS hangs instead of failing: what needs it waits, and nothing else does.

Twenty apps share a queue. Of each app's events some need nothing but AppsFlyer, some a customer's
AppsFlyer id, some a claim. A call that hangs ends by the client's time-outs, or much later.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from relay.aws.table import Condition, Found, Item, Key, PutResult, Written
from relay.aws.timeouts import LONGEST_CALL_SECONDS
from relay.errors import TableUnavailableError
from relay.stores.identities import Identities, Identity
from relay_sandbox.local_aws.memory_table import MemoryTable
from relay_sandbox.stand_in import Account
from tests.faults.conftest import Saw, Scale
from tests.faults.fleet import Fleet
from tests.faults.in_process import AppsFlyer, Entries
from tests.faults.listening import listening
from tests.faults.virtual_time import run
from tests.support.builders import Json, make_envelope, make_event
from tests.support.fakes import FakeClock

OLD_APPS = [f"id{number:09d}" for number in range(1, 11)]
NEW_APPS = [f"id{number:09d}" for number in range(11, 21)]
"""Used for the first time while AWS hangs."""
SOON = 20.0
"""Seconds within which an event that needs nothing is delivered."""
ROUND = 100.0
"""Seconds between one hand-in of all apps and the next."""
HUNG = LONGEST_CALL_SECONDS
RESOLVING = 60.0
"""A silent name server: no time-out of a client's ends that."""

KINDS = ("plain", "customer", "money")


class Street:
    """Twenty apps, and what was handed in for them."""

    def __init__(self, rounds: int, instances: int = 2) -> None:
        self.rounds = rounds
        self.clock = FakeClock()
        self.entries = Entries()
        accounts = [
            Account.model_validate({"app_id": app_id, "kind": "mobile", "tokens": ("t",)})
            for app_id in (*OLD_APPS, *NEW_APPS)
        ]
        self.fleet = Fleet(
            AppsFlyer(accounts, self.clock, self.entries),
            self.clock,
            instances=instances,
            batch_size=100,
            requests_in_flight=20,
        )
        for app_id in (*OLD_APPS, *NEW_APPS):
            self.fleet.add_app(app_id, "t")
        self.handed_in: dict[str, tuple[float, str, str]] = {}
        """Customers: when each was handed in, its app and its kind."""
        self.hanging = False
        self.hung = 0
        """Calls that hung."""

    def hand_in(self, apps: list[str]) -> None:
        """An event of each kind for each app, those first that need something."""
        for kind in reversed(KINDS):
            for app_id in apps:
                customer = f"c-{len(self.handed_in)}"
                self.handed_in[customer] = (self.clock.seconds(), app_id, kind)
                self.fleet.put([self._envelope(app_id, kind, customer)])

    def _envelope(self, app_id: str, kind: str, customer: str) -> Json:
        value = {"af_revenue": "1.00"} if kind == "money" else None
        event = make_event(customer_user_id=customer, eventValue=value)
        if kind == "customer":
            event["appsflyer_id"] = None
            self._install(app_id, customer)
        return make_envelope(app_id=app_id, event_id=customer, event=event)

    def _install(self, app_id: str, customer: str) -> None:
        table, installed_at = self.fleet.identities, self.clock() - timedelta(days=3)
        error, table.error = table.error, None
        identity = Identity(app_id, customer, "1698765432100-1", installed_at)
        Identities(table, clock=self.clock).remember(identity)
        table.error = error

    def hangs(self, *names: str, seconds: float = HUNG) -> Callable[[str], float]:
        """How long calls in threads take: those of these names hang while `hanging`."""

        def lasts(name: str) -> float:
            if not (self.hanging and name in names):
                return 0.0
            self.hung += 1
            return seconds

        return lasts

    async def story(self) -> None:
        """All is well for a while, then AWS hangs, and at last all is well again."""
        self.fleet.feeding = True
        async with self.fleet.at_work():
            self.hand_in(OLD_APPS)
            await asyncio.sleep(60)
            self.hanging = True
            self.break_aws()
            for _ in range(self.rounds):
                self.hand_in(OLD_APPS)
                self.hand_in(NEW_APPS)
                await asyncio.sleep(ROUND)
            self.delivered_meanwhile = len(self.entries.recorded())
            self.hanging = False
            self.mend_aws()
            self.fleet.feeding = False
            await self.fleet.drained()

    def break_aws(self) -> None:
        """What fails once it has hung."""

    def mend_aws(self) -> None:
        """It is well again."""
        self.fleet.ssm.error = self.fleet.identities.error = None

    def waited(self, apps: list[str], *kinds: str) -> list[float]:
        """Seconds from hand-in to delivery of these apps' events of these kinds."""
        start = self.clock.now.timestamp() - self.clock.seconds()
        waits = []
        for entry in self.entries.recorded():
            at, app_id, kind = self.handed_in[str(entry.payload["customer_user_id"])]
            if app_id in apps and kind in kinds:
                waits.append(entry.at.timestamp() - start - at)
        return waits

    def check(self, apps: list[str], *kinds: str) -> float:
        """Each event was delivered once, these at once; gives the longest that these waited."""
        recorded = [str(entry.payload["customer_user_id"]) for entry in self.entries.recorded()]
        assert sorted(recorded) == sorted(self.handed_in)
        assert (self.fleet.letters(), self.fleet.timed_out) == ([], 0)
        assert self.hung > 0, "nothing hung"
        longest = max(self.waited(apps, *kinds))
        assert longest < SOON
        return round(longest, 1)


def rounds_of(scale: Scale) -> int:
    return scale.events // 7  # two hours at full length


DOWN = TableUnavailableError("DynamoDB failed: ReadTimeoutError")
ALL = [*OLD_APPS, *NEW_APPS]


@pytest.mark.parametrize("seconds", [HUNG, RESOLVING], ids=["time-out", "name server"])
def test_identities_that_hang_delay_only_events_that_need_them(
    seconds: float, scale: Scale, saw: Saw
) -> None:
    street = Street(rounds_of(scale))
    street.break_aws = lambda: setattr(street.fleet.identities, "error", DOWN)  # type: ignore[method-assign]

    with listening() as heard:
        run(street.clock, street.story(), street.hangs("find", seconds=seconds))

    assert heard.unexpected == []
    longest = street.check(ALL, "plain", "money")
    saw(events=len(street.handed_in), hung=street.hung, longest_wait=longest)


@pytest.mark.parametrize("seconds", [HUNG, RESOLVING], ids=["time-out", "name server"])
def test_parameter_store_that_hangs_delays_only_apps_that_were_never_read(
    seconds: float, scale: Scale, saw: Saw
) -> None:
    street = Street(rounds_of(scale), instances=1)
    error = ReadTimeoutError(endpoint_url="https://ssm.example.com")
    street.break_aws = lambda: setattr(street.fleet.ssm, "error", error)  # type: ignore[method-assign]

    with listening() as heard:
        run(street.clock, street.story(), street.hangs("preload", seconds=seconds))

    assert heard.unexpected == []
    longest = street.check(OLD_APPS, *KINDS)
    saw(events=len(street.handed_in), hung=street.hung, longest_wait=longest)


class HangingTable:
    """A table of deliveries, each call of which hangs and fails while the street says so."""

    def __init__(self, table: MemoryTable, street: Street) -> None:
        self._table = table
        self._street = street

    async def get_all(self, keys: Collection[Key]) -> Found:
        await self._answer()
        return Found(self._table.get(keys), {})

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        await self._answer()
        return self._table.replace(key, item, only_if)

    async def delete(self, key: Key, only_if: Condition) -> None:
        await self._answer()
        self._table.delete_if(key, only_if)

    async def put_all(self, items: Mapping[Key, Item]) -> Written:
        return await self._put_each(items, None)

    async def put_new(self, items: Mapping[Key, Item]) -> Written:
        return await self._put_each(items, Condition("nothing has this field", 0))

    async def _put_each(self, items: Mapping[Key, Item], only_if: Condition | None) -> Written:
        try:
            await self._answer()
        except TableUnavailableError as error:
            return Written(set(), dict.fromkeys(items, error))
        existing = {key for key, item in items.items() if self._table.put(key, item, only_if)}
        return Written(existing, {})

    async def _answer(self) -> None:
        if self._street.hanging:
            self._street.hung += 1
            await asyncio.sleep(HUNG)
            raise DOWN


def test_deliveries_that_hang_delay_only_events_with_money(scale: Scale, saw: Saw) -> None:
    street = Street(rounds_of(scale))
    street.fleet.async_table = lambda table: HangingTable(table, street)

    with listening() as heard:
        run(street.clock, street.story())

    assert heard.unexpected == []
    longest = street.check(ALL, "plain", "customer")
    saw(events=len(street.handed_in), hung=street.hung, longest_wait=longest)
