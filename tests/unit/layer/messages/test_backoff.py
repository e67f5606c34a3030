from datetime import timedelta

from relay.messages.backoff import Delay, Jitter, delay_of, delay_until, wait_after_attempt
from tests.support.builders import NOW
from tests.support.every import every

SCHEDULE = (5.0, 30.0, 120.0)


def longest(_lowest: float, highest: float) -> float:
    return highest


def middle(lowest: float, highest: float) -> float:
    """What `random.uniform` gives on average."""
    return (lowest + highest) / 2


def shortest(lowest: float, _highest: float) -> float:
    return lowest


@every("attempts, seconds", [(1, 5.0), (2, 30.0), (3, 120.0)])
def test_wait_after_attempt_is_at_most_the_step_of_the_schedule(
    attempts: int, seconds: float
) -> None:
    assert wait_after_attempt(attempts, SCHEDULE, longest) == seconds


@every("attempts, seconds", [(1, 0.0), (2, 15.0), (3, 60.0)])
def test_wait_after_attempt_is_jittered_down_to_nothing_and_later_to_half_a_step(
    attempts: int, seconds: float
) -> None:
    assert wait_after_attempt(attempts, SCHEDULE, shortest) == seconds


@every("jitter, share", [(shortest, 0.5), (middle, 0.75), (longest, 1.0)])
def test_wait_after_all_attempts_is_three_quarters_of_the_schedule_and_at_least_half(
    jitter: Jitter, share: float
) -> None:
    schedule = (0.0, 30.0, 120.0, 600.0, 1800.0)  # the first wait may be none
    waits = [wait_after_attempt(number, schedule, jitter) or 0.0 for number in range(1, 6)]

    assert sum(waits) == share * sum(schedule)


@every("attempts, schedule", [(4, SCHEDULE), (5, SCHEDULE), (1, ())])
def test_wait_after_attempt_the_last_one_is_none(
    attempts: int, schedule: tuple[float, ...]
) -> None:
    assert wait_after_attempt(attempts, schedule, longest) is None


def test_wait_after_attempt_the_last_one_is_none_whatever_retry_after_says() -> None:
    assert wait_after_attempt(4, SCHEDULE, longest, retry_after_seconds=7.0) is None


@every("retry_after, seconds", [(0.0, 0.0), (7.0, 7.0), (21_600.0, 21_600.0), (21_601.0, 21_600.0)])
def test_wait_after_attempt_is_no_shorter_than_retry_after_up_to_six_hours(
    retry_after: float, seconds: float
) -> None:
    """E18."""
    assert wait_after_attempt(1, SCHEDULE, shortest, retry_after) == seconds


def test_wait_after_attempt_with_a_small_retry_after_still_follows_the_schedule() -> None:
    """A `Retry-After: 1` through an outage must not use up the attempts in seconds."""
    assert wait_after_attempt(3, SCHEDULE, longest, retry_after_seconds=1.0) == 121.0


@every(
    "wait, seconds",
    [(-1.0, 0), (0.0, 0), (0.99, 0), (1.0, 1), (1.01, 2), (899.1, 900), (900.0, 900)],
)
def test_delay_of_wait_that_fits_into_one_delay_is_whole_seconds(wait: float, seconds: int) -> None:
    assert delay_of(wait, NOW) == Delay(seconds, None)


@every("wait, seconds", [(900.5, 901), (3600.0, 3600)])
def test_delay_of_longer_wait_hops_until_its_moment(wait: float, seconds: int) -> None:
    assert delay_of(wait, NOW) == Delay(900, NOW + timedelta(seconds=seconds))


@every("ahead, seconds", [(-60.0, 0), (0.0, 0), (0.2, 1), (60.0, 60), (900.0, 900), (5000.0, 900)])
def test_delay_until_moment_is_the_rest_of_it_or_one_hop(ahead: float, seconds: int) -> None:
    moment = NOW + timedelta(seconds=ahead)

    assert delay_until(moment, NOW) == Delay(seconds, moment)
