import asyncio

from relay.consumer.circuit_breaker import LATEST, LEAST, PROBES, Health, Round

APP = "id1"


def health_after(*failed: bool, app_id: str = APP, health: Health | None = None) -> Health:
    health = health or Health()
    for one in failed:
        health.note(app_id, failed=one)
    return health


def test_health_is_well_before_anything_is_known() -> None:
    assert not Health().is_unwell(APP)


def test_health_is_unwell_when_most_of_the_latest_sends_failed() -> None:
    assert health_after(*[True] * 3, *[False] * 2, *[True]).is_unwell(APP)
    assert not health_after(*[True] * 3, *[False] * 3).is_unwell(APP)


def test_health_tells_nothing_of_too_few_sends() -> None:
    assert not health_after(*[True] * (LEAST - 1)).is_unwell(APP)
    assert health_after(*[True] * LEAST).is_unwell(APP)


def test_health_forgets_what_was_long_ago() -> None:
    health = health_after(*[False] * LATEST)

    health_after(*[True] * (LATEST // 2 + 1), health=health)

    assert health.is_unwell(APP)


def test_health_of_one_app_says_nothing_of_another_that_has_sends_of_its_own() -> None:
    health = health_after(*[True] * LATEST)
    health_after(*[False] * LEAST, app_id="id2", health=health)

    assert health.is_unwell(APP)
    assert not health.is_unwell("id2")


def test_health_of_all_stands_for_an_app_of_which_little_is_known() -> None:
    assert health_after(*[True] * LATEST).is_unwell("id2")


def test_health_takes_a_success_amid_failures_for_the_recovery() -> None:
    health = health_after(*[True] * LATEST, *[False])

    assert not health.is_unwell(APP)
    assert not health.is_unwell("id2")


# Rounds


async def admitted(round_: Round, count: int, app_id: str = APP) -> int:
    return sum([await round_.admit(app_id) for _ in range(count)])


async def test_round_admits_all_while_the_app_is_well() -> None:
    assert await admitted(Round(health_after(*[False])), 50) == 50


async def test_round_admits_a_few_probes_of_an_app_that_is_unwell_and_then_no_more() -> None:
    round_ = Round(health_after(*[True] * LATEST))
    assert await admitted(round_, PROBES) == PROBES
    for _ in range(PROBES):
        round_.ended(APP, failed=True)

    assert await admitted(round_, 50) == 0


async def test_round_lets_the_others_wait_for_the_probes() -> None:
    round_ = Round(health_after(*[True] * LATEST))
    await admitted(round_, PROBES)
    others = asyncio.gather(*(round_.admit(APP) for _ in range(20)))
    await asyncio.sleep(0)
    assert not others.done()

    round_.ended(APP, failed=True)
    round_.ended(APP, failed=False)

    assert await others == [True] * 20


async def test_round_lets_nobody_wait_for_probes_that_were_not_sent() -> None:
    """They had been delivered before, say: nothing is known by it."""
    round_ = Round(health_after(*[True] * LATEST))
    await admitted(round_, PROBES)
    others = asyncio.gather(*(round_.admit(APP) for _ in range(20)))
    await asyncio.sleep(0)

    for _ in range(PROBES):
        round_.ended(APP, failed=None)

    assert await others == [False] * 20


async def test_round_stops_when_its_own_sends_fail() -> None:
    round_ = Round(Health())
    await admitted(round_, LEAST)
    for _ in range(LEAST):
        round_.ended(APP, failed=True)
    await admitted(round_, PROBES)
    for _ in range(PROBES):
        round_.ended(APP, failed=True)

    assert await admitted(round_, 50) == 0


async def test_round_admits_what_has_to_be_sent_anyway() -> None:
    round_ = Round(health_after(*[True] * LATEST))
    await admitted(round_, PROBES)
    for _ in range(PROBES):
        round_.ended(APP, failed=True)

    assert await round_.admit(APP, anyway=True)


async def test_rounds_begin_with_new_probes() -> None:
    health = health_after(*[True] * LATEST)

    assert [await admitted(Round(health), PROBES) for _ in range(3)] == [PROBES] * 3
