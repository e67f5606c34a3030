"""Adapts the functions to Lambda: its events and its time in, their responses out."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from relay.composition import forwarder, mapper

if TYPE_CHECKING:
    import asyncio

    from relay.consumer.deadline import Remaining
    from relay.domain.kinds import Surface


class Context(Protocol):
    """The part of Lambda's context object that the functions use."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds that the invocation may still run."""
        ...


def forward(event: Mapping[str, Any], context: Context, surface: "Surface") -> dict[str, Any]:
    """Handles one SQS event of a delivery queue; returns the records to retry."""
    return _failures(
        _runner().run(forwarder(surface).forward(event["Records"], remaining(context)))
    )


def map_payments(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Handles one SQS event of the payments queue; returns the records to retry."""
    return _failures(mapper().map(event["Records"], remaining(context)))


@cache
def _runner() -> "asyncio.Runner":
    """One event loop for the life of the process: open connections belong to their loop."""
    import asyncio  # noqa: PLC0415 - functions without an event loop start without it

    from relay.http1.loop import FunctionLoop  # noqa: PLC0415 - as above

    return asyncio.Runner(loop_factory=FunctionLoop)


def remaining(context: Context) -> "Remaining":
    """The time that the invocation has left, in seconds."""
    return lambda: context.get_remaining_time_in_millis() / 1000


def _failures(message_ids: list[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}
