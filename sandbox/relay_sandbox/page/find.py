"""Which traces are meant, and waiting until they have ended: for commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from relay_sandbox.journal.trace import Trace
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.surroundings import Surroundings

_LONGEST_SECONDS: Final = 30.0


def find(surroundings: Surroundings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The traces of `{"event_id"}`, of `{"message_ids"}` or of `{"request_id"}` (of the HTTP API).

    Those of message ids are in their order, None for an unknown one. Raises `PageError`.
    """
    observer = surroundings.observer
    if isinstance(event_id := asked.get("event_id"), str):
        return {"traces": [trace.as_json() for trace in observer.find(event_id)]}
    if isinstance(request_id := asked.get("request_id"), str):
        found = [one for one in observer.journal if one.request_id == request_id]
        return {"traces": [trace.as_json() for trace in found]}
    message_ids = asked.get("message_ids")
    if not isinstance(message_ids, list):
        raise PageError(400, "give event_id, message_ids or request_id")
    known = [observer.trace_of_message(str(one)) for one in message_ids]
    return {"traces": [trace.as_json() if trace else None for trace in known]}


async def ended(surroundings: Surroundings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Wait until one of `{"keys"}` has ended, for `{"seconds"}` at most; raises `PageError`.

    The answer holds those that have ended, and those that have not.
    """
    keys, seconds = asked.get("keys"), asked.get("seconds", _LONGEST_SECONDS)
    if not isinstance(keys, list) or isinstance(seconds, bool):
        raise PageError(400, "keys is a list of traces' keys, seconds a number")
    journal = surroundings.observer.journal
    traces = [trace for key in keys if (trace := journal.get(str(key))) is not None]
    try:
        async with asyncio.timeout(min(float(str(seconds)), _LONGEST_SECONDS)):
            while traces and not any(_has_ended(trace) for trace in traces):
                await journal.newer_than(journal.revision)
    except TimeoutError:
        pass
    except ValueError as error:
        raise PageError(400, "seconds is a number") from error
    return {
        "ended": [trace.as_json() for trace in traces if _has_ended(trace)],
        "open": [trace.as_json() for trace in traces if not _has_ended(trace)],
    }


def _has_ended(trace: Trace) -> bool:
    """Whether it has ended, and the function is done with it: what it says of it is known."""
    return trace.outcome.has_ended and trace.attempt is None
