"""One app's trouble is that app's alone: the others' events flow, though a queue has its limits."""

import asyncio

import pytest

from relay.domain.kinds import Surface
from relay_sandbox.stand_in import Account
from tests.faults.conftest import Saw, Scale
from tests.faults.fleet import IN_FLIGHT, Fleet
from tests.faults.in_process import AppsFlyer, Entries
from tests.faults.listening import listening
from tests.faults.virtual_time import run
from tests.support.builders import (
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
    make_web_event,
)
from tests.support.fakes import FakeClock
from tests.support.memory_queue import Traffic

INSTANCES = 4
OLD, NEW = "s2s-key-old", "s2s-key-new"
NOISY = {Surface.MOBILE: "id404040404", Surface.WEB: "website-noisy.example.com"}
OTHERS = {
    Surface.MOBILE: ("id123456789", "com.example.shop", "com.example.game"),
    Surface.WEB: ("website-www.example.com", "website-shop.example.com", "web-example-3"),
}
SOON = 20.0
"""Seconds within which an event of an app in order is delivered, whatever the others do."""
WATCHED = 900.0
"""Seconds for which a neighbour's trouble is watched; in the short form a third."""


class Street:
    """A queue that many apps share, one of which is in trouble."""

    def __init__(self, surface: Surface, in_flight_limit: int = 120_000) -> None:
        self.surface = surface
        self.clock = FakeClock()
        self.entries = Entries()
        apps = (NOISY[surface], *OTHERS[surface])
        accounts = [self.account(app_id, OLD) for app_id in apps]
        self.appsflyer = AppsFlyer(accounts, self.clock, self.entries)
        self.fleet = Fleet(
            self.appsflyer,
            self.clock,
            surface=surface,
            instances=INSTANCES,
            traffic=Traffic(in_flight_limit=in_flight_limit),
        )
        for app_id in apps:
            self.fleet.add_app(app_id, OLD)
        self.handed_in: dict[str, float] = {}
        """Event ids, and when each was put on the queue."""

    def account(self, app_id: str, token: str) -> Account:
        kind = self.surface.value
        return Account.model_validate({"app_id": app_id, "kind": kind, "tokens": (token,)})

    def hand_in(self, app_id: str, count: int) -> None:
        """So many new events of an app."""
        first = len(self.handed_in)
        ids = [f"e-{number}" for number in range(first, first + count)]
        self.handed_in |= dict.fromkeys(ids, self.clock.seconds())
        self.fleet.put(self._envelope(app_id, event_id) for event_id in ids)

    def _envelope(self, app_id: str, event_id: str) -> Json:
        if self.surface is Surface.MOBILE:
            event = make_event(customer_user_id=event_id)
            return make_envelope(app_id=app_id, event_id=event_id, event=event)
        event = make_web_event(user_id={"customer_user_id": event_id})
        return make_web_envelope(app_id=app_id, event_id=event_id, event=event)

    def revoke(self, app_id: str) -> None:
        """AppsFlyer takes another token from now on."""
        self.appsflyer.accounts.put([self.account(app_id, NEW)])

    async def drain(self) -> None:
        """Until nothing waits any more."""
        self.fleet.feeding = False
        async with self.fleet.at_work():
            await self.fleet.drained()

    def delivered(self, app_id: str) -> list[str]:
        """The ids of an app's events that were recorded, as often as they were."""
        return [customer_of(entry.payload) for entry in self.entries.recorded(app_id)]

    def waited(self, app_id: str) -> list[float]:
        """Seconds from hand-in to delivery, for each event of an app that was recorded."""
        start = self.clock.now.timestamp() - self.clock.seconds()
        return [
            entry.at.timestamp() - start - self.handed_in[customer_of(entry.payload)]
            for entry in self.entries.recorded(app_id)
        ]

    def requests_with(self, token: str, app_id: str) -> int:
        """How many requests an app's token was not good enough for."""
        return sum(
            (one.token, one.app_id, one.recorded) == (token, app_id, False)
            for one in self.entries.all
        )


def customer_of(payload: dict[str, object]) -> str:
    user = payload.get("user_id", payload)
    assert isinstance(user, dict)
    return str(user["customer_user_id"])


async def neighbours_in_need(street: Street, limit: int, watched: float) -> int:
    """Ten times as many events of the app in trouble as may be in flight, and the others' after.

    The others hand in more all the while. Gives how many of theirs there were of each.
    """
    street.revoke(NOISY[street.surface])
    street.hand_in(NOISY[street.surface], 10 * limit)
    street.fleet.feeding = True
    each = 0
    async with street.fleet.at_work():
        while street.clock.seconds() < street.handed_in["e-0"] + watched:
            for app_id in OTHERS[street.surface]:
                street.hand_in(app_id, 2)
            each += 2
            await asyncio.sleep(30)
    return each


@pytest.mark.parametrize("surface", [Surface.MOBILE, Surface.WEB])
def test_revoked_token_holds_that_apps_events_and_nobody_elses(
    surface: Surface, scale: Scale, saw: Saw
) -> None:
    limit, noisy = scale.events, NOISY[surface]
    street = Street(surface, in_flight_limit=limit)

    with listening():
        watched = min(WATCHED, 40.0 * scale.events)
        each = run(street.clock, neighbours_in_need(street, limit, watched))

    longest = 0.0
    for app_id in OTHERS[surface]:
        assert len(street.delivered(app_id)) == each
        longest = max(longest, *street.waited(app_id))
    assert longest < SOON
    # Those of the app in trouble wait on the queue, none of them lost.
    assert (street.fleet.waiting, street.delivered(noisy)) == (10 * limit, [])

    street.fleet.add_app(noisy, NEW)
    with listening():
        run(street.clock, street.drain())

    delivered = street.delivered(noisy)
    assert len(delivered) == len(set(delivered)) == 10 * limit
    assert street.fleet.letters() == []
    saw(in_flight_limit=limit, held=10 * limit, others=each * 3, longest_wait=round(longest, 1))


def test_events_that_waited_hidden_would_be_in_the_way_of_all() -> None:
    """What the one above would show if waiting were hiding: here SQS takes nothing back."""
    street = Street(Surface.MOBILE, in_flight_limit=40)
    noisy, other = NOISY[Surface.MOBILE], OTHERS[Surface.MOBILE][0]

    async def story() -> None:
        street.revoke(noisy)
        street.hand_in(noisy, 400)
        street.hand_in(other, 10)
        street.fleet.sqs.refuses = lambda entry: entry.get("MessageGroupId") == noisy
        async with street.fleet.at_work():
            await asyncio.sleep(WATCHED)

    with listening():
        run(street.clock, story())

    assert street.delivered(other) == []


@pytest.mark.parametrize("surface", [Surface.MOBILE, Surface.WEB])
def test_token_revoked_and_replaced_ten_seconds_later_costs_no_event(
    surface: Surface, scale: Scale, saw: Saw
) -> None:
    """The dead token is asked for again at most twice by each request that a process has open.

    Once by those that were under way, or were begun before the first refusal came back: then the
    process leaves it alone for a minute. It reads the parameter afresh at once, in vain, for that
    has not been replaced yet. Once more when the minute is over; and then the new one is found.
    """
    street = Street(surface)
    noisy = NOISY[surface]
    each = scale.events // 2

    async def story() -> None:
        street.fleet.feeding = True
        async with street.fleet.at_work():
            for second in range(60):
                street.hand_in(noisy, each)
                street.hand_in(OTHERS[surface][0], 1)
                if second == 20:
                    street.revoke(noisy)
                if second == 30:
                    street.fleet.add_app(noisy, NEW)
                await asyncio.sleep(1)
            street.fleet.feeding = False
            await street.fleet.drained()

    with listening():
        run(street.clock, story())

    delivered = street.delivered(noisy)
    assert len(delivered) == len(set(delivered)) == 60 * each
    assert street.fleet.letters() == []
    in_vain = street.requests_with(OLD, noisy)
    assert 0 < in_vain <= 2 * INSTANCES * IN_FLIGHT
    assert max(street.waited(OTHERS[surface][0])) < SOON
    saw(events=60 * each, in_vain=in_vain, bound=2 * INSTANCES * IN_FLIGHT)
