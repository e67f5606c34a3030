"""GET /api/dashboard: looks at the queues, and draws the dashboard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from relay_sandbox.dashboard.answer import answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_sqs.literals import QueueAttributeNameType

    from relay_sandbox.journal.observer import Observer
    from relay_sandbox.page.surroundings import Surroundings

_NEWEST: Final = 1000
_COUNTS: Final[Mapping[QueueAttributeNameType, str]] = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
}
"""Attributes of a queue, and what CloudWatch calls them."""


async def dashboard(surroundings: Surroundings) -> dict[str, Any]:
    """The dashboard as JSON; see `answer`."""
    await asyncio.gather(*(_look_at(surroundings, one) for one in surroundings.queues))
    for queue, age in _ages(surroundings.observer).items():
        surroundings.meter.queue(queue, {"ApproximateAgeOfOldestMessage": age})
    return answer(surroundings.board, surroundings.meter)


async def _look_at(surroundings: Surroundings, queue: str) -> None:
    aws = surroundings.aws
    response = await aws.call(
        aws.sqs.get_queue_attributes,
        QueueUrl=surroundings.queues[queue],
        AttributeNames=list(_COUNTS),
    )
    found = response["Attributes"]
    surroundings.meter.queue(queue, {_COUNTS[name]: float(found[name]) for name in _COUNTS})


def _ages(observer: Observer) -> dict[str, float]:
    """How old the oldest message of each queue is, in seconds, by what the journal knows.

    An event that waits is a new message at each try, so that its age begins anew.
    """
    now, ages = observer.clock(), dict[str, float]()

    def add(queue: str, since: datetime) -> None:
        ages[queue] = max(ages.get(queue, 0.0), (now - since).total_seconds())

    for trace in observer.journal.newest(_NEWEST):
        if not trace.outcome.has_ended and trace.steps:
            add(
                "PaymentsQueue" if trace.kind == "webhook" else _queue_of(trace.surface),
                trace.steps[-1].at,
            )
    for _, (name, trace) in observer.letters():
        add(f"{name.title()}DeadLetterQueue", trace.ended or trace.came_in)
    return ages


def _queue_of(surface: str) -> str:
    return f"{surface.title()}Queue"
