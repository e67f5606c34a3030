"""What the events of a batch need to have looked up: their apps, and some of them their customers.

All apps are looked up together, and so are all customers of all apps, beside the events that need
neither: those are sent meanwhile. A look-up has a budget of time. What it has not found by then
costs its own events an attempt.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from relay import telemetry
from relay.aws.rest import Rest
from relay.aws.timeouts import LONGEST_CALL_SECONDS
from relay.config.apps import Apps
from relay.consumer.consumer import Group
from relay.consumer.lone_call import LoneCall
from relay.domain.kinds import Surface
from relay.domain.outcomes import IDENTITY_UNKNOWN, Outcome, Verdict
from relay.errors import ParametersUnavailableError, TableUnavailableError
from relay.forward.event_job import EventJob
from relay.instants import Clock
from relay.stores.identities import Customer, Identities, Identity

LOOK_UP_SECONDS: Final = 10.0
"""What all look-ups of a batch may take together: they run at once."""
REFRESH_SECONDS: Final = 1.0
"""How long events wait for the new settings of an app whose old ones are known."""

UNKNOWN_CUSTOMER: Final = Verdict(Outcome.HELD, "S4", IDENTITY_UNKNOWN)
IDENTITIES_UNAVAILABLE: Final = Verdict(Outcome.DEFERRED, "", "identities_unavailable")

HasTime = Callable[[], bool]
"""Whether there is still time for an event. If not, nothing needs to be known of it."""


class _Need(NamedTuple):
    """What an event waits for. Those that wait for nothing come first."""

    app_seconds: float = 0.0
    """How long it waits for its app at most."""
    customer: bool = False


_NOTHING: Final = _Need()


class LookUps:
    """The look-ups of one surface. Lives as long as its process."""

    def __init__(
        self, surface: Surface, apps: Apps, identities: Identities | None, clock: Clock
    ) -> None:
        self._surface = surface
        self._apps = apps
        self._identities = identities
        self._reading = LoneCall()
        self._finding = LoneCall()
        self._rest = Rest(lambda: clock().timestamp())

    def begin(self, jobs: Collection[EventJob], has_time: HasTime) -> Sequence[Group[EventJob]]:
        """Begins what has to be looked up; returns the jobs by what they wait for."""
        stale = self._stale_apps(jobs)
        groups: defaultdict[_Need, list[EventJob]] = defaultdict(list)
        broken: list[Group[EventJob]] = []
        for job in jobs:
            try:
                groups[self._need(job, stale)].append(job)
            except Exception as error:  # noqa: BLE001 - a bug must cost only its own job an attempt
                broken.append(Group([job], partial(_fail, error)))
        may_call = _budget(has_time)
        apps = self._begin_apps(stale, may_call)
        customers = self._begin_customers(groups, may_call)
        ready = {need: partial(_wait_for, need, apps, customers) for need in sorted(groups)}
        return [*(Group(groups[need], ready[need]) for need in ready), *broken]

    def _stale_apps(self, jobs: Collection[EventJob]) -> Mapping[str, float]:
        """The apps to read, and how long their events wait for that."""
        app_ids = {job.envelope.app_id for job in jobs if job.envelope.app_id}
        if not self._apps.needs_preload(self._surface, app_ids):
            return {}
        return {
            app_id: REFRESH_SECONDS
            if self._apps.is_known(self._surface, app_id)
            else LOOK_UP_SECONDS
            for app_id in app_ids
            if self._apps.needs_preload(self._surface, [app_id])
        }

    @staticmethod
    def _need(job: EventJob, stale: Mapping[str, float]) -> _Need:
        customer = job.customer is not None
        if not stale and not customer:
            return _NOTHING  # as for most events
        return _Need(stale.get(job.envelope.app_id, 0.0), customer)

    # Apps

    def _begin_apps(
        self, stale: Mapping[str, float], may_call: Callable[[], bool]
    ) -> "asyncio.Task[None] | None":
        return asyncio.create_task(self._read_apps(list(stale), may_call)) if stale else None

    async def _read_apps(self, app_ids: Sequence[str], may_call: Callable[[], bool]) -> None:
        """Reads apps. What could not be read is found out for each event when it is checked."""
        try:
            await self._reading.run(
                LOOK_UP_SECONDS, self._apps.preload, self._surface, app_ids, may_call
            )
        except (ParametersUnavailableError, TimeoutError) as error:
            problem = str(error) or "Parameter Store did not answer in time"
            telemetry.logger().error("parameters unavailable", extra={"problem": problem})

    # Customers, by rule S4

    def _begin_customers(
        self, groups: Mapping[_Need, Sequence[EventJob]], may_call: Callable[[], bool]
    ) -> "asyncio.Task[None] | None":
        waiting: defaultdict[Customer, list[EventJob]] = defaultdict(list)
        for need, jobs in groups.items():
            for job in jobs if need.customer else ():
                waiting[Customer(job.envelope.app_id, job.customer or "")].append(job)
        return asyncio.create_task(self._look_up(waiting, may_call)) if waiting else None

    async def _look_up(
        self, waiting: Mapping[Customer, Sequence[EventJob]], may_call: Callable[[], bool]
    ) -> None:
        found = await self._find(list(waiting), may_call)
        for customer, jobs in waiting.items():
            for job in jobs:
                job.identity = found.get(customer)
                if customer not in found:
                    job.identity_problem = IDENTITIES_UNAVAILABLE
                elif job.identity is None:
                    job.identity_problem = UNKNOWN_CUSTOMER

    async def _find(
        self, customers: Sequence[Customer], may_call: Callable[[], bool]
    ) -> Mapping[Customer, Identity | None]:
        """The identities, None for an unknown customer; without those that could not be read."""
        if self._identities is None:
            return dict.fromkeys(customers)
        if self._rest.is_on:
            return {}
        try:
            with self._rest.after_silence():
                return await self._finding.run(
                    LOOK_UP_SECONDS, self._identities.find, customers, may_call
                )
        except (TableUnavailableError, TimeoutError) as error:
            problem = str(error) or "DynamoDB did not answer in time"
            telemetry.logger().error("identities unavailable", extra={"problem": problem})
            return {}


def _budget(has_time: HasTime) -> Callable[[], bool]:
    """Whether another call may begin: it must end within the budget that begins now."""
    loop = asyncio.get_running_loop()
    last_start = loop.time() + LOOK_UP_SECONDS - LONGEST_CALL_SECONDS

    def may_call() -> bool:
        return loop.time() <= last_start and has_time()

    return may_call


async def _wait_for(
    need: _Need, apps: Awaitable[None] | None, customers: Awaitable[None] | None
) -> None:
    """Waits for what an event needs; raises what went wrong with it."""
    if need.customer and customers is not None:
        await asyncio.shield(customers)
    if need.app_seconds and apps is not None:
        try:
            await asyncio.wait_for(asyncio.shield(apps), need.app_seconds)
        except TimeoutError:  # then the old settings are used
            return


async def _fail(error: Exception) -> None:
    raise error
