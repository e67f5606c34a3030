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


class Apart(NamedTuple):
    """A batch taken apart."""

    trusted: Sequence[Record]
    suspects: Sequence[Record]
    """Those received least often first, by chance among equals: whoever killed before is last."""


def take_apart(records: Sequence[Record], jitter: Jitter) -> Apart:
    """The records to handle together, and those to handle alone."""
    receives = [_receives_of(record) for record in records]
    numbered = list(zip(receives, records, strict=True))
    suspects = [one for one in numbered if one[0] >= SUSPECT_FROM_RECEIVE]
    suspects.sort(key=lambda one: (one[0], jitter(0.0, 1.0)))
    return Apart(
        [record for count, record in numbered if count < SUSPECT_FROM_RECEIVE],
        [record for _, record in suspects],
    )


def _receives_of(record: Record) -> int:
    """How often a record was received, with this time; 1 where SQS does not tell."""
    try:
        return int(record["attributes"]["ApproximateReceiveCount"])
    except (KeyError, TypeError, ValueError):
        return 1
