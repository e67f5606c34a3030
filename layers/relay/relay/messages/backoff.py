"""How long an event waits before its next attempt. Pure: chance comes in as an argument."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

MAX_DELAY_SECONDS: Final = 900
"""SQS delays a message by at most 15 minutes; longer waits hop."""

MAX_RETRY_AFTER_SECONDS: Final = 21_600.0
"""A `Retry-After` above six hours is taken as six hours."""

FIRST_HOLD_SECONDS: Final = 5.0

Jitter = Callable[[float, float], float]
"""`random.uniform`, or what a test puts in its place."""


class Delay(NamedTuple):
    """How a wait is put on a queue."""

    seconds: int
    """`DelaySeconds` of the message: 0 to 900."""
    not_before: datetime | None
    """When the event may be handled, if that is beyond one delay; the message then hops."""


def wait_after_attempt(
    attempts: int,
    schedule: Sequence[float],
    jitter: Jitter,
    retry_after_seconds: float | None = None,
) -> float | None:
    """Seconds to wait after the attempt number `attempts` (1 is the first) has failed.

    None when that was the last: a schedule of n waits makes n + 1 attempts. Each wait is fully
    jittered, between nothing and the step of the schedule, so that a crowd that failed together
    does not come back together. AppsFlyer's own `Retry-After` (E18) is the least, and the jitter
    comes on top: a `Retry-After: 1` through a long outage must not use up the attempts in seconds.
    """
    if attempts > len(schedule):
        return None
    asked = min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    return asked + jitter(0.0, schedule[attempts - 1])


def wait_while_held(
    held_seconds: float,
    longest_seconds: float,
    jitter: Jitter,
    first_seconds: float = FIRST_HOLD_SECONDS,
) -> float:
    """Seconds until the next look at what waits for something to become known, or to be well.

    Mostly that comes within seconds, and else in hours: looks are as far apart as the wait has
    lasted already, at first `first_seconds` and never more than `longest_seconds`.
    """
    step = min(longest_seconds, max(first_seconds, held_seconds))
    return jitter(step / 2, step)


def delay_of(wait_seconds: float, now: datetime) -> Delay:
    """The delay that makes a message wait; under a second means none."""
    seconds = 0 if wait_seconds < 1 else math.ceil(wait_seconds)
    if seconds <= MAX_DELAY_SECONDS:
        return Delay(seconds, None)
    return Delay(MAX_DELAY_SECONDS, now + timedelta(seconds=seconds))


def delay_until(not_before: datetime, now: datetime) -> Delay:
    """The next hop of a message whose moment has not come."""
    seconds = math.ceil((not_before - now).total_seconds())
    return Delay(max(0, min(seconds, MAX_DELAY_SECONDS)), not_before)
