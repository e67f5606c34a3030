"""AWS itself fails: the table, Parameter Store, the queue. Nothing is lost, and the rest goes on.

An outage lasts half an hour unless it is said otherwise; AppsFlyer is well, unless it is said so.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from relay.domain.kinds import Surface
from relay.errors import TableUnavailableError
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.faults.balance import APPS, Fate, Plan
from tests.faults.conftest import Saw, Scale
from tests.faults.soak import Soak
from tests.support.fakes import aws_error

OUTAGE = 1_800.0
DAY = 86_400.0
EVENTS = 3
"""Times `scale.events`: some are bad anyhow, and half of them have no money in them."""
SURFACES = pytest.mark.parametrize("surface", [Surface.MOBILE, Surface.WEB])


def soak_of(surface: Surface, scale: Scale, faults: float = 0.0, **fleet: Any) -> Soak:
    return Soak(Plan(surface, EVENTS * scale.events), faults, **fleet)


def delivered(soak: Soak, *, with_money: bool) -> tuple[int, int]:
    """Of the good events with money, or without: how many are delivered, and how many there are."""
    plan = soak.plan
    good = [
        number
        for number in range(plan.count)
        if plan.has_money(number) is with_money and plan.expected(number)[0]
    ]
    return sum(soak.balance.accepted[number] > 0 for number in good), len(good)


# The table of deliveries


class Flaky:
    """A table of which some calls fail, and of some the answer is lost after they were made."""

    def __init__(self, table: MemoryTable, part: float, seed: int) -> None:
        self.part = part
        self._table = table
        self._chance = random.Random(seed)  # noqa: S311 - which calls fail, no secret

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._table, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            if self._chance.random() < self.part:
                raise TableUnavailableError("DynamoDB failed: ThrottlingException")
            answer = call(*args, **kwargs)
            if self._chance.random() < self.part / 3:
                raise TableUnavailableError("DynamoDB failed: ReadTimeoutError")
            return answer

        return called


@SURFACES
def test_table_that_is_down_defers_money_and_stops_nothing_else(
    surface: Surface, scale: Scale, saw: Saw
) -> None:
    soak = soak_of(surface, scale)
    soak.table.error = TableUnavailableError("DynamoDB failed: InternalServerError")
    during: list[tuple[int, int]] = []

    async def outage() -> None:
        await asyncio.sleep(OUTAGE)
        during.extend(delivered(soak, with_money=money) for money in (False, True))
        soak.table.error = None

    soak.meanwhile = outage
    soak.run()

    (plain, all_plain), (money, all_money) = during
    assert (plain, money) == (all_plain, 0)
    soak.balance.check()
    assert soak.heard.unexpected == []
    saw(without_money=all_plain, with_money=all_money)


@SURFACES
def test_table_that_fails_at_random_loses_nothing(surface: Surface, scale: Scale, saw: Saw) -> None:
    """A delivery that could not be noted is counted; only such a one may be sent once more."""
    soak = soak_of(surface, scale)
    flaky = Flaky(soak.table, 0.3, seed=5)
    soak.fleet.deliveries = cast("MemoryTable", flaky)

    async def outage() -> None:
        await asyncio.sleep(OUTAGE)
        flaky.part = 0.0

    soak.meanwhile = outage
    soak.run()

    balance, plan = soak.balance, soak.plan
    again = 0
    for number in range(plan.count):
        least, dead, _ = plan.expected(number)
        assert balance.accepted[number] >= least, number
        assert balance.accepted[number] + balance.dead[number] <= balance.handed[number], number
        again += balance.accepted[number] - min(balance.accepted[number], 1)
        assert least or balance.dead[number] == dead, number
    assert again <= soak.heard.counted["Unremembered"]
    assert soak.heard.unexpected == []
    saw(events=plan.count, unremembered=soak.heard.counted["Unremembered"], again=again)


def test_table_that_is_down_for_longer_than_the_schedule_leaves_dead_letters(
    scale: Scale, saw: Saw
) -> None:
    """Nothing is lost, either: each event with money is there, with its reason."""
    soak = Soak(Plan(Surface.MOBILE, scale.events))
    soak.table.error = TableUnavailableError("DynamoDB failed: InternalServerError")

    async def outage() -> None:
        await asyncio.sleep(2 * DAY)

    soak.meanwhile = outage
    soak.run()

    balance, plan = soak.balance, soak.plan
    given_up = 0
    for number in range(plan.count):
        if not plan.has_money(number):
            assert balance.accepted[number] == plan.expected(number)[0], number
        elif plan.fate(number) is not Fate.REJECTED:
            assert (balance.accepted[number], balance.dead[number]) == (0, balance.handed[number])
            given_up += balance.dead[number]
    assert balance.reasons["attempts_used_up: deliveries_unavailable"] == given_up > 0
    saw(dead_letters=given_up)


# Parameter Store

OUTAGES: dict[str, Exception] = {
    "throttled": aws_error("ThrottlingException"),
    "denied": aws_error("AccessDeniedException"),
    "down": EndpointConnectionError(endpoint_url="https://ssm.example.com"),
}


def troubles(*short: tuple[Surface, str]) -> pytest.MarkDecorator:
    """All of them, these in the short form: between both tests, each of them once."""
    cases = [*((Surface.MOBILE, trouble) for trouble in OUTAGES), (Surface.WEB, "throttled")]
    return pytest.mark.parametrize(
        ("surface", "trouble"),
        [
            pytest.param(*case, marks=[] if case in short else [pytest.mark.full_only])
            for case in cases
        ],
    )


@troubles((Surface.MOBILE, "throttled"), (Surface.MOBILE, "down"))
def test_parameter_store_that_fails_from_the_start_loses_nothing(
    surface: Surface, trouble: str, scale: Scale, saw: Saw
) -> None:
    soak = soak_of(surface, scale)
    soak.fleet.ssm.error = OUTAGES[trouble]
    during: list[int] = []

    async def outage() -> None:
        await asyncio.sleep(OUTAGE)
        during.append(sum(soak.balance.accepted) + sum(soak.balance.dead))
        soak.fleet.ssm.error = None

    soak.meanwhile = outage
    soak.run()

    assert during == [0]
    soak.balance.check()
    assert soak.heard.unexpected == []
    saw(events=soak.plan.count, reads=len(soak.fleet.ssm.calls))


@troubles((Surface.MOBILE, "denied"), (Surface.WEB, "throttled"))
def test_parameter_store_that_fails_later_stops_nobody(
    surface: Surface, trouble: str, scale: Scale
) -> None:
    """What was read before still serves, though it is older than it should be."""
    soak = soak_of(surface, scale, pace=(300 + OUTAGE) / (EVENTS * scale.events), instances=1)
    late: list[int] = []

    async def outage() -> None:
        await asyncio.sleep(300)
        soak.fleet.ssm.error = OUTAGES[trouble]
        await asyncio.sleep(OUTAGE)
        handed_in = [n for n in range(soak.plan.count) if soak.balance.handed[n]]
        done = [soak.balance.accepted[n] + soak.balance.dead[n] for n in handed_in]
        late.extend(n for n, settled in zip(handed_in, done, strict=True) if not settled)
        soak.fleet.ssm.error = None

    soak.meanwhile = outage
    soak.run()

    reads = [len(names) for names in soak.fleet.ssm.calls]
    assert len(reads) > OUTAGE / 300, "it was not even asked"
    assert len(late) <= 2, "but for those that had only just been handed in"
    soak.balance.check()


def test_parameter_that_may_not_be_read_defers_that_apps_events_alone(scale: Scale) -> None:
    soak = soak_of(Surface.MOBILE, scale)
    forbidden = APPS[Surface.MOBILE][0]
    soak.fleet.ssm.forbidden = {f"/relay/tokens/mobile/{forbidden}"}
    during: list[bool] = []

    async def outage() -> None:
        await asyncio.sleep(OUTAGE)
        for number in range(soak.plan.count):
            is_theirs = soak.plan.app_of(number) == forbidden
            if soak.plan.expected(number)[0]:
                during.append((soak.balance.accepted[number] > 0) is not is_theirs)
        soak.fleet.ssm.forbidden = set()

    soak.meanwhile = outage
    soak.run()

    assert during
    assert all(during)
    soak.balance.check()


# The queue. AppsFlyer fails as well, so that there is much to be put back.


@SURFACES
@pytest.mark.parametrize("how", ["refused", "down"])
def test_queue_that_takes_nothing_back_loses_nothing(
    surface: Surface, how: str, scale: Scale, saw: Saw
) -> None:
    """What could not be put anywhere is not acknowledged, and comes back by itself."""
    error: Exception = EndpointConnectionError(endpoint_url="https://sqs.example.com")
    if how == "refused":
        error = aws_error("AccessDenied")
    soak = soak_of(surface, scale, 0.2)
    soak.fleet.sqs.fails = lambda operation: error if operation == "SendMessageBatch" else None

    async def outage() -> None:
        await asyncio.sleep(OUTAGE)
        soak.fleet.sqs.fails = lambda operation: None

    soak.meanwhile = outage
    soak.run()

    soak.balance.check()
    soak.balance.check_doubled()
    assert soak.heard.unexpected == []
    saw(events=soak.plan.count, faults=soak.mixed.dealt.total())


@SURFACES
def test_queue_that_fails_in_part_loses_nothing(surface: Surface, scale: Scale, saw: Saw) -> None:
    """Some entries are refused, some calls fail, and of some the answer is lost: on any call."""
    chance = random.Random(6)  # noqa: S311 - which calls fail, no secret
    soak = soak_of(surface, scale, 0.2, deduplicate="all")
    sqs = soak.fleet.sqs
    throttled, lost = aws_error("ThrottlingException"), aws_error("InternalError")
    sqs.refuses = lambda entry: chance.random() < 0.3
    sqs.fails = lambda operation: throttled if chance.random() < 0.1 else None
    sqs.loses_answer = lambda operation: lost if chance.random() < 0.05 else None

    async def outage() -> None:
        await asyncio.sleep(OUTAGE)
        sqs.refuses = lambda entry: False
        sqs.fails = sqs.loses_answer = lambda operation: None

    soak.meanwhile = outage
    soak.run()

    soak.balance.check_at_least_once()
    soak.balance.check_doubled()
    assert soak.heard.unexpected == []
    saw(
        events=soak.plan.count,
        faults=soak.mixed.dealt.total(),
        came_again=soak.heard.counted["Duplicate"] - soak.plan.duplicates,
    )
