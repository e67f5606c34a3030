"""Which events have been delivered, so that none is sent twice: claim, send, remember.

One item for each event: pk is a digest of its id, sk is `delivery`. `content` is a digest of the
event. `taken_until` (Unix ms) is the moment up to which no other invocation may send it: seconds
for a claim, days for a delivery, which is marked `delivered`. Claims and deliveries are batched
into calls of up to 25. The cost in write units (never a read unit):

    delivered                    2   the claim, and the remembered delivery
    not delivered                2   the claim, and its release
    duplicate, conflict, busy    2   the refused claim, and the write that returns the existing item
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import uuid4

from relay.aws.table import AsyncTable, Condition, Item, Key, StoredItem
from relay.instants import Clock, to_milliseconds, utc_now
from relay.stores.write_batcher import WriteBatcher

_SORT: Final = "delivery"
_TAKEN_UNTIL: Final = "taken_until"
_MOST_HELD: Final = 10_000


class Claim(StrEnum):
    """The result of a claim to an event id."""

    CLAIMED = "claimed"
    """The caller may send the event."""
    DUPLICATE = "duplicate"
    """The event was delivered, with the same content."""
    CONFLICT = "conflict"
    """An event with this id was delivered, with other content."""
    BUSY = "busy"
    """Another invocation has claimed the event; try again later.

    This is also the result for other content: only a delivery binds an id to its content. An event
    that fails may be corrected and sent under the same id.
    """


class Deliveries:
    """The table of deliveries. Every method raises `TableUnavailableError`.

    `key` is a `delivery_key`, `digest` the digest of the event's content.
    """

    def __init__(self, table: AsyncTable, keep_days: int, clock: Clock = utc_now) -> None:
        self._table = table
        self._claims = WriteBatcher(table.put_new)
        self._delivered = WriteBatcher(table.put_all)
        self._keep = timedelta(days=keep_days)
        self._clock = clock
        self._held: dict[str, int] = {}

    async def claim(self, key: str, digest: str, seconds: float) -> Claim:
        """Claims an event for `seconds` unless it is taken; of two concurrent claims, one succeeds.

        An event can be claimed again once its delivery is no longer remembered, or once a claim has
        expired without a result.
        """
        now, claimant = self._clock(), uuid4().hex
        until = to_milliseconds(now + timedelta(seconds=seconds))
        item = _item(digest, until, claimant=claimant)
        if not await self._claims.put(_key(key), item):
            self._hold(key, until, now)
            return Claim.CLAIMED
        # There is an item, but it may have expired.
        existing = await self._table.put(
            _key(key), item, Condition(_TAKEN_UNTIL, to_milliseconds(now))
        )
        # The client may have repeated a write whose response was lost: then the item is our own.
        if existing is not None and existing.get("claimant") != claimant:
            return _refusal(existing, digest)
        self._hold(key, until, now)
        return Claim.CLAIMED

    async def remember(self, key: str, digest: str) -> None:
        """Records that the event was delivered, even if another invocation has claimed it since."""
        self._held.pop(key, None)
        until = to_milliseconds(self._clock() + self._keep)
        await self._delivered.put(_key(key), _item(digest, until, delivered=1))

    async def release(self, key: str) -> None:
        """Frees an event that was not delivered for the next claim.

        Does nothing if the claim is no longer ours: it expired, and another invocation has one.
        """
        until = self._held.pop(key, None)
        if until is not None:
            await self._table.delete(_key(key), Condition(_TAKEN_UNTIL, until))

    def _hold(self, key: str, until: int, now: datetime) -> None:
        """Notes our claim. Once there are many, drops expired claims that nothing has settled."""
        self._held[key] = until
        if len(self._held) > _MOST_HELD:
            moment = to_milliseconds(now)
            for other in [other for other, end in self._held.items() if end <= moment]:
                del self._held[other]


def delivery_key(scope: str, event_id: str) -> str:
    """The key of an event: 64 hexadecimal characters, because an id may identify a person.

    `scope`: where the id is unique, a payment source or an app.
    """
    text = f"{len(scope)}:{scope}:{event_id}"  # with the length, no two pairs give the same text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(key: str) -> Key:
    return Key(key, _SORT)


def _item(content: str, until: int, **marks: str | int) -> Item:
    return {"content": content, _TAKEN_UNTIL: until, "expires_at": until // 1000 + 1, **marks}


def _refusal(existing: StoredItem, digest: str) -> Claim:
    if "delivered" not in existing:
        return Claim.BUSY
    return Claim.DUPLICATE if existing.get("content") == digest else Claim.CONFLICT
