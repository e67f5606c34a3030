"""Which events have been delivered, so that none is sent twice: claim, send, remember.

One item for each event: pk is a digest of its id, sk is `delivery`. `content` is a digest of the
event. `taken_until` (Unix ms) is the moment up to which no other invocation may send it: seconds
for a claim, days for a delivery, which is marked `delivered`. What follows from each state:

    no item, or an expired delivery   the event may be sent
    a claim                           another invocation is sending it
    a delivery                        it was delivered
    in doubt, or an expired claim     it may have been delivered: nobody knows

An item is in doubt after a send without a clear response. A claim that expired without a result
means the same: its process may have died after the send. Doubt lasts as long as a delivery is
remembered. Claims and deliveries are batched into calls of up to 25. The cost in write units:

    delivered                    2   the claim, and the remembered delivery
    not delivered                2   the claim, and its release
    in doubt                     2   the claim, and the doubt
    duplicate, conflict, busy    2   the refused claim, and the write that returns the existing item
    each send of one in doubt    1   more: the refused claim

An event that release 0.1 knew under another key (`Former`) costs a read unit for each claim, until
a day that is set. Nothing else is read.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import uuid4

from relay.aws.table import AsyncTable, Condition, Item, Key, StoredItem
from relay.instants import Clock, to_milliseconds, utc_now
from relay.stores.write_batcher import WriteBatcher

_SORT: Final = "delivery"
_TAKEN_UNTIL: Final = "taken_until"
_MILLISECOND: Final = timedelta(milliseconds=1)
_REPLACED: Final = "replaced"
"""Marks a claim that replaced an existing item."""
_MOST_HELD: Final = 10_000


class Claim(StrEnum):
    """The result of a claim to an event id."""

    CLAIMED = "claimed"
    """The caller may send the event."""
    IN_DOUBT = "in_doubt"
    """The caller has claimed the event, which may have been delivered before: a send of it had no
    clear response."""
    EXPIRED = "expired"
    """The same, because the invocation that had claimed it has ended without a result."""
    DUPLICATE = "duplicate"
    """The event was delivered, with the same content."""
    CONFLICT = "conflict"
    """An event with this id was delivered, with other content."""
    BUSY = "busy"
    """Another invocation has claimed the event; try again later.

    This is also the result for other content: only a delivery binds an id to its content. An event
    that fails may be corrected and sent under the same id.
    """


class Former(NamedTuple):
    """How release 0.1 knew an event. Its items may still be in the table."""

    digest: Callable[[], str]
    """Makes that release's digest of the content; called only if there is an item to compare."""
    key: str | None = None
    """That release's key, if it was another one."""


class Deliveries:
    """The table of deliveries. Every method raises `TableUnavailableError`.

    `key` is a `delivery_key`, `digest` the digest of the event's content. `former_until`: the
    moment from which no key of release 0.1 is looked up any more; None looks it up for ever.
    """

    def __init__(
        self,
        table: AsyncTable,
        keep_days: int,
        clock: Clock = utc_now,
        former_until: datetime | None = None,
    ) -> None:
        self._table = table
        self._claims = WriteBatcher(table.put_new)
        self._delivered = WriteBatcher(table.put_all)
        self._keep = timedelta(days=keep_days)
        self._clock = clock
        self._former_until = former_until
        self._held: dict[str, int] = {}

    async def claim(
        self, key: str, digest: str, seconds: float, former: Former | None = None
    ) -> Claim:
        """Claims an event for `seconds` unless it is taken; of two concurrent claims, one succeeds.

        An event can be claimed again once its delivery is no longer remembered. While it is in
        doubt it can be claimed too; the caller then decides whether to send it. What release 0.1
        left under the `former` key counts if it is the same event.
        """
        before = await self._claim_before(former)
        if before in {Claim.DUPLICATE, Claim.BUSY}:
            return before
        claim = await self._claim(key, digest, seconds, former)
        return before if before is not None and claim is Claim.CLAIMED else claim

    async def _claim_before(self, former: Former | None) -> Claim | None:
        """The result of a claim to the former key; None if nothing is there that matters.

        Another content there is an event of another producer's, which had the same key.
        """
        now = self._clock()
        if former is None or former.key is None:
            return None
        if self._former_until is not None and now >= self._former_until:
            return None
        item = await self._table.get(_key(former.key))
        if item is None or item.get("content") != former.digest():
            return None
        if _taken_until(item) > to_milliseconds(now):
            return Claim.DUPLICATE if "delivered" in item else Claim.BUSY
        claim = self._claim_after(item, now, own=False)
        return None if claim is Claim.CLAIMED else claim

    async def _claim(self, key: str, digest: str, seconds: float, former: Former | None) -> Claim:
        now, claimant = self._clock(), uuid4().hex
        until = to_milliseconds(now + timedelta(seconds=seconds))
        item = self._item(digest, until, claimant=claimant)
        if not await self._claims.put(_key(key), item):
            self._hold(key, until, now)
            return Claim.CLAIMED
        # There is an item, but it may have expired.
        result = await self._table.put(
            _key(key), {**item, _REPLACED: 1}, Condition(_TAKEN_UNTIL, to_milliseconds(now))
        )
        before = result.before or {}
        # The client may have repeated a write whose response was lost: then the item is our own.
        own = before.get("claimant") == claimant
        if not (result.written or own):
            return _refusal(before, digest, former)
        self._hold(key, until, now)
        return self._claim_after(before, now, own=own)

    def _claim_after(self, before: StoredItem, now: datetime, *, own: bool) -> Claim:
        """The result of a claim, by the item before it."""
        if own:  # if it replaced an item, nobody knows which
            return Claim.EXPIRED if _REPLACED in before else Claim.CLAIMED
        doubted_until = self._keep // _MILLISECOND + _taken_until(before)
        if "delivered" in before or doubted_until <= to_milliseconds(now):
            return Claim.CLAIMED
        return Claim.IN_DOUBT if "in_doubt" in before else Claim.EXPIRED

    async def remember(self, key: str, digest: str) -> None:
        """Records that the event was delivered, even if another invocation has claimed it since."""
        self._held.pop(key, None)
        until = to_milliseconds(self._clock() + self._keep)
        await self._delivered.put(_key(key), self._item(digest, until, delivered=1))

    async def doubt(self, key: str, digest: str) -> None:
        """Records that the event may have been delivered, if the claim is still ours.

        If it expired, and another invocation has claimed the event since, its result counts.
        """
        until = self._held.pop(key, None)
        if until is not None:
            now = to_milliseconds(self._clock())
            item = self._item(digest, now, in_doubt=1)
            await self._table.put(_key(key), item, Condition(_TAKEN_UNTIL, until))

    async def release(self, key: str) -> None:
        """Frees an event that was surely not delivered for the next claim.

        Does nothing if the claim is no longer ours: it expired, and another invocation has one.
        """
        until = self._held.pop(key, None)
        if until is not None:
            await self._table.delete(_key(key), Condition(_TAKEN_UNTIL, until))

    def _item(self, content: str, until: int, **marks: str | int) -> Item:
        forgotten = until if "delivered" in marks else until + self._keep // _MILLISECOND
        return {
            "content": content,
            _TAKEN_UNTIL: until,
            "expires_at": forgotten // 1000 + 1,
            **marks,
        }

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


def _taken_until(item: StoredItem) -> int:
    taken_until = item.get(_TAKEN_UNTIL)
    return taken_until if isinstance(taken_until, int) else 0


def _refusal(existing: StoredItem, digest: str, former: Former | None) -> Claim:
    """The result of a refused claim. A digest says its version, so no two versions are equal."""
    if "delivered" not in existing:
        return Claim.BUSY
    content = existing.get("content")
    is_same = content == digest or (former is not None and content == former.digest())
    return Claim.DUPLICATE if is_same else Claim.CONFLICT
