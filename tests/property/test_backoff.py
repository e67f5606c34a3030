import math
import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.messages.backoff import delay_of, delay_until, wait_after_attempt

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIX_HOURS = 21_600.0

schedules = st.lists(st.floats(0, 100_000), max_size=12)
waits = st.floats(0, 1_000_000)


@given(schedules, st.integers(1, 15), st.none() | st.floats(0, 10**9), st.randoms())
def test_wait_after_any_attempt_is_within_the_schedule_or_what_was_asked(
    schedule: list[float], attempts: int, retry_after: float | None, chance: random.Random
) -> None:
    wait = wait_after_attempt(attempts, schedule, chance.uniform, retry_after)

    assert (wait is None) == (attempts > len(schedule))
    if wait is not None:
        asked = min(retry_after or 0.0, SIX_HOURS)
        step = schedule[attempts - 1]
        least = 0.0 if attempts == 1 else step / 2
        assert asked + least <= wait <= asked + step


@given(waits)
def test_delay_of_any_wait_is_one_that_sqs_takes_and_never_too_short(wait: float) -> None:
    delay = delay_of(wait, NOW)

    assert 0 <= delay.seconds <= 900
    until = delay.not_before or NOW + timedelta(seconds=delay.seconds)
    assert wait < 1 or until >= NOW + timedelta(seconds=math.floor(wait))


@given(st.datetimes(timezones=st.just(UTC)))
def test_delay_until_any_moment_is_one_that_sqs_takes(moment: datetime) -> None:
    delay = delay_until(moment, NOW)

    assert 0 <= delay.seconds <= 900
    assert delay.not_before == moment


@given(waits)
def test_hops_of_any_wait_end_at_its_moment(wait: float) -> None:
    now, delay = NOW, delay_of(wait, NOW)

    while delay.not_before is not None and delay.not_before > now:
        now += timedelta(seconds=delay.seconds)
        delay = delay_until(delay.not_before, now)

    assert delay.not_before is None or now >= delay.not_before
