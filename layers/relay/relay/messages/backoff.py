"""How long an event waits before its next attempt. Pure: the random jitter is an argument."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

MAX_DELAY_SECONDS: Final = 900
"""SQS delays a message by at most 15 minutes; a longer wait is extended with further delays."""

MAX_RETRY_AFTER_SECONDS: Final = 21_600.0
"""A `Retry-After` above six hours counts as six hours."""

FIRST_HOLD_SECONDS: Final = 5.0

Jitter = Callable[[float, float], float]
"""`random.uniform`, or a test's replacement."""


class Delay(NamedTuple):
    """A wait, as an SQS delay."""

    seconds: int
    """`DelaySeconds` of the message: 0 to 900."""
    not_before: datetime | None
    """When the event may be handled, if one delay is too short; the delay is then extended."""


def wait_after_attempt(
    attempts: int,
    schedule: Sequence[float],
    jitter: Jitter,
    retry_after_seconds: float | None = None,
) -> float | None:
    """Seconds to wait after attempt number `attempts` (1 is the first) has failed.

    None if that was the last: a schedule of n waits makes n + 1 attempts. Each wait is jittered, so
    that events that failed together do not retry together: the first between zero and the step of
    the schedule, as most failures are over at once, the later ones between half a step and a step,
    so that the schedule lasts three quarters of its length on average, and at least half.
    AppsFlyer's `Retry-After` (E18) is the minimum, and the jitter is added to it: a
    `Retry-After: 1` throughout a long outage must not use up the attempts in seconds.
    """
    if attempts > len(schedule):
        return None
    asked = min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    step = schedule[attempts - 1]
    return asked + jitter(0.0 if attempts == 1 else step / 2, step)


def wait_while_held(
    held_seconds: float,
    longest_seconds: float,
    jitter: Jitter,
    first_seconds: float = FIRST_HOLD_SECONDS,
) -> float:
    """Seconds until the next check of an event held for missing data or for AppsFlyer's recovery.

    Most such holds end within seconds, the others within hours. So each step is as long as the hold
    so far, at least `first_seconds` and at most `longest_seconds`; the result is between half a
    step and a step.
    """
    step = min(longest_seconds, max(first_seconds, held_seconds))
    return jitter(step / 2, step)


def delay_of(wait_seconds: float, now: datetime) -> Delay:
    """The delay for a wait; a wait under a second needs none."""
    seconds = 0 if wait_seconds < 1 else math.ceil(wait_seconds)
    if seconds <= MAX_DELAY_SECONDS:
        return Delay(seconds, None)
    return Delay(MAX_DELAY_SECONDS, now + timedelta(seconds=seconds))


def delay_until(not_before: datetime, now: datetime) -> Delay:
    """The next delay of a message whose `not_before` is still in the future."""
    seconds = math.ceil((not_before - now).total_seconds())
    return Delay(max(0, min(seconds, MAX_DELAY_SECONDS)), not_before)
