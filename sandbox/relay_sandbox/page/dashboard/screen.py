"""GET /api/dashboard: looks at the queues, and draws the dashboard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from relay_sandbox.page.dashboard.answer import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sqs.literals import QueueAttributeNameType

    from relay_sandbox.page.surroundings import Surroundings

_COUNTS: Final[Mapping[QueueAttributeNameType, str]] = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
}
"""Attributes of a queue, and what CloudWatch calls them."""


async def dashboard(surroundings: Surroundings) -> dict[str, Any]:
    """The dashboard as JSON; see `answer`."""
    await asyncio.gather(*(_look_at(surroundings, one) for one in surroundings.queues))
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
