"""Which events have been delivered, so that none is sent twice: claim, send, remember.

One item for each event: pk is a digest of its id, sk is `delivery`. `content` is a digest of the
event. `taken_until` (Unix ms) is the moment up to which no other invocation may send it: seconds
for a claim, days for a delivery, which is marked `delivered`. What follows from each state:

    no item, or an expired delivery   the event may be sent
    a claim                           another invocation is sending it
    a delivery                        it was delivered
    in doubt, or an expired claim     it may have been delivered: nobody knows

An item is in doubt after a send without a clear response; `in_doubt` is the moment of the last such
send (Unix ms). A claim that expired without a result means the same: its process may have died
after the send. Doubt lasts as long as a delivery is remembered. Claims and deliveries are batched
into calls of up to 25. The cost in write units:

    delivered                    2   the claim, and the remembered delivery
    not delivered                2   the claim, and its release
    in doubt                     2   the claim, and the doubt
    duplicate, conflict, busy    2   the refused claim, and the write that returns the existing item
    each send of one in doubt    1   more: the refused claim

An event that release 0.1 knew under another key (`Former`) costs a read unit for each claim, until
a day that is set. Nothing else is read.
"""

import hashlib
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import uuid4

from relay.aws.table import KEYS_A_READ, AsyncTable, Condition, Item, Key, StoredItem
from relay.errors import TableUnavailableError
from relay.instants import Clock, to_milliseconds, utc_now
from relay.stores.batcher import Batcher
from relay.stores.write_batcher import WriteBatcher

_SORT: Final = "delivery"
_TAKEN_UNTIL: Final = "taken_until"
_IN_DOUBT: Final = "in_doubt"
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
    DECIDED = "decided"
    """The same, and a person has decided since to send it."""
    EXPIRED = "expired"
    """In doubt, too, because the invocation that had claimed it has ended without a result."""
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
    """How earlier releases knew an event. Their items may still be in the table."""

    is_content: Callable[[str], bool]
    """Whether a digest of an earlier version is of this event's content."""
    key: str | None = None
    """Release 0.1's key, if it was another one."""


class _Held(NamedTuple):
    """A claim of ours."""

    until: int
    doubted: int | None = None
    """The moment of the doubt that it found (Unix ms)."""


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
        self._former = Batcher[None, StoredItem | None](self._look_up, KEYS_A_READ)
        self._keep = timedelta(days=keep_days)
        self._clock = clock
        self._former_until = former_until
        self._held: dict[str, _Held] = {}

    async def claim(
        self,
        key: str,
        digest: str,
        seconds: float,
        former: Former | None = None,
        consent: datetime | None = None,
    ) -> Claim:
        """Claims an event for `seconds` unless it is taken; of two concurrent claims, one succeeds.

        An event can be claimed again once its delivery is no longer remembered. While it is in
        doubt it can be claimed too; the caller then decides whether to send it. `consent`: until
        when a person knew of doubts and decided to send it all the same. What release 0.1 left
        under the `former` key counts if it is the same event.
        """
        before = None
        if former is not None and former.key is not None:
            before = await self._claim_before(former.key, former, consent)
        if before in {Claim.DUPLICATE, Claim.BUSY}:
            return before
        claim = await self._claim(key, digest, seconds, former, consent)
        return before if before is not None and claim is Claim.CLAIMED else claim

    async def _claim_before(
        self, key: str, former: Former, consent: datetime | None
    ) -> Claim | None:
        """The result of a claim to the former key; None if nothing is there that matters.

        Another content there is an event of another producer's, which had the same key.
        """
        now = self._clock()
        if self._former_until is not None and now >= self._former_until:
            return None
        item = await self._former.ask(_key(key), None)
        if item is None or not former.is_content(str(item.get("content"))):
            return None
        if _taken_until(item) > to_milliseconds(now):
            return Claim.DUPLICATE if "delivered" in item else Claim.BUSY
        claim = _claim_in(item, self._doubted(item, now, own=False), consent)
        return None if claim is Claim.CLAIMED else claim

    async def _claim(
        self,
        key: str,
        digest: str,
        seconds: float,
        former: Former | None,
        consent: datetime | None,
    ) -> Claim:
        now, claimant = self._clock(), uuid4().hex
        until = to_milliseconds(now + timedelta(seconds=seconds))
        item = self._item(digest, until, claimant=claimant)
        if not await self._claims.put(_key(key), item):
            self._hold(key, _Held(until), now)
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
        doubted = self._doubted(before, now, own=own)
        self._hold(key, _Held(until, doubted), now)
        return _claim_in(before, doubted, consent)

    def _doubted(self, before: StoredItem, now: datetime, *, own: bool) -> int | None:
        """Since when it may have been delivered, by the item before the claim; None if it was not.

        Of a claim that expired nobody knows when it was sent, if it was.
        """
        moment = to_milliseconds(now)
        if own:  # if it replaced an item, nobody knows which
            return moment if _REPLACED in before else None
        doubted_until = self._keep // _MILLISECOND + _taken_until(before)
        if "delivered" in before or doubted_until <= moment:
            return None
        doubted = before.get(_IN_DOUBT)
        return doubted if isinstance(doubted, int) else moment

    async def _look_up(
        self, keys: Collection[Key]
    ) -> dict[Key, StoredItem | TableUnavailableError | None]:
        found = await self._table.get_all(keys)
        return {key: found.failed.get(key) or found.items.get(key) for key in keys}

    async def remember(self, key: str, digest: str) -> None:
        """Records that the event was delivered, even if another invocation has claimed it since."""
        self._held.pop(key, None)
        until = to_milliseconds(self._clock() + self._keep)
        await self._delivered.put(_key(key), self._item(digest, until, delivered=1))

    async def doubt(self, key: str, digest: str, *, sent: bool = True) -> None:
        """Records that the event may have been delivered, if the claim is still ours.

        If it expired, and another invocation has claimed the event since, its result counts. If it
        was not `sent`, the doubt that the claim found remains as it was.
        """
        held = self._held.pop(key, None)
        if held is not None:
            now = to_milliseconds(self._clock())
            moment = now if sent or held.doubted is None else held.doubted
            item = self._item(digest, now, **{_IN_DOUBT: moment})
            await self._table.put(_key(key), item, Condition(_TAKEN_UNTIL, held.until))

    async def release(self, key: str) -> None:
        """Frees an event that was surely not delivered for the next claim.

        Does nothing if the claim is no longer ours: it expired, and another invocation has one.
        """
        held = self._held.pop(key, None)
        if held is not None:
            await self._table.delete(_key(key), Condition(_TAKEN_UNTIL, held.until))

    def _item(self, content: str, until: int, **marks: str | int) -> Item:
        forgotten = until if "delivered" in marks else until + self._keep // _MILLISECOND
        return {
            "content": content,
            _TAKEN_UNTIL: until,
            "expires_at": forgotten // 1000 + 1,
            **marks,
        }

    def _hold(self, key: str, claim: _Held, now: datetime) -> None:
        """Notes our claim. Once there are many, drops expired claims that nothing has settled."""
        self._held[key] = claim
        if len(self._held) > _MOST_HELD:
            moment = to_milliseconds(now)
            for other in [key for key, held in self._held.items() if held.until <= moment]:
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


def _claim_in(before: StoredItem, doubted: int | None, consent: datetime | None) -> Claim:
    """A claim that was written, by the item before it."""
    if doubted is None:
        return Claim.CLAIMED
    if _IN_DOUBT not in before:
        return Claim.EXPIRED
    is_decided = consent is not None and doubted <= to_milliseconds(consent)
    return Claim.DECIDED if is_decided else Claim.IN_DOUBT


def _refusal(existing: StoredItem, digest: str, former: Former | None) -> Claim:
    """The result of a refused claim. A digest says its version, so no two versions are equal."""
    if "delivered" not in existing:
        return Claim.BUSY
    content = str(existing.get("content"))
    is_same = content == digest or (former is not None and former.is_content(content))
    return Claim.DUPLICATE if is_same else Claim.CONFLICT
