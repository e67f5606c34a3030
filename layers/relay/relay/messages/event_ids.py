"""Ids of events that come over HTTP. Each is its producer's own, in the relay and at AppsFlyer.

    @shop:order-1001          a single event: the producer, and its `Idempotency-Key`
    @shop/array:batch-7:0     an event of an array: also its position
    @=9f86d081...:order-1001  a producer with a long name: a digest of it

No id of a queue or of a payment begins with `@`, unless its sender means to imitate one of these.
They stand in the event id itself because AppsFlyer gets that too (W11), and because a forwarder of
another release must be able to read the envelope.
"""

import hashlib
from typing import Final
from urllib.parse import quote

LONGEST_EVENT_ID: Final = 256
"""Characters (Q4)."""

_MARK: Final = "@"
_DIGEST_MARK: Final = "="
"""Escaped in a name, so that no name looks like a digest."""
_ARRAY: Final = "/array"
_DIGEST_CHARACTERS: Final = 32
_KEY_DIGITS: Final = 16


def http_event_id(producer: str, key: str, position: int | None = None) -> str:
    """The id of an event, at most 256 characters: another for any other producer, key or position.

    `key` is the request's `Idempotency-Key`, `position` the event's place in an array, from 0; None
    for a single event, which is another one than the first of an array.
    """
    place = "" if position is None else f":{position}"
    rest = f"{'' if position is None else _ARRAY}:{key}{place}"
    text = f"{_MARK}{quote(producer, safe='', errors='surrogatepass')}{rest}"
    if len(text) <= LONGEST_EVENT_ID:
        return text
    shorter = f"{_MARK}{_DIGEST_MARK}{_digest(producer)[:_DIGEST_CHARACTERS]}{rest}"
    # A digest alone has no colon, so it is none of the other forms.
    return shorter if len(shorter) <= LONGEST_EVENT_ID else f"{_MARK}{_DIGEST_MARK}{_digest(text)}"


def former_event_id(event_id: str) -> str | None:
    """The id that release 0.1 gave the same event, without its producer; None if it had none.

    That was the key; for an event of an array the key, a colon, and the position.
    """
    if not event_id.startswith(_MARK):
        return None
    return event_id.partition(":")[2] or None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def event_key(event_id: str) -> str:
    """What stands for an event id in logs, which do not hold what a sender wrote: 16 digits.

    The start of its SHA-256, by which `relay status --stack` finds the lines of an event.
    """
    return hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_DIGITS]
