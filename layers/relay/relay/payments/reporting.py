"""What `map_payment` says of a batch: a line for it, one for each failure, and counters."""

from collections import Counter
from enum import StrEnum

from relay import telemetry
from relay.consumer.consumer import Batch
from relay.consumer.settler import Destination, Settlement
from relay.payments.notice_job import NoticeJob


class MappingResult(StrEnum):
    """What became of a notice that is done. The values are counters."""

    MAPPED = "MovementMapped"
    LEARNT = "LinksLearnt"
    """It told of no movement."""
    DROPPED = "MovementDropped"
    """The app does not want to hear of it, or there is nothing to reverse."""
    TEST_DROPPED = "TestDropped"
    REPLAYED = "MovementRetold"
    """A redelivery of what was sent so long ago that only the trail knows."""


def report_batch(batch: Batch[NoticeJob]) -> None:
    """A line for the batch, and one for each notice of which something has to be said.

    Of those that come back by themselves nothing has become yet.
    """
    counts: Counter[str] = Counter(HandedBack=len(batch.failed))
    for message_id, settlement in batch.settlements.items():
        if message_id in batch.failed:
            continue
        counts[_counter(settlement)] += 1
        if settlement.reason:
            fields = {"message_id": message_id, "reason": settlement.reason}
            telemetry.logger().warning("payment not mapped", extra=fields)
    telemetry.logger().info("batch", extra=dict(counts))
    telemetry.count(counts)


def _counter(settlement: Settlement) -> str:
    if settlement.destination is Destination.DEAD_LETTERS:
        return "DeadLettered"
    return (
        str(settlement.outcome) if settlement.verdict is None else settlement.outcome.capitalize()
    )
