"""What a function says of a batch: a line for it, one for each failure, and counters."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from relay import telemetry
from relay.consumer.settler import Settlement
from relay.domain.kinds import Surface
from relay.domain.outcomes import CREDENTIALS_REASON, Outcome

_MOST_VALUES: Final = 99
_ROUTINE: Final = frozenset({Outcome.DELIVERED, Outcome.DUPLICATE})
_NEEDS_A_LOOK: Final = frozenset({Outcome.REFUSED, Outcome.BLOCKED})


def report_batch(
    surface: Surface, settlements: Mapping[str, Settlement], *, failed: Collection[str]
) -> None:
    """One line for the batch, one for each failure, and counters by outcome and class of app.

    `failed`: message ids that come back by themselves; nothing has become of those yet.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    tries: defaultdict[str, list[int]] = defaultdict(list)
    for message_id, done in settlements.items():
        of_class = counts[done.app_class]
        of_class.update(_counters(done))
        if done.body is not None and done.delay is None and message_id not in failed:
            of_class["DeadLettered"] += 1
        if done.tries > 1:
            tries[done.app_class].append(done.tries)
        if done.outcome not in _ROUTINE:
            _report_failure(message_id, done)
    total = sum(counts.values(), Counter(HandedBack=len(failed)))
    telemetry.logger().info("batch", extra={"surface": surface.value, **total})
    for app_class, of_class in counts.items():
        # At most a hundred values a metric; a batch has rarely more that came after retries.
        retried = tries[app_class][:_MOST_VALUES]
        telemetry.count({**of_class, "TriesUntilDelivered": retried}, app_class=app_class)
    telemetry.count({"HandedBack": len(failed)})


def _counters(done: Settlement) -> Iterator[str]:
    """What one event adds to."""
    yield done.outcome.capitalize()
    if done.ruling is not None and done.ruling.uncertain:
        yield "Uncertain"
    if done.outcome is Outcome.HELD and done.reason == CREDENTIALS_REASON:
        yield "CredentialsRefused"
    if done.tries > 1:
        yield "DeliveredAfterRetry"
    if done.is_late:
        yield "Late"
    if done.is_near_deadline:
        yield "NearDeadline"


def _report_failure(message_id: str, done: Settlement) -> None:
    say = telemetry.logger().error if done.outcome in _NEEDS_A_LOOK else telemetry.logger().warning
    ruling = done.ruling
    say(
        "event not delivered",
        extra={
            "message_id": message_id,
            "app_id": done.app_id,
            "outcome": done.outcome.value,
            "reason": done.reason,
            "rule": ruling.rule if ruling else "",
            "status": done.status,
            "uncertain": ruling is not None and ruling.uncertain,
            "delay_seconds": done.delay.seconds if done.delay else None,
        },
    )
