"""What `map_payment` reports of a batch: one log line, one more for each failure, and counters."""

from collections import Counter
from enum import StrEnum

from relay import telemetry
from relay.consumer.consumer import Batch
from relay.consumer.settler import Destination, Settlement
from relay.domain.outcomes import NO_TIME, NOT_BEFORE
from relay.payments.notice_job import NoticeJob


class MappingResult(StrEnum):
    """The outcome of a notice that is done. The values are names of counters."""

    MAPPED = "MovementMapped"
    LEARNT = "LinksLearnt"
    """The notice had no movement."""
    DROPPED = "MovementDropped"
    """The app does not want the event."""
    TEST_DROPPED = "TestDropped"
    WAITED = "MovementWaited"
    """What other webhooks of the same moment tell may change it: it is looked at again."""
    REPLAYED = "MovementRetold"
    """A redelivery of something sent so long ago that only the trail remembers it."""


def report_batch(batch: Batch[NoticeJob]) -> None:
    """Logs the batch and each notice with a reason, and counts outcomes.

    Failed records have no outcome yet: SQS delivers them again.
    """
    counts: Counter[str] = Counter(HandedBack=len(batch.failed))
    for message_id, settlement in batch.settlements.items():
        if message_id in batch.failed:
            continue
        counts[_counter(settlement)] += 1
        counts["HeldEarly"] += settlement.reason == NOT_BEFORE
        if settlement.reason not in {"", NO_TIME}:
            fields = {"message_id": message_id, "reason": settlement.reason}
            telemetry.logger().warning("payment not mapped", extra=fields)
    telemetry.logger().info("batch", extra=dict(counts))
    telemetry.count(counts)


def _counter(settlement: Settlement) -> str:
    if settlement.destination is Destination.DEAD_LETTERS:
        return "DeadLettered"
    if settlement.reason == NO_TIME:
        return "HandedBack"
    return (
        str(settlement.outcome) if settlement.verdict is None else settlement.outcome.capitalize()
    )
