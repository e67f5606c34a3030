"""A message that ends its process ends as a dead letter, and takes no other message with it.

SQS counts how often it gave a message out, and moves it after ten times, whoever's fault it was.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

import pytest

from relay.forward import forwarder
from relay.messages.reader import read_body
from relay_sandbox.stand_in import Account
from relay_sandbox.stand_in.calls import Call
from tests.faults.conftest import Saw, Scale
from tests.faults.fleet import VISIBILITY_SECONDS, Fleet
from tests.faults.in_process import AppsFlyer, Entries
from tests.faults.listening import listening
from tests.faults.virtual_time import run
from tests.support.builders import MOBILE_APP, make_envelope, make_event
from tests.support.fakes import FakeClock, aws_error

NEIGHBOURS = 100
SHARED_DEATHS = 2
"""Receives in which nobody can tell yet who it was."""


class Well:
    """A queue with poison in it."""

    def __init__(self, poisons: int, *, neighbours: int = NEIGHBOURS, instances: int = 4) -> None:
        self.clock = FakeClock()
        self.entries = Entries()
        account = Account.model_validate({"app_id": MOBILE_APP, "kind": "mobile", "tokens": ("t",)})
        self.appsflyer = AppsFlyer([account], self.clock, self.entries)
        self.fleet = Fleet(self.appsflyer, self.clock, batch_size=100, instances=instances)
        self.fleet.add_app(MOBILE_APP, "t")
        self.neighbours = [f"good-{number}" for number in range(neighbours)]
        self.poisons = [f"bad-{number}" for number in range(poisons)]

    def pour(self) -> None:
        """Hands everything in, the poison spread among the others."""
        ids = list(self.neighbours)
        step = max(1, len(ids) // (len(self.poisons) + 1))
        for number, poison in enumerate(self.poisons):
            ids.insert((number + 1) * step + number, poison)
        self.fleet.put(self._envelope(event_id) for event_id in ids)

    @staticmethod
    def _envelope(event_id: str) -> dict[str, object]:
        event = make_event(customer_user_id=event_id, eventValue=None)
        return make_envelope(event_id=event_id, event=event)

    @contextmanager
    def kills_when_it_is_sent(self) -> Iterator[None]:
        def weather(call: Call) -> None:
            if self._is_poison(str((call.payload or {}).get("customer_user_id"))):
                self.fleet.kill()

        self.appsflyer.weather = weather
        yield

    @contextmanager
    def kills_when_it_is_read(self) -> Iterator[None]:
        def read(body: str, now: datetime, message_id: str) -> object:
            if self._is_poison(body):
                self.fleet.kill()
            return read_body(body, now, message_id)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(forwarder, "read_body", read)
            yield

    def _is_poison(self, text: str) -> bool:
        return "bad-" in text

    async def drain(self) -> None:
        """Until everything is delivered or a dead letter."""
        async with self.fleet.at_work():
            await self.fleet.drained()

    @property
    def recorded(self) -> Counter[str]:
        """How often AppsFlyer recorded each event."""
        return Counter(str(one.payload["customer_user_id"]) for one in self.entries.recorded())

    def check(self) -> None:
        """The poison alone is dead, and each neighbour was delivered."""
        crashed = [letter["event_id"] for letter in self.fleet.letters() if "reason" not in letter]
        assert sorted(crashed) == sorted(self.poisons)
        assert sorted(self.recorded) == sorted(self.neighbours)


Kills = Callable[[Well], AbstractContextManager[None]]
KILLS = pytest.mark.parametrize(
    "kills",
    [Well.kills_when_it_is_read, Well.kills_when_it_is_sent],
    ids=["when it is read", "when it is sent"],
)


@KILLS
@pytest.mark.parametrize("poisons", [1, 5])
def test_poison_ends_alone(kills: Kills, poisons: int, saw: Saw) -> None:
    well = Well(poisons)
    well.pour()

    with listening(), kills(well):
        run(well.clock, well.drain())

    well.check()
    # Without money, a neighbour may have been sent before its process died: but not when apart.
    assert max(well.recorded.values()) <= 1 + SHARED_DEATHS
    saw(neighbours=NEIGHBOURS, poisons=poisons, killed=well.fleet.killed)


def test_poison_costs_events_that_come_later_nothing(scale: Scale, saw: Saw) -> None:
    """Poison comes back again and again while others flow; those are delivered once and soon."""
    well = Well(3, neighbours=0, instances=2)
    later = scale.events

    async def story() -> None:
        well.pour()
        well.fleet.feeding = True
        async with well.fleet.at_work():
            await asyncio.sleep((1 + SHARED_DEATHS) * VISIBILITY_SECONDS)
            for number in range(later):
                well.neighbours.append(f"good-{number}")
                well.fleet.put([well._envelope(f"good-{number}")])  # noqa: SLF001 - its own
                await asyncio.sleep(60)
            well.fleet.feeding = False
            await well.fleet.drained()

    with listening(), well.kills_when_it_is_sent():
        run(well.clock, story())

    well.check()
    assert set(well.recorded.values()) == {1}
    saw(later=later, killed=well.fleet.killed)


def test_poison_ends_alone_though_sqs_often_fails(saw: Saw) -> None:
    """What could not be deleted is sent once more; what could not be hidden comes back sooner."""
    well = Well(2)
    well.pour()
    chance = random.Random(4)  # noqa: S311 - which calls fail, no secret
    throttled = aws_error("ThrottlingException")
    well.fleet.sqs.fails = lambda operation: throttled if chance.random() < 0.3 else None

    with listening() as heard, well.kills_when_it_is_sent():
        run(well.clock, well.drain())

    assert heard.unexpected == []
    well.check()
    saw(killed=well.fleet.killed, again=sum(well.recorded.values()) - NEIGHBOURS)


def test_backlog_that_came_back_often_is_no_poison(scale: Scale, saw: Saw) -> None:
    """Received in vain by whoever, as when Lambda is throttled: handled one by one, and once."""
    well = Well(0, neighbours=5 * scale.events)
    well.pour()

    async def story() -> None:
        for _ in range(SHARED_DEATHS):
            while well.fleet._receive(100):  # noqa: SLF001 - a poller that does nothing with it
                pass
            await asyncio.sleep(VISIBILITY_SECONDS + 1)
        start = well.clock.seconds()
        await well.drain()
        saw(events=len(well.neighbours), seconds=round(well.clock.seconds() - start))

    with listening():
        run(well.clock, story())

    well.check()
    assert set(well.recorded.values()) == {1}
    assert well.fleet.sqs.calls["ChangeMessageVisibility"] == len(well.neighbours)
