"""A thousand processes that share nothing, and Parameter Store's 40 calls a second for all of them.

Strangers cause at most ten reads a second, and processes that start at once are served one after
the other. The processes are the real use cases, each with a cache of its own. In the short form
there is a quarter of each: processes, what Parameter Store takes, and what strangers may cause (as
many in four times the seconds).
"""

import json
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from heapq import heapify, heappop, heappush

import pytest

from relay.accept.accept import Accept
from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.aws.timeouts import PATIENCE_SECONDS
from relay.config.apps import Apps
from relay.config.producers import Producers, token_digest
from relay.config.sources import Sources
from relay.domain.kinds import Surface
from relay.installs.receive import Installs
from relay.payments.providers.registry import source_settings
from relay.payments.receive import ROUTE, Receiver
from relay.stores.identities import Identities
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.faults.conftest import Saw
from tests.faults.crowd import Crowd
from tests.support.builders import MOBILE_APP, Json, make_event, make_http_event, make_install
from tests.support.fakes import FakeSqs, FakeSsm, aws_error
from tests.support.harnesses import INSTALL_POST

PROCESSES = 1000
"""Lambda's quota for an account."""
ALLOWED = 40
"""Calls a second that Parameter Store takes of an account."""
BOUND = 100
"""Reads that strangers may cause in any ten seconds."""
SHORT = 4
"""The part of everything that the short form has is one in so many."""
CALL_SECONDS = 0.03
CALLERS_WAIT_SECONDS = 29.0
"""The time-out of the functions behind the API."""

Ask = Callable[[random.Random], Json]
"""Makes a request, and gives the answer."""


class Account(FakeSsm):
    """Parameter Store as a whole account sees it: a bucket of 40 calls, refilled in a second."""

    def __init__(self, crowd: Crowd, allowed: float) -> None:
        producers = [_producer("shop", MOBILE_APP), _producer("all", "*")]
        source = {"provider": "standard_webhooks", "apps": {"mobile": [MOBILE_APP]}}
        super().__init__(
            {
                f"/relay/apps/mobile/{MOBILE_APP}": "{}",
                "/relay/producers": json.dumps(producers),
                "/relay/push_senders": json.dumps([_producer("push", MOBILE_APP)]),
                "/relay/sources": json.dumps({"shop": source}),
                "/relay/webhook_secrets/shop": "whsec_c2VjcmV0",
            }
        )
        self.before_answer: Callable[[], object] = self._count
        self.reads: list[float] = []
        self.throttled: list[float] = []
        self._crowd = crowd
        self._allowed = self._left = allowed
        self._left_at = crowd.now

    def _count(self) -> None:
        now = self._crowd.now
        self._left = min(self._allowed, self._left + (now - self._left_at) * self._allowed)
        self._left_at = now
        if self._left < 1:
            self.throttled.append(now)
            raise aws_error("ThrottlingException")
        self._left -= 1
        self.reads.append(now)

    def most(self, since: float, seconds: float) -> int:
        """The most calls in any so many seconds."""
        calls = sorted(one for one in self.reads + self.throttled if one >= since)
        return max(bisect_left(calls, one + seconds) - place for place, one in enumerate(calls))


def _producer(name: str, *apps: str) -> Json:
    return {"name": name, "token_sha256": [token_digest(name)], "apps": apps}


class World:
    """An account with its processes."""

    def __init__(self, *, full: bool) -> None:
        part = 1 if full else 1 / SHORT
        self.processes = int(part * PROCESSES)
        self.seconds = 10 / part
        self.crowd = Crowd()
        self.chance = random.Random(7)  # noqa: S311 - the same in each run
        self.account = Account(self.crowd, part * ALLOWED)
        self._sqs = FakeSqs()
        self._identities = Identities(MemoryTable())

    def _store(self) -> ParameterStore:
        return ParameterStore(
            self.account.client(),
            "/relay",
            self.crowd.seconds,
            processes=PROCESSES,
            patience_seconds=PATIENCE_SECONDS,
            pause=self.crowd.sleep,
            jitter=self.chance.uniform,
        )

    def accept(self) -> Accept:
        """A process of `accept` that has read nothing."""
        store, queue = self._store(), Queue(self._sqs.client(), "https://sqs.example.com/events")
        queues = {Surface.MOBILE: queue, Surface.WEB: queue}
        return Accept(Apps(store, self.crowd.seconds), Producers(store), queues)

    def receiver(self) -> Receiver:
        """A process of `receive_payment` that has read nothing."""
        queue = Queue(self._sqs.client(), "https://sqs.example.com/payments")
        return Receiver(Sources(self._store(), source_settings()), queue)

    def installs(self) -> Installs:
        """A process of `receive_install` that has read nothing."""
        return Installs(Producers(self._store(), "push_senders"), self._identities)


def _shop(accept: Accept, token: str = "shop", app_id: str = MOBILE_APP) -> Json:
    return accept.handle(make_http_event(make_event(), token=token, app_id=app_id))


def _webhook(source: str) -> Json:
    signed = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,forged"}
    event = make_http_event({}, route=ROUTE, token=None, headers=signed)
    return {**event, "pathParameters": {"provider": "standard_webhooks", "source": source}}


def _ask_accept(accept: Accept) -> Ask:
    def ask(chance: random.Random) -> Json:
        if chance.random() < 0.1:
            answer = _shop(accept)
            assert answer["statusCode"] == 202, "a producer pays for strangers"
            return answer
        return _shop(accept, token=f"stranger-{chance.random()}")

    return ask


def _ask_for_made_up_apps(accept: Accept) -> Ask:
    return lambda chance: _shop(accept, "all", f"id{chance.random()}")


def _ask_receiver(receiver: Receiver) -> Ask:
    return lambda chance: receiver.handle(
        _webhook(chance.choice(["shop", f"made-up-{chance.randrange(10_000)}"]))
    )


def _ask_installs(installs: Installs) -> Ask:
    return lambda chance: installs.handle(
        make_http_event(make_install(), route=INSTALL_POST, token=f"stranger-{chance.random()}")
    )


def _live(world: World, asks: list[Ask], seconds: float, every: float) -> Iterator[Json]:
    """Asks each process about `every` so many seconds, from a moment of its own on."""
    begin = world.crowd.now
    due = [(begin + world.chance.uniform(0, every), number) for number in range(len(asks))]
    heapify(due)
    while due[0][0] < begin + seconds:
        world.crowd.now, number = heappop(due)
        heappush(due, (world.crowd.now + world.chance.uniform(0, 2 * every), number))
        yield asks[number](world.chance)


def _start_one_after_the_other(world: World, start: list[Callable[[], object]]) -> None:
    """As processes come into being over the day: 300 s for all, in any order."""
    begin = world.crowd.now
    for number, one in enumerate(world.chance.sample(start, len(start))):
        world.crowd.now = begin + 300 * number / len(start)
        one()


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")


@pytest.fixture
def full(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--full"))


def test_wrong_tokens_unknown_sources_and_wrong_signatures_cause_ten_reads_a_second_at_most(
    saw: Saw,
    full: bool,  # noqa: FBT001 - a fixture
) -> None:
    world = World(full=full)
    accepts = [world.accept() for _ in range(world.processes // 2)]
    receivers = [world.receiver() for _ in range(world.processes // 4)]
    installs = [world.installs() for _ in range(world.processes // 4)]
    report = make_http_event(make_install(), route=INSTALL_POST)
    _start_one_after_the_other(
        world,
        [
            *(partial(_shop, one) for one in accepts),
            *(partial(one.handle, _webhook("shop")) for one in receivers),
            *(partial(one.handle, report) for one in installs),
        ],
    )
    world.crowd.now += 200  # some are due by now, and nobody asks
    since = world.crowd.now
    asks = [
        *map(_ask_accept, accepts),
        *map(_ask_receiver, receivers),
        *map(_ask_installs, installs),
    ]
    seconds, every = (3600, 20) if full else (600, 25)

    answers = Counter(answer["statusCode"] for answer in _live(world, asks, seconds, every))

    most = world.account.most(since, world.seconds)
    reads = sum(one >= since for one in world.account.reads)
    saw(answers=dict(answers), reads=reads, seconds=seconds, most_in_ten_seconds=most)
    assert answers.keys() == {202, 401}
    assert most <= BOUND
    assert world.account.throttled == []


def test_made_up_apps_of_who_may_send_for_all_cause_two_reads_a_process_and_then_ten_a_second(
    saw: Saw,
    full: bool,  # noqa: FBT001 - a fixture
) -> None:
    world = World(full=full)
    accepts = [world.accept() for _ in range(world.processes)]
    _start_one_after_the_other(world, [partial(_shop, one) for one in accepts])
    asks = [*map(_ask_for_made_up_apps, accepts)]
    begin = world.crowd.now
    at_first = Counter(answer["statusCode"] for answer in _live(world, asks, 120, 20))
    at_once = sum(one >= begin for one in world.account.reads)
    since = world.crowd.now
    seconds, every = (3600, 20) if full else (600, 25)

    then = Counter(answer["statusCode"] for answer in _live(world, asks, seconds, every))

    most = world.account.most(since, world.seconds)
    saw(at_first=dict(at_first), reads_at_first=at_once, then=dict(then), most_in_ten_seconds=most)
    assert at_once <= 2 * world.processes + 120 * BOUND / world.seconds
    assert most <= BOUND
    assert {_shop(accept)["statusCode"] for accept in accepts} == {202}, "a neighbour pays"


@pytest.mark.parametrize("within", [0.0, 1.0], ids=["at-once", "in-a-second"])
def test_a_thousand_processes_that_start_at_once_are_mostly_served(
    saw: Saw,
    full: bool,  # noqa: FBT001 - a fixture
    within: float,
) -> None:
    world = World(full=full)
    account, crowd = world.account, world.crowd
    at_once = account.before_answer

    def after_a_moment() -> object:
        crowd.sleep(CALL_SECONDS)
        return at_once()

    account.before_answer = after_a_moment
    answers: Counter[int] = Counter()
    waited: list[float] = []

    def start() -> None:
        begin = crowd.now
        answers[_shop(world.accept())["statusCode"]] += 1
        waited.append(crowd.now - begin)

    crowd.run([(world.chance.uniform(0, within), start) for _ in range(world.processes)])

    attempts = len(account.reads) + len(account.throttled)
    saw(answers=dict(answers), attempts=attempts, longest=round(max(waited), 1))
    assert answers[202] >= 0.7 * world.processes
    assert answers.keys() <= {202, 503}
    assert max(waited) < CALLERS_WAIT_SECONDS - 3, "the queue takes its time too"
