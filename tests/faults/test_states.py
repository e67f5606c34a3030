"""The states of an event, its claim, its delivery and its doubt, as a state machine.

Hypothesis hands events in, once or again, lets time pass, and lays out harm: processes that die at
any step, calls that fail, hang or lose their answers, messages that come twice, people who redrive.
Whatever the order: money is recorded once, or the doubt was counted, and every event ends.
"""

import asyncio
import json
import sys
from collections import defaultdict, deque
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from relay.domain.kinds import Surface
from relay_cli.dlq.dead_letter import DeadLetter, parse_dead_letter, redrive_body
from relay_sandbox.stand_in import Account
from relay_sandbox.stand_in.calls import Call
from tests.faults.conftest import Saw, Scale
from tests.faults.in_process import REFUSAL, SURE, UNCERTAIN, AppsFlyer, Entries, Strike
from tests.faults.ledger import make_order
from tests.faults.listening import listening
from tests.faults.mortal import Harm, MadeUpError, MortalFleet, Step
from tests.faults.virtual_time import VirtualLoop
from tests.support.builders import MOBILE_APP, Json
from tests.support.fakes import FakeClock
from tests.support.memory_queue import Traffic

DELIVERY_DAYS = 35
DAY = 86_400.0
TIMES = (0.02, 0.5, 3.0, 20.0, 70.0, 600.0, 3_600.0, DAY, 40 * DAY)
"""Seconds: within a request, after it, beyond a lease, a visibility time-out, `DeliveryDays`."""
STRIKES = (*SURE, *(strike for strike in UNCERTAIN if strike.recorded), REFUSAL)
"""What is uncertain was recorded: so there are as many doubts as doubles, and none may be missing.
"""
HARMS = [
    (step, harm)
    for step in Step
    for harm in Harm
    if (step, harm)
    not in {
        (Step.PARAMETERS, Harm.BUG),  # the whole batch's
        (Step.SEND, Harm.FAILS),  # not recorded: see `STRIKES`
        (Step.SEND, Harm.HANGS),
    }
]
MONEY = ("order-1", "payment-1")
FREE = "visit-1"


def envelope(event_id: str, *, other: bool) -> Json:
    """An event, the same each time, or the same id with other content."""
    name = "other" if other else "purchase"
    order = make_order(Surface.MOBILE, event_id, name, paid=event_id != FREE)
    if not event_id.startswith("payment"):
        return order
    return order | {"source": "stripe-main", "content_sha256": ("1" if other else "0") * 64}


class Events(RuleBasedStateMachine):
    """See the module. What AppsFlyer has recorded is in `entries`."""

    uncertain_money: str
    events: tuple[str, ...]

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.entries = FakeClock(), Entries()
        self.handed_in: set[str] = set()
        self.letters: list[DeadLetter] = []
        self.consents: defaultdict[str, list[datetime]] = defaultdict(list)
        """Up to when a person knew of doubts of an event, when they decided to send it again."""
        self.strikes: deque[Strike] = deque()
        self.chances: deque[float] = deque()
        account = Account.model_validate({"app_id": MOBILE_APP, "kind": "mobile", "tokens": ("t",)})
        self.fleet = MortalFleet(
            AppsFlyer([account], self.clock, self.entries, self._weather),
            self.clock,
            instances=2,
            batch_size=10,
            traffic=Traffic(duplicates=0.5, chance=self._chance),
            uncertain_money=self.uncertain_money,
        )
        self.fleet.add_app(MOBILE_APP, "t")
        self._stack = ExitStack()
        stdout, stderr = sys.stdout, sys.stderr
        self.heard = self._stack.enter_context(listening())
        # Hypothesis tells its steps between them.
        sys.stdout, sys.stderr = stdout, stderr
        loops = asyncio.Runner(loop_factory=lambda: VirtualLoop(self.clock))
        self._runner = self._stack.enter_context(loops)
        self._runner.get_loop().set_exception_handler(_ignore_the_dead)
        self._work = self.fleet.at_work()
        self._run(self._work.__aenter__())

    # What happens

    @rule(number=st.integers(0, 2), other=st.sampled_from((False, False, True)))
    def hand_in(self, number: int, *, other: bool) -> None:
        """Its sender, for the first time or again; or another webhook of the same payment."""
        event_id = self.events[number]
        self.handed_in.add(event_id)
        self.fleet.put([envelope(event_id, other=other)])

    @rule(seconds=st.sampled_from(TIMES))
    def time_passes(self, seconds: float) -> None:
        while seconds > 0:
            self._run(self.fleet.live_for(min(seconds, DAY)))
            self.letters += self._letters()  # before they are too old
            seconds -= DAY

    @rule(harms=st.lists(st.sampled_from(HARMS), min_size=1, max_size=2))
    def harm_is_laid(self, harms: list[tuple[Step, Harm]]) -> None:
        for step, harm in harms:
            self.fleet.harms.lay(step, harm)

    @rule(strike=st.sampled_from(STRIKES))
    def appsflyer_will_fail(self, strike: Strike) -> None:
        self.strikes.append(strike)

    @rule(later=st.sampled_from((0.0, 0.02, 0.9)))
    def sqs_will_deliver_twice(self, later: float) -> None:
        self.chances.extend((0.0, later))

    @precondition(lambda self: self.letters)
    @rule(data=st.data())
    def person_redrives(self, data: st.DataObject) -> None:
        """By `relay dlq redrive`: where there is doubt, that is the decision to send it again."""
        self._redrive(self._take_letter(data))

    @precondition(lambda self: self.letters)
    @rule(data=st.data())
    def sqs_redrives(self, data: st.DataObject) -> None:
        """By AWS's own redrive, which decides nothing."""
        self._put_back(self._take_letter(data).body)

    def teardown(self) -> None:
        """Once all goes well again, every event ends."""
        try:
            self.fleet.harms.clear()
            self.strikes.clear()
            self.chances.clear()
            self._run(self.fleet.drained())
            assert self._waiting() == set()
            self._check()
            self._redrive_what_is_in_doubt()
        finally:
            self._run(self._work.__aexit__(None, None, None))
            self._stack.close()

    def _check(self) -> None:
        self.nothing_is_lost()
        self.money_is_recorded_once_or_the_doubt_was_counted()
        self.no_bug_but_those_laid_out_and_no_invocation_out_of_time()

    def _redrive_what_is_in_doubt(self) -> None:
        """A person's decision ends each doubt; an older letter may have to wait for a newer one."""
        doubted = set[str]()
        for _ in range(3):
            doubtful = [letter for letter in self.letters if letter.is_uncertain_money]
            doubted |= {_event_id(letter) for letter in doubtful}
            for letter in doubtful:
                self._redrive(letter)
            self._run(self.fleet.drained())
            self.letters = list(self._letters())
        assert doubted <= self._recorded().keys()
        assert [letter for letter in self.letters if letter.is_uncertain_money] == []

    # What holds at any time

    @invariant()
    def nothing_is_lost(self) -> None:
        self.letters += self._letters()
        kept = self._waiting() | {_event_id(letter) for letter in self.letters}
        assert self.handed_in <= kept | self._recorded().keys()

    @invariant()
    def money_is_recorded_once_or_the_doubt_was_counted(self) -> None:
        doubles = [(id_, first) for id_ in MONEY for first in self._recorded_again(id_)]
        if self.uncertain_money == "dead_letter":
            for event_id, first in doubles:
                assert any(first <= known for known in self.consents[event_id]), event_id
        else:
            assert len(doubles) <= self.heard.counted["Uncertain"]

    @invariant()
    def no_bug_but_those_laid_out_and_no_invocation_out_of_time(self) -> None:
        assert [one for one in self.heard.unexpected if one["error"] != MadeUpError.__name__] == []
        assert self.fleet.timed_out == 0

    # Looking

    def _recorded_again(self, event_id: str) -> Iterator[datetime]:
        """When it was recorded, each time that it was again while that had to be remembered."""
        kept = timedelta(days=DELIVERY_DAYS)
        for earlier, later in pairwise(self._recorded().get(event_id, [])):
            if later - earlier < kept:
                yield earlier

    def _recorded(self) -> dict[str, list[datetime]]:
        """When AppsFlyer recorded each event."""
        moments: dict[str, list[datetime]] = {}
        for entry in self.entries.recorded():
            value = json.loads(str(entry.payload["eventValue"]))
            moments.setdefault(value["af_order_id"], []).append(entry.at)
        return moments

    def _waiting(self) -> set[str]:
        queue = self.fleet.sqs.queue(self.fleet.queue)
        return {json.loads(message.body)["event_id"] for message in queue}

    def _letters(self) -> Iterator[DeadLetter]:
        """Takes all dead letters off their queue."""
        sqs, url = self.fleet.sqs, self.fleet.dead
        most, names = 10, ["All"]
        while received := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=most, AttributeNames=names
        ):
            for message in received["Messages"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                yield parse_dead_letter(message)

    def _take_letter(self, data: st.DataObject) -> DeadLetter:
        return self.letters.pop(data.draw(st.integers(0, len(self.letters) - 1), "letter"))

    def _redrive(self, letter: DeadLetter) -> None:
        body = redrive_body(letter)
        assert body is not None
        if letter.is_uncertain_money:
            self.consents[_event_id(letter)].append(letter.dead_since)
        self._put_back(body)

    def _put_back(self, body: str) -> None:
        self.fleet.sqs.put(self.fleet.queue, body, MOBILE_APP)

    # What the world asks

    def _weather(self, call: Call) -> Strike | None:
        return self.strikes.popleft() if self.strikes else None

    def _chance(self) -> float:
        return self.chances.popleft() if self.chances else 1.0

    def _run(self, story: Coroutine[Any, Any, Any]) -> None:
        with redirect_stdout(self.heard), redirect_stderr(self.heard):
            self._runner.run(story)


def _event_id(letter: DeadLetter) -> str:
    assert letter.event_id is not None
    return letter.event_id


def _ignore_the_dead(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A thread of a dead process ends nowhere."""


class EventsResent(Events):
    uncertain_money = "resend"
    events = (
        "order-1",
        "order-1",
        "payment-1",
    )  # doubts of what is not claimed are not all counted


class EventsKeptForAPerson(Events):
    uncertain_money = "dead_letter"
    events = (*MONEY, FREE)


@pytest.mark.parametrize("machine", [EventsKeptForAPerson, EventsResent])
def test_every_event_ends_and_money_is_recorded_once_or_counted(
    machine: type[Events], scale: Scale, saw: Saw
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=scale.stories,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
        ),
    )
    saw(stories=scale.stories)
