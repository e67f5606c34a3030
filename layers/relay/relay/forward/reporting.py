"""What a forwarder reports of a batch: one log line, one more for each failure, and counters.

An event's findings are counted once, where it ends: delivered, or as a dead letter.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from relay import telemetry
from relay.consumer.consumer import Batch
from relay.consumer.settler import Destination, Settlement
from relay.domain.findings import Severity
from relay.domain.kinds import Surface
from relay.domain.outcomes import CREDENTIALS_REASON, FROM_ARRAY, NO_TIME, NOT_BEFORE, Outcome
from relay.forward.event_job import EventJob
from relay.messages.event_ids import event_key

_MOST_VALUES: Final = 99
_HANDED_BACK: Final = frozenset({NO_TIME, FROM_ARRAY})
_FINDINGS: Final = {severity: f"Findings{severity.capitalize()}" for severity in Severity}
"""The counters of findings."""
_ROUTINE: Final = frozenset({Outcome.DELIVERED, Outcome.DUPLICATE})
_LOGGED_AS_ERRORS: Final = frozenset({Outcome.REFUSED, Outcome.BLOCKED})
_NEAR_DEADLINE: Final = timedelta(hours=1)
_LATE: Final = frozenset({"T3", "T8"})


def report_batch(surface: Surface, batch: Batch[EventJob], now: datetime) -> None:
    """Logs the batch and each failure; counts by outcome and class of app."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    tries: defaultdict[str, list[int]] = defaultdict(list)
    findings: Counter[str] = Counter()
    for message_id, settlement in batch.settlements.items():
        job = batch.jobs.get(message_id)
        app_class = job.app_class if job else "unknown"
        counts[app_class].update(_counters(job, settlement, now))
        if settlement.destination is Destination.DEAD_LETTERS and message_id not in batch.failed:
            counts[app_class]["DeadLettered"] += 1
        if job and _ends(settlement) and message_id not in batch.failed:
            for finding in job.told:
                findings[finding.rule] += 1
                counts[app_class][_FINDINGS[finding.severity]] += 1
        if job and _is_retried_delivery(job, settlement):
            tries[app_class].append(job.attempts + 1)
        if settlement.outcome not in _ROUTINE and settlement.reason not in _HANDED_BACK:
            _report_failure(message_id, job, settlement)
    returned = len(batch.failed)
    total = sum(counts.values(), Counter(HandedBack=returned))
    told = {"findings": dict(sorted(findings.items()))} if findings else {}
    telemetry.logger().info("batch", extra={"surface": surface.value, **total, **told})
    for app_class, counters in counts.items():
        # A metric takes at most a hundred values; a batch rarely has more deliveries after retries.
        retried = tries[app_class][:_MOST_VALUES]
        telemetry.count({**counters, "TriesUntilDelivered": retried}, app_class=app_class)
    telemetry.count({"HandedBack": returned})


def count_uncertain(job: EventJob) -> None:
    """Counts one send of which nobody knows whether AppsFlyer recorded the event (E16)."""
    try:
        telemetry.count({"Uncertain": 1}, app_class=job.app_class)
    except Exception as error:  # noqa: BLE001 - its doubt is still to be written
        telemetry.unexpected(error, message_id=job.message_id)


def _counters(job: EventJob | None, settlement: Settlement, now: datetime) -> Iterator[str]:
    """The counters that one event adds to."""
    is_handed_back = settlement.reason in _HANDED_BACK
    yield "HandedBack" if is_handed_back else settlement.outcome.capitalize()
    if job and settlement.outcome is Outcome.DELIVERED:
        if job.attempts:
            yield "DeliveredAfterRetry"
        if _is_late(job):
            yield "Late"
        return
    if settlement.outcome is Outcome.HELD and settlement.reason == CREDENTIALS_REASON:
        yield "CredentialsRefused"
    if settlement.reason == NOT_BEFORE:
        yield "HeldEarly"
    if job and _is_near_deadline(job, settlement, now):
        yield "NearDeadline"


def _ends(settlement: Settlement) -> bool:
    """Whether nothing more comes of the event by itself."""
    return (
        settlement.outcome is Outcome.DELIVERED
        or settlement.destination is Destination.DEAD_LETTERS
    )


def _is_retried_delivery(job: EventJob, settlement: Settlement) -> bool:
    return settlement.outcome is Outcome.DELIVERED and job.attempts > 0


def _is_late(job: EventJob) -> bool:
    """T11: delivered too late for AppsFlyer to keep the event's own time."""
    recorded = job.prepared.recorded if job.prepared else None
    return recorded is not None and recorded.rule in _LATE


def _is_near_deadline(job: EventJob, settlement: Settlement, now: datetime) -> bool:
    """T11: it waits and is still in time, but will be late or nearly late at its next attempt."""
    deadline = job.prepared.deadline if job.prepared else None
    if settlement.next_look is None or deadline is None or deadline <= now:
        return False
    return settlement.next_look > deadline - _NEAR_DEADLINE


def _report_failure(message_id: str, job: EventJob | None, settlement: Settlement) -> None:
    logger, verdict, message = telemetry.logger(), settlement.verdict, settlement.message
    is_waiting = settlement.destination is Destination.WAITING
    log = logger.error if settlement.outcome in _LOGGED_AS_ERRORS else logger.warning
    log(
        "event not delivered",
        extra={
            "message_id": message_id,
            "event_key": event_key(job.event_id) if job else None,
            # Only of an app that is set up: any other app id could be anything a sender wrote.
            "app_id": job.app.id if job and job.app else None,
            "outcome": settlement.outcome.value,
            "reason": settlement.reason,
            "rule": verdict.rule if verdict else "",
            "status": verdict.response.status if verdict and verdict.response else None,
            "uncertain": verdict is not None and verdict.uncertain,
            "delay_seconds": message.delay_seconds if is_waiting and message else None,
        },
    )
