"""The books of a soak: what was handed in, and what became of each event, in a few bytes each.

Events are numbered. What is to become of one is settled by the plan before anything is sent; what
did is written down by AppsFlyer's end and by the dead-letter queue's, and must agree.
"""

import json
import random
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final

from relay.domain.kinds import Kind, Surface
from relay.instants import iso_form
from relay_sandbox.stand_in.calls import Call, Verdict
from tests.faults.in_process import REFUSAL, Strike
from tests.support.builders import NOW, Json, make_event, make_web_event

APPS: Final[Mapping[Surface, tuple[str, ...]]] = {
    Surface.MOBILE: ("id123456789", "com.example.shop", "com.example.game"),
    Surface.WEB: ("website-www.example.com", "website-shop.example.com", "web-example-3"),
}
TOKEN: Final = "s2s-key-{}"

_ONCE, _SAME, _OTHER = range(3)
"""Handed in once; twice; twice, the second time with other content."""


class Fate(IntEnum):
    """What is to become of an event in the end."""

    DELIVERED = 0
    REJECTED = 1
    """It breaks a rule of ours."""
    REFUSED = 2
    """AppsFlyer says that it is wrong."""


class Plan:
    """So many events of one surface: most are good, some are handed in twice."""

    def __init__(
        self, surface: Surface, count: int, *, seed: int = 1, apps: Sequence[str] = ()
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 - the same events in each run
        self.surface = surface
        self.count = count
        self.apps = apps or APPS[surface]
        self._cents = array(
            "i", (chance.choice((0, chance.randint(1, 99_999))) for _ in range(count))
        )
        self._fates = bytes(chance.choices(tuple(Fate), (98, 1, 1), k=count))
        # Two in a hundred: only what has money is told apart by its id, unless all are to be.
        tellings = chance.choices((_ONCE, _SAME, _OTHER), (96, 3, 1), k=count)
        self._tellings = bytes(
            telling if fate == Fate.DELIVERED and cents else _ONCE
            for telling, fate, cents in zip(tellings, self._fates, self._cents, strict=True)
        )

    def tellings(self, number: int) -> Iterator[tuple[Json, int]]:
        """The envelopes by which an event is handed in, and what each is worth, in cents."""
        cents = self._cents[number]
        yield self._envelope(number, cents), cents
        if self._tellings[number] == _SAME:
            yield self._told_again(self._envelope(number, cents)), cents
        elif self._tellings[number] == _OTHER:
            yield self._envelope(number, cents + 1), cents + 1

    def expected(self, number: int) -> tuple[int, int, int]:
        """How often an event is to be delivered, a dead letter, and dropped as a duplicate."""
        if self.fate(number) is not Fate.DELIVERED:
            return 0, 1, 0
        return 1, self._tellings[number] == _OTHER, self._tellings[number] == _SAME

    @property
    def duplicates(self) -> int:
        """How many tellings are to be dropped."""
        return self._tellings.count(_SAME)

    def reasons(self) -> Counter[str]:
        """Why there are to be dead letters."""
        return Counter(
            {
                "rejected": self._fates.count(Fate.REJECTED),
                "bad_request": self._fates.count(Fate.REFUSED),
                "id_conflict": self._tellings.count(_OTHER),
            }
        )

    def cents(self, number: int) -> int:
        """What an event is worth when it is first told of."""
        return self._cents[number]

    def fate(self, number: int) -> Fate:
        """What is to become of an event in the end."""
        return Fate(self._fates[number])

    def app_of(self, number: int) -> str:
        """The app that an event is for."""
        return self.apps[number % len(self.apps)]

    def has_money(self, number: int) -> bool:
        """Whether revenue is in it."""
        return self._cents[number] > 0

    def accounts(self) -> list[dict[str, Any]]:
        """The stand-in's side of the apps."""
        kind = self.surface.value
        return [{"app_id": app, "kind": kind, "tokens": (TOKEN.format(app),)} for app in self.apps]

    def _told_again(self, envelope: Json) -> Json:
        """By its sender; of a payment, by another webhook, which came in at another moment."""
        if "source" not in envelope:
            return envelope
        return {**envelope, "first_seen": iso_form(NOW + timedelta(seconds=1))}

    def _envelope(self, number: int, cents: int) -> Json:
        mobile = self.surface is Surface.MOBILE
        make = _mobile_event if mobile else _web_event
        payment = {"source": f"stripe-{self.surface}", "content_sha256": f"{cents:064x}"}
        return {
            **(payment if number % 3 == 0 and cents else {}),
            "app_id": self.app_of(number),
            "kind": Kind.MOBILE_EVENT if mobile else Kind.WEB_EVENT,
            "event_id": f"e-{number}",
            "event": make(number, self.fate(number), cents),
        }


_NAMES: Final = {Fate.DELIVERED: "af_purchase", Fate.REJECTED: None, Fate.REFUSED: "refused"}


def _mobile_event(number: int, fate: Fate, cents: int) -> Json:
    money = {"af_revenue": f"{Decimal(cents) / 100}"} if cents else {}
    event = make_event(
        customer_user_id=f"u-{number}",
        eventName=_NAMES[fate],
        eventValue={"af_order_id": f"o-{number}", **money},
    )
    return event if number % 4 else {**event, "eventTime": None}  # stamped by us


def _web_event(number: int, fate: Fate, cents: int) -> Json:
    money = {"event_revenue": cents / 100, "event_revenue_currency": "USD"} if cents else {}
    event = {
        **make_web_event(user_id={"customer_user_id": f"u-{number}"}, event_name=_NAMES[fate]),
        "event_revenue": None,
        "event_revenue_currency": None,
        **money,
    }
    return event if number % 4 else {**event, "timestamp": None}


class Balance:
    """What became of the events of a plan. Is also AppsFlyer's book (`in_process.Book`)."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.handed = bytearray(plan.count)
        """How often each event was handed in."""
        self.accepted = bytearray(plan.count)
        """How often AppsFlyer said that it took it: by then the relay counts it as delivered."""
        self.recorded = bytearray(plan.count)
        """How often AppsFlyer recorded it, whatever it said."""
        self.doubtful = bytearray(plan.count)
        """How often it recorded it and said something else."""
        self.dead = bytearray(plan.count)
        self.reasons: Counter[str] = Counter()
        self.accepted_cents = array("q", bytes(8 * plan.count))
        self.dead_cents = array("q", bytes(8 * plan.count))
        self.handed_cents = array("q", bytes(8 * plan.count))
        self.recorded_cents = array("q", bytes(8 * plan.count))
        self.doubtful_cents = array("q", bytes(8 * plan.count))

    def hand_in(self, number: int, cents: int) -> None:
        """An event is on its way to the queue."""
        self.handed[number] += 1
        self.handed_cents[number] += cents

    def dead_letter(self, letter: Json) -> None:
        """A dead letter."""
        number = int(letter["event_id"].removeprefix("e-"))
        self.dead[number] += 1
        self.dead_cents[number] += _cents(self.plan.surface, letter["event"])
        self.reasons[letter["reason"]] += 1

    # AppsFlyer's book

    def saw(self, call: Call) -> bool:
        return self.recorded[number_of(self.plan.surface, call.payload or {})] > 0

    def write(self, call: Call, verdict: Verdict, strike: Strike | None) -> None:
        said_so = strike is None and verdict.response.status < 300
        self.note(call.payload or {}, recorded=verdict.recorded, said_so=said_so)

    def note(self, payload: Mapping[str, Any], *, recorded: bool, said_so: bool) -> None:
        """A request. `said_so`: whether the relay was told that all is well."""
        number, cents = number_of(self.plan.surface, payload), _cents(self.plan.surface, payload)
        if said_so:
            self.accepted[number] += 1
            self.accepted_cents[number] += cents
        if recorded:
            self.recorded[number] += 1
            self.recorded_cents[number] += cents
            self.doubtful[number] += not said_so
            self.doubtful_cents[number] += 0 if said_so else cents

    def check(self) -> None:
        """Handed in = delivered + dead letters + duplicates, as planned, for each event."""
        for number in range(self.plan.count):
            delivered, dead, dropped = self.plan.expected(number)
            assert (self.accepted[number], self.dead[number]) == (delivered, dead), number
            assert self.handed[number] == delivered + dead + dropped, number
        assert self.reasons == self.plan.reasons()

    def check_counted_doubles(self, duplicates: int) -> None:
        """The same where deliveries may be forgotten: then the second telling is delivered too.

        `duplicates`: how many were dropped.
        """
        for number in range(self.plan.count):
            delivered, dead, dropped = self.plan.expected(number)
            assert delivered <= self.accepted[number] <= delivered + dropped + dead, number
            left = self.handed[number] - self.accepted[number] - self.dead[number]
            due = self.handed_cents[number] - self.dead_cents[number]
            assert self.accepted_cents[number] == due - left * self.plan.cents(number), number
        assert sum(self.handed) == sum(self.accepted) + sum(self.dead) + duplicates

    def check_but_for(self, hit: Collection[int], duplicates: int) -> None:
        """The same where AppsFlyer answered these wrongly: each is delivered once, or is dead."""
        for number in range(self.plan.count):
            delivered, dead, dropped = self.plan.expected(number)
            if number not in hit:
                assert (self.accepted[number], self.dead[number]) == (delivered, dead), number
            left = self.handed[number] - self.accepted[number] - self.dead[number]
            assert 0 <= left <= dropped, number
            assert self.recorded[number] == self.accepted[number] <= 1, number
            due = self.handed_cents[number] - self.dead_cents[number]
            assert self.recorded_cents[number] == due - left * self.plan.cents(number), number
        assert sum(self.handed) == sum(self.accepted) + sum(self.dead) + duplicates

    def check_at_least_once(self) -> None:
        """The same where messages may come twice: dead letters too, and then as duplicates."""
        for number in range(self.plan.count):
            delivered, dead, _ = self.plan.expected(number)
            assert self.accepted[number] == delivered, number
            assert self.dead[number] >= dead, number
        assert self.reasons.keys() <= self.plan.reasons().keys()

    def check_doubled(self) -> None:
        """Only what AppsFlyer recorded and did not say so may have been recorded twice."""
        assert all(self.doubtful[number] for number in self.doubled)

    def check_money(self) -> None:
        """Every cent is delivered that is neither a dead letter nor a duplicate, and no other."""
        for number in range(self.plan.count):
            dropped = self.plan.expected(number)[2] * self.plan.cents(number)
            due = self.handed_cents[number] - self.dead_cents[number] - dropped
            assert self.accepted_cents[number] == due, number
            assert self.recorded_cents[number] == self._recorded(number, due), number

    def _recorded(self, number: int, due: int) -> int:
        """What AppsFlyer is to have recorded, with what it recorded and did not say so."""
        doubtful = self.doubtful_cents[number]
        if self.plan.surface is Surface.MOBILE:
            return due + doubtful
        return doubtful if self.doubtful[number] else due  # W11: it drops the second one

    @property
    def doubled(self) -> list[int]:
        """The numbers of the events that AppsFlyer recorded more than once."""
        return [number for number, times in enumerate(self.recorded) if times > 1]


def refuses(call: Call) -> Strike | None:
    """AppsFlyer says of these that they are wrong (E11)."""
    return REFUSAL if call.event_name == "refused" else None


def number_of(surface: Surface, payload: Mapping[str, Any]) -> int:
    """The number of an event, by what AppsFlyer gets of it."""
    mobile = surface is Surface.MOBILE
    customer = payload["customer_user_id"] if mobile else payload["user_id"]["customer_user_id"]
    return int(customer.removeprefix("u-"))


def _cents(surface: Surface, event: Mapping[str, Any]) -> int:
    """What an event is worth, as it is kept or as it is sent."""
    if surface is Surface.WEB:
        return int(Decimal(str(event.get("event_revenue") or 0)) * 100)
    value = event["eventValue"]
    content = json.loads(value) if isinstance(value, str) else value
    return int(Decimal(content.get("af_revenue", "0")) * 100)
