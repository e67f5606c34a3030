import asyncio

from relay.forward.circuit_breaker import MIN_SENDS, PROBES, RECENT, BreakerRound, CircuitBreaker

APP = "id1"


def breaker_after(
    *failed: bool, app_id: str = APP, breaker: CircuitBreaker | None = None
) -> CircuitBreaker:
    breaker = breaker or CircuitBreaker()
    for one in failed:
        breaker.record(app_id, failed=one)
    return breaker


def test_circuit_is_closed_before_anything_is_known() -> None:
    assert not CircuitBreaker().is_open(APP)


def test_health_is_open_when_most_of_the_latest_sends_failed() -> None:
    assert breaker_after(*[True] * 3, *[False] * 2, *[True]).is_open(APP)
    assert not breaker_after(*[True] * 3, *[False] * 3).is_open(APP)


def test_circuit_is_closed_after_too_few_sends() -> None:
    assert not breaker_after(*[True] * (MIN_SENDS - 1)).is_open(APP)
    assert breaker_after(*[True] * MIN_SENDS).is_open(APP)


def test_circuit_forgets_what_was_long_ago() -> None:
    breaker = breaker_after(*[False] * RECENT)

    breaker_after(*[True] * (RECENT // 2 + 1), breaker=breaker)

    assert breaker.is_open(APP)


def test_circuit_of_one_app_says_nothing_of_another_that_has_sends_of_its_own() -> None:
    breaker = breaker_after(*[True] * RECENT)
    breaker_after(*[False] * MIN_SENDS, app_id="id2", breaker=breaker)

    assert breaker.is_open(APP)
    assert not breaker.is_open("id2")


def test_circuit_of_all_stands_for_an_app_of_which_little_is_known() -> None:
    assert breaker_after(*[True] * RECENT).is_open("id2")


def test_circuit_takes_a_success_amid_failures_for_the_recovery() -> None:
    breaker = breaker_after(*[True] * RECENT, *[False])

    assert not breaker.is_open(APP)
    assert not breaker.is_open("id2")


# Rounds


async def allowed(round_: BreakerRound, count: int, app_id: str = APP) -> int:
    return sum([await round_.allow(app_id) for _ in range(count)])


async def test_round_allows_all_while_the_circuit_is_closed() -> None:
    assert await allowed(BreakerRound(breaker_after(*[False])), 50) == 50


async def test_round_admits_a_few_probes_of_an_app_that_is_open_and_then_no_more() -> None:
    round_ = BreakerRound(breaker_after(*[True] * RECENT))
    assert await allowed(round_, PROBES) == PROBES
    for _ in range(PROBES):
        round_.record(APP, failed=True)

    assert await allowed(round_, 50) == 0


async def test_round_lets_the_others_wait_for_the_probes() -> None:
    round_ = BreakerRound(breaker_after(*[True] * RECENT))
    await allowed(round_, PROBES)
    others = asyncio.gather(*(round_.allow(APP) for _ in range(20)))
    await asyncio.sleep(0)
    assert not others.done()

    round_.record(APP, failed=True)
    round_.record(APP, failed=False)

    assert await others == [True] * 20


async def test_round_lets_nobody_wait_for_probes_that_were_not_sent() -> None:
    """They had been delivered before, say: nothing is known by it."""
    round_ = BreakerRound(breaker_after(*[True] * RECENT))
    await allowed(round_, PROBES)
    others = asyncio.gather(*(round_.allow(APP) for _ in range(20)))
    await asyncio.sleep(0)

    for _ in range(PROBES):
        round_.record(APP, failed=None)

    assert await others == [False] * 20


async def test_round_stops_when_its_own_sends_fail() -> None:
    round_ = BreakerRound(CircuitBreaker())
    await allowed(round_, MIN_SENDS)
    for _ in range(MIN_SENDS):
        round_.record(APP, failed=True)
    await allowed(round_, PROBES)
    for _ in range(PROBES):
        round_.record(APP, failed=True)

    assert await allowed(round_, 50) == 0


async def test_round_allows_what_has_to_be_sent_anyway() -> None:
    round_ = BreakerRound(breaker_after(*[True] * RECENT))
    await allowed(round_, PROBES)
    for _ in range(PROBES):
        round_.record(APP, failed=True)

    assert await round_.allow(APP, force=True)


async def test_rounds_begin_with_new_probes() -> None:
    breaker = breaker_after(*[True] * RECENT)

    assert [await allowed(BreakerRound(breaker), PROBES) for _ in range(3)] == [PROBES] * 3
