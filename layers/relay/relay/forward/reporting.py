"""What a forwarder says of a batch: a line for it, one for each failure, and counters."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from relay import telemetry
from relay.consumer.consumer import Batch
from relay.consumer.settler import Destination, Settlement
from relay.domain.kinds import Surface
from relay.domain.outcomes import CREDENTIALS_REASON, Outcome
from relay.forward.event_job import EventJob

_MOST_VALUES: Final = 99
_ROUTINE: Final = frozenset({Outcome.DELIVERED, Outcome.DUPLICATE})
_NEEDS_A_LOOK: Final = frozenset({Outcome.REFUSED, Outcome.BLOCKED})
_NEAR_DEADLINE: Final = timedelta(hours=1)
_LATE: Final = frozenset({"T3", "T8"})


def report_batch(surface: Surface, batch: Batch[EventJob], now: datetime) -> None:
    """One line for the batch, one for each failure, and counters by outcome and class of app."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    tries: defaultdict[str, list[int]] = defaultdict(list)
    for message_id, done in batch.settlements.items():
        job = batch.jobs.get(message_id)
        app_class = job.app_class if job else "unknown"
        counts[app_class].update(_counters(job, done, now))
        if done.destination is Destination.DEAD_LETTERS and message_id not in batch.failed:
            counts[app_class]["DeadLettered"] += 1
        if job and _tries(job, done) > 1:
            tries[app_class].append(_tries(job, done))
        if done.outcome not in _ROUTINE:
            _report_failure(message_id, job, done)
    handed_back = len(batch.failed)
    total = sum(counts.values(), Counter(HandedBack=handed_back))
    telemetry.logger().info("batch", extra={"surface": surface.value, **total})
    for app_class, of_class in counts.items():
        # At most a hundred values a metric; a batch has rarely more that came after retries.
        retried = tries[app_class][:_MOST_VALUES]
        telemetry.count({**of_class, "TriesUntilDelivered": retried}, app_class=app_class)
    telemetry.count({"HandedBack": handed_back})


def _counters(job: EventJob | None, done: Settlement, now: datetime) -> Iterator[str]:
    """What one event adds to."""
    yield done.outcome.capitalize()
    if done.verdict is not None and done.verdict.uncertain:
        yield "Uncertain"
    if done.outcome is Outcome.HELD and done.reason == CREDENTIALS_REASON:
        yield "CredentialsRefused"
    if job is None:
        return
    if _tries(job, done) > 1:
        yield "DeliveredAfterRetry"
    if _is_late(job, done):
        yield "Late"
    if _is_near_deadline(job, done, now):
        yield "NearDeadline"


def _tries(job: EventJob, done: Settlement) -> int:
    """How many it took until AppsFlyer accepted it; 0 when it has not."""
    return job.attempts + 1 if done.outcome is Outcome.DELIVERED else 0


def _is_late(job: EventJob, done: Settlement) -> bool:
    """T11: delivered, and too late for AppsFlyer to keep the event's own time."""
    recorded = job.prepared.recorded if job.prepared else None
    return done.outcome is Outcome.DELIVERED and recorded is not None and recorded.rule in _LATE


def _is_near_deadline(job: EventJob, done: Settlement, now: datetime) -> bool:
    """T11: it waits, still could be in time, and will be late, or nearly, at the next look."""
    deadline = job.prepared.deadline if job.prepared else None
    if done.next_look is None or deadline is None or deadline <= now:
        return False
    return done.next_look > deadline - _NEAR_DEADLINE


def _report_failure(message_id: str, job: EventJob | None, done: Settlement) -> None:
    say = telemetry.logger().error if done.outcome in _NEEDS_A_LOOK else telemetry.logger().warning
    verdict, waits = done.verdict, done.destination is Destination.WAITING
    say(
        "event not delivered",
        extra={
            "message_id": message_id,
            # Of an app that is set up; whatever else a sender calls an app is not shown.
            "app_id": job.app.id if job and job.app else None,
            "outcome": done.outcome.value,
            "reason": done.reason,
            "rule": verdict.rule if verdict else "",
            "status": verdict.response.status if verdict and verdict.response else None,
            "uncertain": verdict is not None and verdict.uncertain,
            "delay_seconds": done.message.delay_seconds if waits and done.message else None,
        },
    )
