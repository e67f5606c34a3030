"""What this process remembers of requests with an `Idempotency-Key`: what was queued of each.

A help for the sender, not a promise: another process knows nothing of it. There the forwarder, and
for web events AppsFlyer, find what comes twice.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from relay.accept.entries import Entry
from relay.exact_json import (
    InvalidJsonError,
    UnwritableError,
    dumps_sorted,
    loads,
    plain_number,
    without_lone_surrogates,
)

MOST_EVENTS: Final = 20_000
MOST_UNFINISHED: Final = 100
"""Requests. Both together take 15 MB at most."""
_ARRAY: Final = b"array"
_HOLD_JSON: Final = ("eventValue", "custom_data")  # M3, M17

RequestName = tuple[str, str]
"""An app, and the id that a single event with the request's key has in it."""
_EventName = tuple[str, str]
"""An app, and an event's id in it."""


class Requests:
    """Which events of which requests were queued. A request without a key has no name: None."""

    def __init__(self) -> None:
        self._digests: OrderedDict[_EventName, bytes] = OrderedDict()
        """Of each event that was queued."""
        self._unfinished: OrderedDict[RequestName, frozenset[str]] = OrderedDict()
        """The ids of the events that could not be queued."""

    def agree(self, request: RequestName | None, entries: Iterable[Entry]) -> bool:
        """Whether the request, and each of its events that was queued before, is as it was then."""
        return request is None or all(
            self._digests.get(name, digest) == digest
            for name, digest in _digests(request, entries).items()
        )

    def missing(self, request: RequestName | None, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The events that have to be queued.

        Of a request that was queued in part, those that were not. Of any other request, all: its
        sender may have a reason to send it again.
        """
        if request is None or request not in self._unfinished:
            return entries
        unfinished = self._unfinished[request]
        return [
            entry
            for entry in entries
            if entry.event_id in unfinished or (request[0], entry.event_id) not in self._digests
        ]

    def remember(
        self, request: RequestName | None, entries: Sequence[Entry], queued: Collection[int]
    ) -> None:
        """Remembers what became of valid events, `queued` by their index; the others were not.

        An event that was not queued may be corrected.
        """
        if request is None or not queued:
            return
        done = [entry for entry in entries if entry.index in queued]
        for name, digest in _digests(request, done).items():
            _put(self._digests, name, digest, MOST_EVENTS)
        unfinished = {*self._unfinished.pop(request, ()), *(entry.event_id for entry in entries)}
        unfinished -= {entry.event_id for entry in done}
        if unfinished:
            _put(self._unfinished, request, frozenset(unfinished), MOST_UNFINISHED)


def _digests(request: RequestName, entries: Iterable[Entry]) -> dict[_EventName, bytes]:
    """What there is to compare: an array is another request than a single event."""
    digests: dict[_EventName, bytes] = {
        (request[0], entry.event_id): entry.digest for entry in entries
    }
    return digests if request in digests else {**digests, request: _ARRAY}


Name = TypeVar("Name")
Value = TypeVar("Value")


def _put(into: OrderedDict[Name, Value], name: Name, value: Value, most: int) -> None:
    """Forgets what was put longest ago."""
    into[name] = value
    into.move_to_end(name)
    if len(into) > most:
        into.popitem(last=False)


def digest_of(event: object) -> bytes:
    """A digest of an event as its sender wrote it.

    The same for the same JSON in another writing: with its keys in another order, with a number as
    text, with a value that may be text or an object as the other.
    """
    if not isinstance(event, dict):  # it is rejected, so it is like nothing that was queued
        return b""
    read = {name: _read(value) if name in _HOLD_JSON else value for name, value in event.items()}
    try:
        written = dumps_sorted(_with_text_numbers(without_lone_surrogates(read)))
    except (UnwritableError, RecursionError):  # what holds such a value is rejected, or sent alone
        return b""
    return hashlib.sha256(written).digest()


def _read(value: object) -> object:
    try:
        return loads(value) if isinstance(value, str) else value
    except InvalidJsonError:
        return value


def _with_text_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_text_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_numbers(item) for item in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain_number(Decimal(value))
    return value
