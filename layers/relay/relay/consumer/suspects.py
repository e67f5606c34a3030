"""Which records of a batch may end their process, and must therefore be handled alone. Pure.

Where a process dies (out of memory, an endless loop that Lambda ends), its whole batch comes back,
and nobody can say which record it was. From its third receive on a record is a suspect. What makes
sure that it takes no other record with it is in `relay.consumer.consumer`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from relay.messages.backoff import Jitter

Record = Mapping[str, Any]
"""An SQS record, as Lambda passes it in."""

SUSPECT_FROM_RECEIVE: Final = 3
APART_SECONDS: Final = 900
"""For so long a suspect is hidden when its turn comes. Longer than the queue hides the others
(`VisibilityTimeout`): if its process dies, they come back without it, and from then on it comes
back at a time of its own."""


class Batch(NamedTuple):
    """A batch taken apart."""

    trusted: Sequence[Record]
    suspects: Sequence[Record]
    """Those received least often first, by chance among equals: whoever killed before is last."""


def take_apart(records: Sequence[Record], jitter: Jitter) -> Batch:
    """The records to handle together, and those to handle alone."""
    suspects = [record for record in records if _is_suspect(record)]
    suspects.sort(key=lambda record: (receives_of(record), jitter(0.0, 1.0)))
    return Batch([record for record in records if not _is_suspect(record)], suspects)


def receives_of(record: Record) -> int:
    """How often a record was received, with this time; 1 where SQS does not tell."""
    try:
        return int(record["attributes"]["ApproximateReceiveCount"])
    except (KeyError, TypeError, ValueError):
        return 1


def is_suspect_next_time(record: Record) -> bool:
    """Whether a record that goes back untouched is a suspect when it comes again."""
    return receives_of(record) + 1 >= SUSPECT_FROM_RECEIVE


def _is_suspect(record: Record) -> bool:
    return receives_of(record) >= SUSPECT_FROM_RECEIVE
