"""What becomes of a notice, and the message that says so."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from relay.aws.sqs import MAX_MESSAGE_BYTES, Message, size_of
from relay.config.environment import MapPaymentSettings
from relay.domain.kinds import Surface
from relay.domain.outcomes import Outcome
from relay.messages.backoff import (
    Chance,
    delay_of,
    delay_until,
    wait_after_attempt,
    wait_while_held,
)
from relay.messages.notice import Notice, write_notice


class Result(StrEnum):
    """What became of a notice. The values are counters."""

    MAPPED = "MovementMapped"
    LEARNT = "LinksLearnt"
    """It told of no movement."""
    DROPPED = "MovementDropped"
    """The app does not want to hear of it, or there is nothing to reverse."""
    TEST_DROPPED = "TestDropped"
    RETOLD = "MovementRetold"
    """It was sent so long ago that only the trail knows."""
    DEFERRED = "Deferred"
    HELD = "Held"
    DEAD = "DeadLettered"


class Place(StrEnum):
    """Where a notice or its event goes."""

    MOBILE = Surface.MOBILE.value
    WEB = Surface.WEB.value
    WAITING = "waiting"
    DEAD = "dead"


class Mapped(NamedTuple):
    """What became of a notice; with a message, once that is on its queue."""

    result: Result
    reason: str = ""
    place: Place | None = None
    message: Message | None = None


class Settler:
    """Lets notices wait, and gives them up. Waiting is a re-send to the queue they came from."""

    def __init__(
        self, settings: MapPaymentSettings, clock: Callable[[], datetime], chance: Chance
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance

    def hold(self, notice: Notice, reason: str, at_limit: str | None = None) -> Mapped:
        """Something is not known yet, or a person must act: no attempt is used up, until the limit.

        `at_limit`: the reason of the dead letter, where that is another one.
        """
        if self.is_held_too_long(notice):
            return self._give_up(notice, Outcome.HELD, at_limit or reason)
        longest = self._settings.hold_seconds
        wait = wait_while_held(self._held_seconds(notice), longest, self._chance)
        since = notice.held_since or self._clock()
        return self._wait(Result.HELD, notice, reason, wait, held_since=since)

    def is_held_too_long(self, notice: Notice) -> bool:
        """Whether its limit is reached."""
        return self._held_seconds(notice) >= self._settings.identity_limit_seconds

    def defer(self, notice: Notice, reason: str) -> Mapped:
        """Something of ours failed: another attempt, or the last one is over."""
        attempts = notice.attempts + 1
        wait = wait_after_attempt(attempts, self._settings.retry_schedule_seconds, self._chance)
        if wait is None:
            last = notice.model_copy(update={"attempts": attempts})
            return self._give_up(last, Outcome.DEFERRED, f"attempts_used_up: {reason}")
        return self._wait(Result.DEFERRED, notice, reason, wait, attempts=attempts)

    def hop(self, notice: Notice, not_before: datetime) -> Mapped:
        """A wait that is longer than one delay of the queue's goes on."""
        delay = delay_until(not_before, self._clock())
        message = Message(write_notice(notice), notice.source, delay.seconds)
        return Mapped(Result.HELD, "not_before", Place.WAITING, message)

    def bury(self, notice: Notice, reason: str, detail: str = "") -> Mapped:
        """It cannot be mapped; a person should look."""
        return self._give_up(notice, Outcome.REJECTED, reason, detail)

    def _give_up(self, notice: Notice, outcome: Outcome, reason: str, detail: str = "") -> Mapped:
        marks = {"reason": reason, "outcome": outcome, "message": detail}
        letter = write_notice(notice, **marks, dead_since=self._clock())
        if size_of(letter) > MAX_MESSAGE_BYTES:  # no webhook is; its digest stands for it
            letter = write_notice(notice, **marks, dead_since=self._clock(), content=None)
        return dead(reason, Message(letter, notice.source))

    def _held_seconds(self, notice: Notice) -> float:
        now = self._clock()
        return (now - (notice.held_since or now)).total_seconds()

    def _wait(
        self, result: Result, notice: Notice, reason: str, seconds: float, **changes: object
    ) -> Mapped:
        delay = delay_of(seconds, self._clock())
        body = write_notice(notice, not_before=delay.not_before, **changes)
        if size_of(body) > MAX_MESSAGE_BYTES:
            return self.bury(notice, f"too_large_to_wait: {reason}")
        return Mapped(result, reason, Place.WAITING, Message(body, notice.source, delay.seconds))


def dead(reason: str, letter: Message) -> Mapped:
    """A dead letter."""
    return Mapped(Result.DEAD, reason, Place.DEAD, letter)
