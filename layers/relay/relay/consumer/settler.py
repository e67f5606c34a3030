"""Decides what happens to a record: acknowledge, retry later, hold, or dead-letter.

A settlement is an outcome and, unless the job is done, the message that keeps the job: on its own
queue to wait, or on the dead-letter queue with the reason. Pure except for clock and jitter.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from relay.aws.sqs import MAX_MESSAGE_BYTES, Message, size_of
from relay.consumer.job import Job
from relay.domain.outcomes import (
    CIRCUIT_OPEN,
    FROM_ARRAY,
    NO_TIME,
    NOT_BEFORE,
    NOT_KNOWN_YET,
    OUT_OF_TIME,
    Outcome,
    Verdict,
)
from relay.instants import Clock
from relay.messages.backoff import (
    Delay,
    Jitter,
    delay_of,
    delay_until,
    wait_after_attempt,
    wait_while_held,
)
from relay.messages.envelope import dead_letter_of_no_envelope, digest_of

_TOO_EARLY: Final = Verdict(Outcome.HELD, "", NOT_BEFORE)
_FROM_ARRAY: Final = Verdict(Outcome.HELD, "Q3", FROM_ARRAY)
NO_ENVELOPE: Final = Verdict(Outcome.REJECTED, "", "not_an_envelope")


class Destination(StrEnum):
    """The queue that a message goes to."""

    WAITING = "waiting"
    """The queue that the record came from."""
    DEAD_LETTERS = "dead"
    # The delivery queues, for the events that payments become:
    MOBILE = "mobile"
    WEB = "web"


class Settlement(NamedTuple):
    """The outcome of a record, and the message that must be on a queue before it counts."""

    outcome: StrEnum
    reason: str = ""
    verdict: Verdict | None = None
    destination: Destination | None = None
    message: Message | None = None
    next_look: datetime | None = None
    """When a waiting job is handled next."""


class WaitSettings(Protocol):
    """How long jobs wait, in seconds: see `relay.config.environment`."""

    @property
    def retry_schedule_seconds(self) -> tuple[float, ...]:
        """The longest wait before each further attempt."""
        ...

    @property
    def hold_seconds(self) -> float:
        """The longest wait between two checks of a held job."""
        ...

    @property
    def hold_limit_seconds(self) -> float:
        """How long a job is held before it becomes a dead letter."""
        ...

    @property
    def identity_limit_seconds(self) -> float:
        """The same for a job that waits for an identity or an original payment to become known."""
        ...


class Settler:
    """Turns verdicts into settlements, by one function's settings. It never changes a job.

    `short_hold_reasons`: reasons of holds that may end within seconds, so that the first checks are
    close together. The checks of other holds are spread over the whole interval.
    """

    def __init__(
        self,
        settings: WaitSettings,
        clock: Clock,
        jitter: Jitter,
        short_hold_reasons: Collection[str],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._jitter = jitter
        self._short_hold_reasons = frozenset(short_hold_reasons)

    def settle(self, job: Job, verdict: Verdict) -> Settlement:
        """The settlement that follows from a verdict."""
        match verdict.outcome:
            case Outcome.DELIVERED | Outcome.DUPLICATE:
                return Settlement(verdict.outcome, verdict.reason, verdict)
            case Outcome.HELD if verdict.reason == NO_TIME:
                return self.hand_back(job)
            case Outcome.DEFERRED if verdict.reason != CIRCUIT_OPEN:
                return self._retry_later(job, verdict)
            case Outcome.DEFERRED | Outcome.HELD | Outcome.BLOCKED:
                return self._hold(job, verdict)
            case _:
                return self.dead_letter(job, verdict)

    def hand_back(self, job: Job) -> Settlement:
        """Puts a job that this invocation has no time for back on its queue, as a new message.

        SQS would deliver the old message again too, but later, and only a few times: a long queue
        at a low rate would end as dead letters that nobody has tried to send.
        """
        return self._wait(job, OUT_OF_TIME, Delay(0, None))

    def put_back(self, job: Job) -> Settlement:
        """Puts one of several jobs of a record back on its queue, as a message of its own."""
        return self._wait(job, _FROM_ARRAY, Delay(0, None))

    def extend_delay(self, job: Job, not_before: datetime) -> Settlement:
        """Makes a job wait for its `not_before`, by at most one delay of its queue at a time."""
        return self._wait(job, _TOO_EARLY, delay_until(not_before, self._clock()))

    def no_envelope(self, body: str, message_id: str, problem: str) -> Settlement:
        """Dead-letters a body that is not an envelope."""
        letter = dead_letter_of_no_envelope(digest_of(body), message_id, problem, self._clock())
        return _dead_lettered(NO_ENVELOPE, Message(letter, ""))._replace(verdict=None)

    def dead_letter(self, job: Job, verdict: Verdict, attempts: int | None = None) -> Settlement:
        """Dead-letters a job, with the reason."""
        letter = job.dead_letter(verdict, self._clock(), attempts)
        return _dead_lettered(verdict, Message(letter, job.group))

    def held_seconds(self, job: Job) -> float:
        """How long a job has been held."""
        now = self._clock()
        return (now - (job.held_since or now)).total_seconds()

    def _retry_later(self, job: Job, verdict: Verdict) -> Settlement:
        """Schedules another attempt after E16 or a failure of ours; dead-letters after the last."""
        attempts = job.attempts + 1
        wait = wait_after_attempt(
            attempts,
            self._settings.retry_schedule_seconds,
            self._jitter,
            verdict.response.retry_after_seconds if verdict.response else None,
        )
        if wait is None:
            return self.dead_letter(job, verdict.because("attempts_used_up"), attempts)
        delay = delay_of(wait, self._clock())
        return self._wait(
            job, verdict, delay, attempts=attempts, held_since=job.held_since_after_attempt
        )

    def _hold(self, job: Job, verdict: Verdict) -> Settlement:
        """Waits for a person, a missing fact or AppsFlyer, without using up an attempt."""
        held = self.held_seconds(job)
        if verdict.reason in NOT_KNOWN_YET and held >= self._settings.identity_limit_seconds:
            return self.dead_letter(job, verdict)
        if held >= self._settings.hold_limit_seconds:
            return self.dead_letter(job, verdict.because("hold_limit"))
        now = self._clock()
        delay = delay_of(self._wait_while_held(verdict, held), now)
        return self._wait(job, verdict, delay, held_since=job.held_since or now)

    def _wait_while_held(self, verdict: Verdict, held: float) -> float:
        longest = self._settings.hold_seconds
        if verdict.reason == CIRCUIT_OPEN or verdict.outcome is Outcome.BLOCKED:
            first = self._settings.retry_schedule_seconds[0]
            return wait_while_held(held, longest, self._jitter, first)
        if verdict.reason in self._short_hold_reasons:
            return wait_while_held(held, longest, self._jitter)
        return self._jitter(0.0, longest)  # people take a while: no need to check early

    def _wait(self, job: Job, verdict: Verdict, delay: Delay, **changes: object) -> Settlement:
        """Puts a job back on its own queue, with what is known of it by now."""
        if changes:
            changes["not_before"] = delay.not_before
        body = job.waiting_body(**changes)
        if size_of(body) > MAX_MESSAGE_BYTES:
            return self.dead_letter(job, verdict.because("too_large_to_wait"))
        return Settlement(
            verdict.outcome,
            verdict.reason,
            verdict,
            Destination.WAITING,
            Message(body, job.group, delay.seconds),
            delay.not_before or self._clock() + timedelta(seconds=delay.seconds),
        )


def _dead_lettered(verdict: Verdict, letter: Message) -> Settlement:
    return Settlement(verdict.outcome, verdict.reason, verdict, Destination.DEAD_LETTERS, letter)
