"""Which events have been delivered, so that none is sent twice: claim, send, remember.

One item for each event: pk is a digest of its id, sk the word `delivery`. `content` is a digest of
the event, `taken_until` (Unix ms) the moment up to which nobody else may send it: seconds for a
claim, days for a delivery, which is marked `delivered`. Claims and deliveries are gathered into
calls of up to 25. What it costs in write units, and never a read unit:

    delivered                    2   the claim, and that it is remembered
    not delivered                2   the claim, and its release
    duplicate, conflict, busy    2   the refused claim, and the write that brings what is in the way
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import uuid4

from relay.aws.table import AsyncTable, Condition, Item, Key
from relay.instants import Clock, to_milliseconds, utc_now
from relay.stores.write_batcher import WriteBatcher

_SORT: Final = "delivery"
_TAKEN_UNTIL: Final = "taken_until"
_MOST_HELD: Final = 10_000


class Claim(StrEnum):
    """What becomes of a claim to an event id."""

    CLAIMED = "claimed"
    """It is ours to send."""
    DUPLICATE = "duplicate"
    """It was delivered, with the same content."""
    CONFLICT = "conflict"
    """It was delivered, with other content."""
    BUSY = "busy"
    """Somebody else is about to send it; ask again in a while.

    So also with other content: only a delivery settles what an id stands for, and what fails may
    be corrected and sent under the same id.
    """


class Deliveries:
    """The table of deliveries. Every method raises `TableUnavailableError`.

    `key` is a `delivery_key`, `digest` one of the event's content.
    """

    def __init__(self, table: AsyncTable, keep_days: int, clock: Clock = utc_now) -> None:
        self._table = table
        self._claims = WriteBatcher(table.put_new)
        self._delivered = WriteBatcher(table.put_all)
        self._keep = timedelta(days=keep_days)
        self._clock = clock
        self._held: dict[str, int] = {}

    async def claim(self, key: str, digest: str, seconds: float) -> Claim:
        """Takes an event for so many seconds, unless it is taken: of two at once, one gets it.

        It is free again when its delivery is forgotten, and when whoever took it went silent.
        """
        now, claimant = self._clock(), uuid4().hex
        until = to_milliseconds(now + timedelta(seconds=seconds))
        item = _item(digest, until, claimant=claimant)
        if not await self._claims.put(_key(key), item):
            self._hold(key, until, now)
            return Claim.CLAIMED
        # Something is there; it may have run out.
        there = await self._table.put(
            _key(key), item, Condition(_TAKEN_UNTIL, to_milliseconds(now))
        )
        # The client may have repeated a write whose answer got lost: then our own is in the way.
        if there is not None and there.get("claimant") != claimant:
            return _refusal(there, digest)
        self._hold(key, until, now)
        return Claim.CLAIMED

    async def remember(self, key: str, digest: str) -> None:
        """It has been delivered. Holds against whoever has claimed it meanwhile."""
        self._held.pop(key, None)
        until = to_milliseconds(self._clock() + self._keep)
        await self._delivered.put(_key(key), _item(digest, until, delivered=1))

    async def release(self, key: str) -> None:
        """It has not been delivered, and is free for the next who claims it.

        Does nothing where the claim is not ours: it ran out, and somebody else has it.
        """
        until = self._held.pop(key, None)
        if until is not None:
            await self._table.delete(_key(key), Condition(_TAKEN_UNTIL, until))

    def _hold(self, key: str, until: int, now: datetime) -> None:
        """Claims that were neither remembered nor released are dropped when they have run out."""
        self._held[key] = until
        if len(self._held) > _MOST_HELD:
            moment = to_milliseconds(now)
            for other in [other for other, end in self._held.items() if end <= moment]:
                del self._held[other]


def delivery_key(scope: str, event_id: str) -> str:
    """What an event goes by here: 64 hexadecimal characters, for an id may say who somebody is.

    `scope`: where the id is unique, a payment source or an app.
    """
    text = f"{len(scope)}:{scope}:{event_id}"  # with the length, no two pairs share a text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(key: str) -> Key:
    return Key(key, _SORT)


def _item(content: str, until: int, **marks: str | int) -> Item:
    return {"content": content, _TAKEN_UNTIL: until, "expires_at": until // 1000 + 1, **marks}


def _refusal(there: Item, digest: str) -> Claim:
    if "delivered" not in there:
        return Claim.BUSY
    return Claim.DUPLICATE if there["content"] == digest else Claim.CONFLICT
