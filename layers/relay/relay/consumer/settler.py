"""What is to be done with a record once it is known how its event fared. Pure but for the clock.

A settlement is an outcome and, unless the event was delivered, the message that keeps it: in its
own queue to wait, or in the dead-letter queue with the reason.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from relay.appsflyer import Answer
from relay.aws.sqs import MAX_MESSAGE_BYTES, size_of
from relay.config.environment import ForwardSettings
from relay.consumer.job import Job
from relay.domain.kinds import App
from relay.domain.outcomes import IDENTITY_UNKNOWN, IN_PROGRESS, UNWELL, Outcome, Ruling
from relay.messages.backoff import (
    Chance,
    Delay,
    delay_of,
    delay_until,
    wait_after_attempt,
    wait_while_held,
)
from relay.messages.envelope import dead_letter_of_no_envelope, digest_of, write_envelope
from relay.rules.fields import without_clear_email

Clock = Callable[[], datetime]


_SOON_KNOWN: Final = frozenset({IDENTITY_UNKNOWN, IN_PROGRESS})
_FARTHEST_AHEAD: Final = timedelta(days=14)
"""A later `not_before` is a slip: no queue keeps a message for so long."""
_EARLY: Final = Ruling(Outcome.HELD, "", "not_before")
_NEAR_DEADLINE: Final = timedelta(hours=1)
_LATE: Final = frozenset({"T3", "T8"})


class Settlement(NamedTuple):
    """An outcome, and the message that keeps the event."""

    outcome: Outcome
    reason: str
    body: str | None = None
    """What goes on a queue; None when the event is delivered."""
    delay: Delay | None = None
    """How long it waits in its own queue; None sends it to the dead-letter queue."""
    ruling: Ruling | None = None
    status: int | None = None
    app_class: str = "unknown"
    app_id: str | None = None
    """Of an app that is set up; whatever else a sender calls an app is not to be shown."""
    tries: int = 0
    """How many it took until AppsFlyer accepted it."""
    is_late: bool = False
    """Delivered, and too late for AppsFlyer to keep the event's own time (T11)."""
    is_near_deadline: bool = False
    """It waits, and will be late, or nearly, when it is looked at next."""


class Settler:
    """Turns rulings into settlements, by one function's settings."""

    def __init__(self, settings: ForwardSettings, clock: Clock, chance: Chance) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance

    def settle(self, job: Job, ruling: Ruling, answer: Answer | None = None) -> Settlement:
        """What a ruling means for a job's record."""
        match ruling.outcome:
            case Outcome.DELIVERED | Outcome.DUPLICATE:
                return _done(job, ruling)
            case Outcome.DEFERRED if ruling.reason != UNWELL:
                return self._defer(job, ruling, answer)
            case Outcome.DEFERRED | Outcome.HELD:
                return self._hold(job, ruling, answer)
            case _:
                return self._bury(job, ruling, answer)

    def hop(self, job: Job, not_before: datetime) -> Settlement:
        """A job whose moment has not come waits on, by at most one delay."""
        if not_before - self._clock() > _FARTHEST_AHEAD:
            return self._bury(job, _because(_EARLY, "hold_limit"), None)
        return self._wait(job, _EARLY, None, delay_until(not_before, self._clock()))

    def no_envelope(self, body: str, message_id: str, problem: str) -> Settlement:
        """A body that is no envelope."""
        letter = dead_letter_of_no_envelope(body, message_id, problem, self._clock())
        return Settlement(Outcome.REJECTED, "not_an_envelope", letter)

    def _defer(self, job: Job, ruling: Ruling, answer: Answer | None) -> Settlement:
        """E16, or something of ours that failed: another attempt, or the last one is over."""
        if ruling.uncertain and self._is_doubtful_money(job):
            return self._bury(job, _because(ruling, "uncertain_money"), answer)
        attempts = job.envelope.attempts + 1
        wait = wait_after_attempt(
            attempts,
            self._settings.retry_schedule_seconds,
            self._chance,
            answer.retry_after_seconds if answer else None,
        )
        if wait is None:
            job.attempted = True
            return self._bury(job, _because(ruling, "attempts_used_up"), answer)
        delay = delay_of(wait, self._clock())
        changes = {"attempts": attempts, "not_before": delay.not_before, "held_since": None}
        return self._wait(job, ruling, answer, delay, **changes)

    def _is_doubtful_money(self, job: Job) -> bool:
        has_revenue = job.prepared is not None and job.prepared.has_revenue
        return has_revenue and self._settings.uncertain_money == "dead_letter"

    def _hold(self, job: Job, ruling: Ruling, answer: Answer | None) -> Settlement:
        """Waits for a person, for something to be known or for AppsFlyer; uses up no attempt."""
        now = self._clock()
        held_since = job.envelope.held_since or now
        held = (now - held_since).total_seconds()
        if ruling.reason == IDENTITY_UNKNOWN and held >= self._settings.identity_limit_seconds:
            return self._bury(job, ruling, answer)
        if held >= self._settings.hold_limit_seconds:
            return self._bury(job, _because(ruling, "hold_limit"), answer)
        delay = delay_of(self._wait_while_held(ruling, held), now)
        changes = {"held_since": held_since, "not_before": delay.not_before}
        return self._wait(job, ruling, answer, delay, **changes)

    def _wait_while_held(self, ruling: Ruling, held: float) -> float:
        longest = self._settings.hold_seconds
        if ruling.reason == UNWELL:
            first = self._settings.retry_schedule_seconds[0]
            return wait_while_held(held, longest, self._chance, first)
        if ruling.reason in _SOON_KNOWN:
            return wait_while_held(held, longest, self._chance)
        return self._chance(0.0, longest)  # a person is slow

    def _bury(self, job: Job, ruling: Ruling, answer: Answer | None) -> Settlement:
        """The dead-letter queue, with the reason."""
        now = self._clock()
        # Whatever stopped it before it was checked, it is kept in its hashed form only.
        prepared = job.prepared or job.check(job.app or App(job.envelope.app_id), now)
        marks = {
            "reason": ruling.reason,
            "outcome": ruling.outcome,
            "dead_since": now,
            "status": answer.status if answer else None,
            "message": without_clear_email(answer.text) if answer else None,
            "deadline": prepared.deadline,
            "attempts": job.envelope.attempts + job.attempted,
            **_marks(job),
        }
        letter = write_envelope(job.envelope, prepared.event, **marks)
        if size_of(letter) > MAX_MESSAGE_BYTES:
            letter = write_envelope(job.envelope, {}, **marks, **digest_of(letter))
        return _settlement(job, ruling, answer, letter, None)

    def _wait(
        self, job: Job, ruling: Ruling, answer: Answer | None, delay: Delay, **changes: object
    ) -> Settlement:
        """Its own queue, with what is known of it by now.

        Hashed, unless the app's settings could not be read: without its region a national phone
        number cannot be hashed and must not be lost, so it goes back into the very queue that it
        came from as it was.
        """
        event = job.prepared.event if job.prepared else job.envelope.event
        body = write_envelope(job.envelope, event, **_marks(job), **changes)
        if size_of(body) > MAX_MESSAGE_BYTES:
            return self._bury(job, _because(ruling, "too_large_to_wait"), answer)
        waiting = _settlement(job, ruling, answer, body, delay)
        return waiting._replace(is_near_deadline=self._is_near_deadline(job, delay))

    def _is_near_deadline(self, job: Job, delay: Delay) -> bool:
        """T11: whether it still could be in time, and soon cannot."""
        deadline, now = job.prepared.deadline if job.prepared else None, self._clock()
        if deadline is None or deadline <= now:
            return False
        next_look = delay.not_before or now + timedelta(seconds=delay.seconds)
        return next_look > deadline - _NEAR_DEADLINE


def _because(ruling: Ruling, reason: str) -> Ruling:
    return ruling._replace(reason=f"{reason}: {ruling.reason}")


def _done(job: Job, ruling: Ruling) -> Settlement:
    delivered = ruling.outcome is Outcome.DELIVERED
    recorded = job.prepared.recorded if job.prepared else None
    return Settlement(
        ruling.outcome,
        ruling.reason,
        app_class=job.app_class,
        tries=job.envelope.attempts + 1 if delivered else 0,
        is_late=delivered and recorded is not None and recorded.rule in _LATE,
    )


def _settlement(
    job: Job, ruling: Ruling, answer: Answer | None, body: str, delay: Delay | None
) -> Settlement:
    return Settlement(
        ruling.outcome,
        ruling.reason,
        body,
        delay,
        ruling,
        status=answer.status if answer else None,
        app_class=job.app_class,
        app_id=job.app.id if job.app else None,
    )


def _marks(job: Job) -> dict[str, object]:
    return {"event_id": job.event_id, "first_seen": job.first_seen, "findings": job.findings()}
