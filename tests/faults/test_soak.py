"""Many events, mixed faults, some handed in twice: the books agree to the event and the cent.

The real forwarder on the queue and the table in memory, which pass the same contract tests as
moto's; AppsFlyer is the stand-in's judgement, in this process.
"""

import asyncio
import random
from functools import partial

import pytest

from relay.domain.kinds import Surface
from tests.faults.balance import Fate, Plan
from tests.faults.conftest import Saw, Scale
from tests.faults.in_process import SURE, UNCERTAIN, WRONG
from tests.faults.soak import Soak
from tests.support.memory_queue import Traffic

pytestmark = pytest.mark.xdist_group("soak")  # one soak for all that look at it

FAULTS = 0.05
MOST_BLOCKS = 15_000
"""By how many objects memory may have grown in the last quarter since the first: a fifth of one for
each event of the long form, so that nothing is kept of an event. Most of them are what is on the
queue at the time."""
MOST_BYTES = 8_000_000
"""The same for the whole process, the table of deliveries set apart, which DynamoDB keeps."""
MOST_BYTES_AN_EVENT = 40
"""Where that is more: what the table in memory takes besides its pages grows with it."""


def _growth(samples: list[int]) -> int:
    """From the first quarter to the last; what was needed to get going is left out."""
    quarter = len(samples) // 4
    first, last = samples[quarter // 2 : quarter], samples[-quarter // 2 :]
    return sum(last) // len(last) - sum(first) // len(first)


@pytest.fixture(scope="module", params=[Surface.MOBILE, Surface.WEB])
def soak(request: pytest.FixtureRequest, scale: Scale) -> Soak:
    """A soak that is over; what is promised of it is looked at from several sides."""
    soak = Soak(Plan(request.param, scale.soak // 2), FAULTS)
    soak.looks_at_memory = True
    soak.meanwhile = soak.parameters_and_queue_hang
    soak.run()
    return soak


def test_soak_accounts_for_every_event(soak: Soak, saw: Saw) -> None:
    """Handed in = delivered + dead letters + duplicates, for each of them."""
    balance = soak.balance
    balance.check()
    saw(
        events=soak.plan.count,
        handed_in=sum(balance.handed),
        delivered=sum(balance.accepted),
        dead_letters=sum(balance.dead),
        duplicates=soak.heard.counted["Duplicate"],
        faults=soak.mixed.dealt.total(),
    )


def test_soak_loses_and_doubles_no_cent(soak: Soak, saw: Saw) -> None:
    balance = soak.balance
    balance.check_money()
    saw(
        cents=sum(balance.accepted_cents),
        recorded=sum(balance.recorded_cents),
        of_those_uncertain=sum(balance.doubtful_cents),
    )


def test_soak_records_twice_only_what_was_uncertain_and_counted(soak: Soak, saw: Saw) -> None:
    balance, doubled = soak.balance, soak.balance.doubled

    balance.check_doubled()
    extra = sum(balance.recorded[number] - 1 for number in doubled)
    assert extra <= soak.heard.counted["Uncertain"] == soak.mixed.uncertain
    if soak.plan.surface is Surface.WEB:  # W11
        assert doubled == []
    saw(doubled=len(doubled), uncertain=soak.mixed.uncertain)


def test_soak_gives_each_dead_letter_its_reason(soak: Soak) -> None:
    """The same id with other content is a conflict, whichever of the two came first."""
    assert soak.balance.reasons == soak.plan.reasons()
    assert soak.plan.reasons()["id_conflict"] > 0


def test_soak_has_parameter_store_and_sqs_hang(soak: Soak, saw: Saw) -> None:
    assert min(soak.hung["parameters"], soak.hung["queue"]) > 0
    saw(hung=soak.hung.total())


def test_soak_counts_what_it_did(soak: Soak) -> None:
    counted, balance, plan = soak.heard.counted, soak.balance, soak.plan
    assert counted["Delivered"] == sum(balance.accepted)
    assert counted["DeadLettered"] == sum(balance.dead)
    assert counted["Duplicate"] == plan.duplicates


def test_soak_has_no_bug_of_ours_and_no_invocation_out_of_time(soak: Soak) -> None:
    assert soak.heard.unexpected == []
    assert soak.fleet.timed_out == 0
    assert soak.fleet.sqs.queue(soak.fleet.queue).expired == 0


@pytest.mark.full_only  # in a short one, most of the growth is what it takes to get going
def test_soak_keeps_memory_flat(soak: Soak, saw: Saw) -> None:
    blocks, size = _growth(soak.blocks), _growth(soak.bytes)

    assert blocks < MOST_BLOCKS
    assert size < max(MOST_BYTES, MOST_BYTES_AN_EVENT * soak.plan.count)
    saw(objects_more=blocks, bytes_more=size)


def test_soak_on_a_queue_that_delivers_twice_counts_no_event_twice(scale: Scale, saw: Saw) -> None:
    """At least once: one receive in twenty comes again, deleted or not."""
    traffic = Traffic(duplicates=0.05, chance=random.Random(4).random)  # noqa: S311 - no secret
    soak = Soak(Plan(Surface.MOBILE, scale.soak // 4), FAULTS, traffic=traffic, deduplicate="all")

    soak.run()

    balance = soak.balance
    balance.check_at_least_once()
    balance.check_doubled()
    copies = soak.heard.counted["Duplicate"] - soak.plan.duplicates
    assert copies > soak.plan.count / 50
    saw(events=soak.plan.count, copies=copies, doubled=len(balance.doubled))


@pytest.mark.parametrize("uncertain_money", ["resend", "dead_letter"])
def test_soak_on_a_table_that_hangs_counts_every_double(
    uncertain_money: str, scale: Scale, saw: Saw
) -> None:
    """A delivery that could not be noted is one that its second telling may double."""
    plan = Plan(Surface.MOBILE, scale.soak // 8)
    soak = Soak(plan, pace=max(0.2, 60 / plan.count), uncertain_money=uncertain_money)
    soak.meanwhile = partial(soak.tables_hang_for, 60)

    soak.run()

    balance, counted = soak.balance, soak.heard.counted
    doubles = sum(balance.recorded[number] - 1 for number in balance.doubled)
    assert counted["Unremembered"] > 0
    if uncertain_money == "dead_letter":
        assert doubles == 0
    else:
        balance.check_counted_doubles(counted["Duplicate"])
        assert doubles <= min(counted["Unremembered"], counted["Uncertain"])
    assert sum(balance.handed) == (sum(balance.accepted) + sum(balance.dead) + counted["Duplicate"])
    assert soak.heard.unexpected == []
    assert soak.fleet.timed_out == 0
    saw(events=plan.count, unremembered=counted["Unremembered"], doubled=doubles)


@pytest.mark.parametrize("surface", [Surface.MOBILE, Surface.WEB])
def test_soak_in_which_all_get_wrong_answers_for_a_minute_accounts_for_every_event(
    surface: Surface, scale: Scale, saw: Saw
) -> None:
    """Whatever becomes of an event that got one: delivered later, or a dead letter."""
    plan = Plan(surface, scale.soak // 20)
    soak = Soak(plan, pace=(2 * len(WRONG) + 1) * 60 / plan.count)
    soak.meanwhile = partial(soak.wrong_answers_for_all, 60)

    soak.run()

    assert len(soak.hit) > 0
    soak.balance.check_but_for(soak.hit, soak.heard.counted["Duplicate"])
    assert soak.heard.unexpected == []
    letters = sum(soak.balance.dead[number] for number in soak.hit)
    saw(events=plan.count, got_a_wrong_answer=len(soak.hit), dead_letters_of_those=letters)


# Outages


def through_an_outage(plan: Plan, hours: float) -> Soak:
    """AppsFlyer says 503, refuses connections, slows us down: surely nothing is recorded."""
    soak = Soak(plan, 1.0, strikes=SURE)

    async def outage() -> None:
        await asyncio.sleep(hours * 3_600)
        assert sum(soak.balance.recorded) == 0
        soak.mixed.part = 0.0

    soak.meanwhile = outage
    soak.run()
    return soak


@pytest.mark.parametrize(("surface", "hours"), [(Surface.MOBILE, 11), (Surface.WEB, 1)])
def test_outage_shorter_than_half_the_schedule_costs_no_event(
    surface: Surface, hours: float, scale: Scale, saw: Saw
) -> None:
    """Every wait but the first is at least half of its step."""
    soak = through_an_outage(Plan(surface, scale.events), hours)

    soak.balance.check()
    soak.balance.check_money()
    assert soak.balance.doubled == []
    saw(events=soak.plan.count, requests_in_vain=soak.mixed.dealt.total())


def test_outage_as_long_as_the_schedule_leaves_each_event_delivered_or_a_dead_letter(
    scale: Scale, saw: Saw
) -> None:
    """It lasts 18 hours on average, so that some have used up their attempts by then."""
    plan = Plan(Surface.MOBILE, scale.events)
    soak = through_an_outage(plan, hours=18)

    balance = soak.balance
    for number in range(plan.count):
        settled = balance.accepted[number] + balance.dead[number]
        dropped = balance.handed[number] - settled
        assert dropped in (0, plan.expected(number)[2]), number
        assert balance.recorded[number] == balance.accepted[number] <= 1, number
    given_up = sum(n for why, n in balance.reasons.items() if why.startswith("attempts_used_up"))
    assert 0 < given_up < sum(balance.handed)
    saw(events=plan.count, given_up=given_up, requests_in_vain=soak.mixed.dealt.total())


def test_uncertain_money_that_is_not_to_be_resent_is_sent_once(scale: Scale, saw: Saw) -> None:
    """`UncertainMoney` = `dead_letter`: a person decides, and nothing is ever recorded twice."""
    plan = Plan(Surface.MOBILE, 3 * scale.events)
    soak = Soak(plan, 0.3, strikes=UNCERTAIN, uncertain_money="dead_letter")

    soak.run()

    balance = soak.balance
    for number in range(plan.count):
        if plan.has_money(number):
            assert balance.recorded[number] <= 1, number
            settled = balance.accepted[number] + balance.dead[number]
            assert balance.handed[number] - settled in (0, plan.expected(number)[2]), number
        elif plan.fate(number) is Fate.DELIVERED:
            assert balance.accepted[number] == 1, number
    buried = sum(
        count for reason, count in balance.reasons.items() if reason.startswith("uncertain_money")
    )
    assert buried > 0
    saw(events=plan.count, buried=buried)
