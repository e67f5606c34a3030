"""Whatever the template's parameters are: nothing is sent too late, and nothing wears out.

Each combination of the least and the largest of what decides about time, with an AppsFlyer that
answers at its slowest, in virtual time.
"""

import asyncio
import json
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import httpx
import pytest

from relay.aws.table import Key
from relay.domain.kinds import Surface
from relay.instants import to_milliseconds
from relay.stores.deliveries import delivery_key
from relay_sandbox.stand_in import Account
from tests.faults.conftest import Saw
from tests.faults.fleet import INVOCATION_SECONDS, VISIBILITY_SECONDS, Fleet
from tests.faults.in_process import AppsFlyer, Entries
from tests.faults.ledger import make_order, overheard
from tests.faults.virtual_time import run
from tests.support.builders import MOBILE_APP, WEB_APP
from tests.support.fakes import FakeClock
from tests.support.template import PARAMETERS

APPS = {Surface.MOBILE: MOBILE_APP, Surface.WEB: WEB_APP}
SWEPT = (
    "RequestsASecond",
    "WebSharePercent",
    "MobileMaxConcurrency",
    "RequestsInFlight",
    "ConnectTimeoutSeconds",
    "ReadTimeoutSeconds",
    "BatchSize",
)


class Slow(AppsFlyer):
    """Takes as long as it may, and looks whether each event's claim still lasts then."""

    fleet: Fleet
    unclaimed = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.unclaimed += not self._is_claimed(request)
        await asyncio.sleep(self.fleet.settings.longest_request_seconds - 0.1)
        self.unclaimed += not self._is_claimed(request)
        return await super().handle_async_request(request)

    def _is_claimed(self, request: httpx.Request) -> bool:
        body = json.loads(request.read())
        value = json.loads(body.get("eventValue", "{}"))
        event_id = value.get("af_order_id") or body["customer_dedup_id"]
        key = Key(delivery_key(f"app {APPS[self.fleet.surface]}", event_id), "delivery")
        until = int(self.fleet.deliveries.get([key])[key]["taken_until"])
        return until > to_milliseconds(self.fleet.clock())


class Corner(NamedTuple):
    """One combination."""

    surface: Surface
    values: dict[str, float]

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "requests_a_second": self.values["RequestsASecond"],
            "web_share_percent": self.values["WebSharePercent"],
            "max_concurrency": self.values["MobileMaxConcurrency"],
            "requests_in_flight": self.values["RequestsInFlight"],
            "connect_timeout_seconds": self.values["ConnectTimeoutSeconds"],
            "read_timeout_seconds": self.values["ReadTimeoutSeconds"],
        }

    @property
    def works(self) -> bool:
        """Whether each invocation gets a turn in time, reckoned anew from what AWS and S2 say."""
        values = self.values
        share = (
            values["WebSharePercent"]
            if self.surface is Surface.WEB
            else 100 - values["WebSharePercent"]
        )
        between = 100 / share * values["MobileMaxConcurrency"] / values["RequestsASecond"]
        around = 36 + values["ConnectTimeoutSeconds"] + values["ReadTimeoutSeconds"]
        return between * 1.05 <= INVOCATION_SECONDS - around


def corners() -> Iterator[Corner]:
    bounds = [(PARAMETERS[name]["MinValue"], PARAMETERS[name]["MaxValue"]) for name in SWEPT]
    for surface in Surface:
        for values in product(*bounds):
            yield Corner(surface, dict(zip(SWEPT, values, strict=True)))


CORNERS = list(corners())
IDS = ["-".join([one.surface, *(f"{value:g}" for value in one.values.values())]) for one in CORNERS]
SHORT = range(0, len(CORNERS), 23)
"""Of 256 corners: each bound of each parameter is among these twelve, with each surface."""
EVENTS = 24
"""More than an invocation can send, one at a time and at the slowest."""
REFUSED_SECONDS = VISIBILITY_SECONDS + 100.0


def test_short_form_has_each_bound_of_each_parameter() -> None:
    chosen = [CORNERS[number] for number in SHORT]

    for surface in Surface:
        values = [one.values for one in chosen if one.surface is surface]
        assert [len({value[name] for value in values}) for name in SWEPT] == [2] * len(SWEPT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All corners in the full form."""
    if "corner" in metafunc.fixturenames:
        numbers = range(len(CORNERS)) if metafunc.config.getoption("--full") else SHORT
        chosen = [CORNERS[number] for number in numbers]
        metafunc.parametrize("corner", chosen, ids=[IDS[number] for number in numbers])


def test_no_parameters_let_time_run_out(corner: Corner, saw: Saw) -> None:
    surface, app_id = corner.surface, APPS[corner.surface]
    clock, entries = FakeClock(), Entries()
    account = Account.model_validate({"app_id": app_id, "kind": surface.value, "tokens": ("t",)})
    appsflyer = Slow([account], clock, entries)
    fleet = appsflyer.fleet = Fleet(
        appsflyer,
        clock,
        surface=surface,
        instances=2,
        batch_size=int(corner.values["BatchSize"]),
        **corner.settings,
    )
    fleet.add_app(app_id, "t")
    orders = [make_order(surface, f"o-{number}") for number in range(EVENTS)]
    works = corner.works

    async def story() -> None:
        fleet.put(orders)
        fleet.put(orders)  # SQS delivers at least once, and senders repeat
        async with fleet.at_work():
            if works:
                await fleet.drained()
            else:
                await asyncio.sleep(REFUSED_SECONDS)

    with overheard() as heard:
        run(clock, story())
        counted = heard().counted

    assert (fleet.timed_out, appsflyer.unclaimed, fleet.letters()) == (0, 0, [])
    sent = EVENTS if works else 0
    assert len(entries.all) == len(entries.recorded()) == sent
    assert (counted["SettingsWrong"] > 0) is not works
    assert fleet.waiting == (0 if works else 2 * EVENTS)
    saw(delivered=sent, handed_back=counted["HandedBack"], seconds=round(clock.seconds() - 100_000))
