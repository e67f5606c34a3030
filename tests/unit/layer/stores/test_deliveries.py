import asyncio
import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from relay.aws.table import Condition, Item, Key, PutResult
from relay.errors import TableBusyError, TableUnavailableError
from relay.stores import deliveries as module
from relay.stores.deliveries import Claim, Deliveries, Former, delivery_key
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.support.every import every
from tests.support.fakes import FakeClock

KEY = delivery_key("stripe-main", "in_1")
DIGEST = "a" * 64
OTHER = "b" * 64
DAY = 86_400


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def deliveries(table: MemoryTable, clock: FakeClock) -> Deliveries:
    return Deliveries(MemoryAsyncTable(table), keep_days=35, clock=clock)


@pytest.fixture
def elsewhere(table: MemoryTable, clock: FakeClock) -> Deliveries:
    """Another process at the same table."""
    return Deliveries(MemoryAsyncTable(table), keep_days=35, clock=clock)


# Claims


async def test_claim_of_what_nobody_has_is_ours(deliveries: Deliveries) -> None:
    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.CLAIMED


@pytest.mark.parametrize("digest", [DIGEST, OTHER], ids=["same content", "other content"])
async def test_claim_of_what_another_is_about_to_send_is_busy(
    deliveries: Deliveries, elsewhere: Deliveries, digest: str
) -> None:
    """Other content too: the holder's may fail yet."""
    await elsewhere.claim(KEY, DIGEST, 60)

    assert await deliveries.claim(KEY, digest, 60) is Claim.BUSY


async def test_claim_twice_in_one_process_is_busy(deliveries: Deliveries) -> None:
    """Two records of a batch with one event id."""
    await deliveries.claim(KEY, DIGEST, 60)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.BUSY


@pytest.mark.parametrize(
    ("seconds", "claim"), [(59.999, Claim.BUSY), (60, Claim.EXPIRED)], ids=["held", "run out"]
)
async def test_claim_of_somebody_who_went_silent_runs_out(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock, seconds: float, claim: Claim
) -> None:
    await elsewhere.claim(KEY, DIGEST, 60)

    clock.advance(seconds)

    assert await deliveries.claim(KEY, OTHER, 60) is claim


async def test_claim_of_another_event_is_another_claim(
    deliveries: Deliveries, elsewhere: Deliveries
) -> None:
    await elsewhere.claim(KEY, DIGEST, 60)

    assert await deliveries.claim(delivery_key("stripe-main", "in_2"), DIGEST, 60) is Claim.CLAIMED


async def test_claim_of_many_tasks_at_once_is_won_by_one(table: MemoryTable) -> None:
    processes = [Deliveries(MemoryAsyncTable(table), keep_days=35) for _ in range(8)]

    claims = await asyncio.gather(
        *(processes[number % 8].claim(f"{number // 8}", DIGEST, 60) for number in range(800))
    )

    assert claims.count(Claim.CLAIMED) == 100
    assert claims.count(Claim.BUSY) == 700


# Delivered


async def test_claim_of_what_was_delivered_is_a_duplicate(
    deliveries: Deliveries, elsewhere: Deliveries
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.remember(KEY, DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.DUPLICATE
    assert await elsewhere.claim(KEY, DIGEST, 60) is Claim.DUPLICATE


async def test_claim_of_what_was_delivered_with_other_content_is_a_conflict(
    deliveries: Deliveries,
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.remember(KEY, DIGEST)

    assert await deliveries.claim(KEY, OTHER, 60) is Claim.CONFLICT


async def test_claim_of_what_was_delivered_with_content_that_a_person_took_away_is_a_conflict(
    deliveries: Deliveries, table: MemoryTable
) -> None:
    """Sent again it could count twice: a person decides."""
    await deliveries.remember(KEY, DIGEST)
    (key, item), *_ = table.everything().items()
    table.put(key, {name: item[name] for name in item if name != "content"})

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.CONFLICT


@pytest.mark.parametrize(
    ("seconds", "claim"), [(35 * DAY - 1, Claim.DUPLICATE), (35 * DAY, Claim.CLAIMED)]
)
async def test_delivery_is_known_for_its_days_and_not_longer(
    deliveries: Deliveries, clock: FakeClock, seconds: int, claim: Claim
) -> None:
    """Though DynamoDB has not deleted it yet."""
    await deliveries.remember(KEY, DIGEST)

    clock.advance(seconds)

    assert await deliveries.claim(KEY, DIGEST, 60) is claim


async def test_remember_holds_against_whoever_claimed_it_meanwhile(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    clock.advance(61)
    await elsewhere.claim(KEY, DIGEST, 60)

    await deliveries.remember(KEY, DIGEST)
    await elsewhere.release(KEY)

    assert await elsewhere.claim(KEY, DIGEST, 60) is Claim.DUPLICATE


# Released


async def test_release_makes_it_free_at_once(deliveries: Deliveries, elsewhere: Deliveries) -> None:
    await deliveries.claim(KEY, DIGEST, 60)

    await deliveries.release(KEY)

    assert await elsewhere.claim(KEY, OTHER, 60) is Claim.CLAIMED


async def test_release_of_a_claim_that_ran_out_leaves_the_next_holder_his(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    clock.advance(60)
    await elsewhere.claim(KEY, DIGEST, 60)

    await deliveries.release(KEY)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.BUSY


async def test_release_without_a_claim_leaves_the_holder_his(
    deliveries: Deliveries, elsewhere: Deliveries, table: MemoryTable
) -> None:
    await elsewhere.claim(KEY, DIGEST, 60)

    await deliveries.release(KEY)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.BUSY
    assert table.calls["delete_if"] == 0


async def test_release_after_remember_leaves_it_delivered(deliveries: Deliveries) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.remember(KEY, DIGEST)

    await deliveries.release(KEY)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.DUPLICATE


async def test_claims_left_alone_are_dropped_from_memory_when_they_have_run_out(
    table: MemoryTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_HELD", 2)
    deliveries = Deliveries(MemoryAsyncTable(table), keep_days=35, clock=clock)
    for name in "abc":
        await deliveries.claim(name, DIGEST, 60)
    clock.advance(30)
    await deliveries.claim("d", DIGEST, 60)
    clock.advance(30)
    await deliveries.claim("e", DIGEST, 60)

    for name in "abcde":
        await deliveries.release(name)

    assert table.calls["delete_if"] == 2


# In doubt


async def test_claim_of_what_may_have_been_delivered_is_in_doubt(
    deliveries: Deliveries, elsewhere: Deliveries
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)

    await deliveries.doubt(KEY, DIGEST)

    assert await elsewhere.claim(KEY, OTHER, 60) is Claim.IN_DOUBT


@pytest.mark.parametrize(
    ("seconds", "claim"), [(35 * DAY - 1, Claim.IN_DOUBT), (35 * DAY, Claim.CLAIMED)]
)
async def test_doubt_lasts_as_long_as_a_delivery_is_known(
    deliveries: Deliveries, clock: FakeClock, seconds: int, claim: Claim
) -> None:
    """Though DynamoDB has not deleted it yet."""
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.doubt(KEY, DIGEST)

    clock.advance(seconds)

    assert await deliveries.claim(KEY, DIGEST, 60) is claim


@pytest.mark.parametrize(
    ("seconds", "claim"), [(35 * DAY + 59, Claim.EXPIRED), (35 * DAY + 60, Claim.CLAIMED)]
)
async def test_claim_without_a_result_is_a_doubt_for_as_long(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock, seconds: int, claim: Claim
) -> None:
    await elsewhere.claim(KEY, DIGEST, 60)

    clock.advance(seconds)

    assert await deliveries.claim(KEY, DIGEST, 60) is claim


async def test_doubt_ends_with_a_delivery(deliveries: Deliveries, elsewhere: Deliveries) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.doubt(KEY, DIGEST)
    await elsewhere.claim(KEY, DIGEST, 60)

    await elsewhere.remember(KEY, DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.DUPLICATE


async def test_doubt_of_a_claim_that_expired_leaves_the_next_holder_its_claim(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    clock.advance(60)
    await elsewhere.claim(KEY, DIGEST, 60)

    await deliveries.doubt(KEY, DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.BUSY


async def test_doubt_of_a_claim_that_was_released_elsewhere_is_kept(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock
) -> None:
    """The other invocation knows of its own send only."""
    await deliveries.claim(KEY, DIGEST, 60)
    clock.advance(60)
    await elsewhere.claim(KEY, DIGEST, 60)
    await elsewhere.release(KEY)

    await deliveries.doubt(KEY, DIGEST)

    assert await elsewhere.claim(KEY, DIGEST, 60) is Claim.IN_DOUBT


@pytest.mark.parametrize(
    ("seconds", "claim"), [(9.999, Claim.IN_DOUBT), (10, Claim.DECIDED), (3600, Claim.DECIDED)]
)
async def test_consent_covers_the_doubts_up_to_its_moment(
    deliveries: Deliveries, clock: FakeClock, seconds: float, claim: Claim
) -> None:
    consent = clock.now + timedelta(seconds=seconds)
    await deliveries.claim(KEY, DIGEST, 60)
    clock.advance(10)
    await deliveries.doubt(KEY, DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60, consent=consent) is claim


async def test_consent_covers_no_claim_that_expired(
    deliveries: Deliveries, clock: FakeClock
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    clock.advance(3600)

    assert await deliveries.claim(KEY, DIGEST, 60, consent=clock.now) is Claim.EXPIRED


@pytest.mark.parametrize(("sent", "claim"), [(False, Claim.DECIDED), (True, Claim.IN_DOUBT)])
async def test_doubt_has_the_moment_of_the_last_send(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock, *, sent: bool, claim: Claim
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.doubt(KEY, DIGEST)
    consent = clock.now
    clock.advance(10)
    await elsewhere.claim(KEY, DIGEST, 60)
    await elsewhere.doubt(KEY, DIGEST, sent=sent)

    assert await deliveries.claim(KEY, DIGEST, 60, consent=consent) is claim


async def test_doubt_whose_moment_somebody_edited_is_a_new_one(
    deliveries: Deliveries, table: MemoryTable, clock: FakeClock
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.doubt(KEY, DIGEST)
    key = Key(KEY, "delivery")
    table.put(key, {**table.get([key])[key], "in_doubt": "yes"})
    clock.advance(10)

    assert (
        await deliveries.claim(KEY, DIGEST, 60, consent=clock.now - timedelta(1)) is Claim.IN_DOUBT
    )


async def test_doubt_without_a_claim_does_nothing(
    deliveries: Deliveries, table: MemoryTable
) -> None:
    await deliveries.doubt(KEY, DIGEST)

    assert len(table) == 0


async def test_claim_written_again_over_another_item_is_a_doubt(clock: FakeClock) -> None:
    """The lost response had said what the claim replaced."""
    table = _AnswersGetLost()
    deliveries = Deliveries(MemoryAsyncTable(table), 35, clock)
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.doubt(KEY, DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60) is Claim.EXPIRED


# What it costs, and what is kept


async def test_event_that_is_delivered_costs_two_writes_and_no_read(
    deliveries: Deliveries, table: MemoryTable
) -> None:
    await deliveries.claim(KEY, DIGEST, 60)
    await deliveries.remember(KEY, DIGEST)

    assert table.calls == {"put": 2}


async def test_duplicate_costs_two_writes_and_no_read(
    deliveries: Deliveries, table: MemoryTable
) -> None:
    await deliveries.remember(KEY, DIGEST)
    table.calls.clear()

    await deliveries.claim(KEY, DIGEST, 60)

    assert table.calls == {"put": 2}


async def test_item_expires_with_what_it_says(deliveries: Deliveries, table: MemoryTable) -> None:
    """TTL may delete it once it says nothing; 2026-03-02T12:00:00Z is 1772452800."""
    key = Key(KEY, "delivery")

    await deliveries.claim(KEY, DIGEST, 60)
    assert table.get([key])[key]["expires_at"] == 1772452800 + 60 + 35 * DAY + 1

    await deliveries.release(KEY)
    assert table.get([key]) == {}

    await deliveries.remember(KEY, DIGEST)
    assert table.get([key])[key]["expires_at"] == 1772452800 + 35 * DAY + 1


class _AnswersGetLost(MemoryTable):
    """Its first answer never arrives, and the client writes again."""

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        super().put(key, item, only_if)
        return super().put(key, item, only_if)

    def replace(self, key: Key, item: Item, only_if: Condition | None = None) -> PutResult:
        super().replace(key, item, only_if)
        return super().replace(key, item, only_if)


async def test_claim_whose_answer_got_lost_is_ours_when_it_is_written_again(
    clock: FakeClock,
) -> None:
    table = _AnswersGetLost()

    assert (
        await Deliveries(MemoryAsyncTable(table), 35, clock).claim(KEY, DIGEST, 60) is Claim.CLAIMED
    )
    assert await Deliveries(MemoryAsyncTable(table), 35, clock).claim(KEY, DIGEST, 60) is Claim.BUSY


class _Throttled(MemoryTable):
    """Throttles the first write of one key; `leaves` tells what stands there then."""

    def __init__(self, pk: str, leaves: Callable[[Item], Item | None] = lambda item: None) -> None:
        super().__init__()
        self._pk = pk
        self._leaves = leaves

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        if key.pk != self._pk:
            return super().put(key, item, only_if)
        self._pk = ""
        left = self._leaves(item)
        if left is not None:
            super().put(key, left, only_if)
        raise TableBusyError("DynamoDB failed: ThrottlingError")


@every(
    "leaves, claim",
    [
        (lambda item: None, Claim.CLAIMED),
        (lambda item: item, Claim.CLAIMED),
        (lambda item: {**item, "claimant": "another"}, Claim.BUSY),
    ],
    ids=["not written", "written all the same", "won by another"],
)
async def test_claim_that_was_throttled_is_made_again(
    leaves: Callable[[Item], Item | None], claim: Claim
) -> None:
    table = _Throttled("b", leaves)
    ours, theirs = (Deliveries(MemoryAsyncTable(table), 35) for _ in range(2))

    claims = await asyncio.gather(*(ours.claim(key, DIGEST, 60) for key in "abc"))

    assert claims == [Claim.CLAIMED, claim, Claim.CLAIMED]
    assert await theirs.claim("b", DIGEST, 60) is Claim.BUSY


async def test_remember_that_was_throttled_is_written_again() -> None:
    deliveries = Deliveries(MemoryAsyncTable(_Throttled("b")), 35)

    await asyncio.gather(*(deliveries.remember(key, DIGEST) for key in "abc"))

    claims = await asyncio.gather(*(deliveries.claim(key, DIGEST, 60) for key in "abc"))
    assert claims == [Claim.DUPLICATE] * 3


async def test_claim_that_fails_leaves_the_others_of_its_call_theirs(
    deliveries: Deliveries,
) -> None:
    bad = "x" * 2_049  # DynamoDB refuses a key as long as that

    claims = await asyncio.gather(
        *(deliveries.claim(key, DIGEST, 60) for key in ("a", bad, "c")), return_exceptions=True
    )

    assert claims[::2] == [Claim.CLAIMED] * 2
    assert isinstance(claims[1], TableUnavailableError)


async def test_table_that_is_down_is_told(deliveries: Deliveries, table: MemoryTable) -> None:
    table.error = TableUnavailableError("DynamoDB failed: ThrottlingException")

    with pytest.raises(TableUnavailableError):
        await deliveries.claim(KEY, DIGEST, 60)
    with pytest.raises(TableUnavailableError):
        await deliveries.remember(KEY, DIGEST)


# Keys


def test_delivery_key_is_a_digest_that_shows_no_id() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", delivery_key("shop", "order-1 of john@example.com"))


def test_delivery_key_is_the_same_in_every_process() -> None:
    """`printf %s 11:stripe-main:in_1 | sha256sum`."""
    assert KEY == "08da0ad0bdbb6079d85a0cd413712764ff9cdc2530f1027dd1f12c90d745f923"


def test_delivery_key_differs_by_scope_and_id_and_by_where_one_ends() -> None:
    pairs = [("shop", "1"), ("shop", "2"), ("shop:1", ""), ("shop", ":1"), ("sho", "p1"), ("", "x")]

    assert len({delivery_key(scope, event_id) for scope, event_id in pairs}) == len(pairs)


def test_delivery_key_of_text_that_is_no_unicode_is_a_key_all_the_same() -> None:
    assert delivery_key("shop", "\ud83d") != delivery_key("shop", "\ud83e")


# What release 0.1 remembered

FORMER_DIGEST = "f" * 64
FORMER = Former(FORMER_DIGEST.__eq__, delivery_key("app shop", "order-1"))
"""The event as that release knew it."""
SAME_KEY = Former(FORMER.is_content)


async def test_claim_of_what_was_delivered_with_a_digest_of_release_0_1_is_a_duplicate(
    deliveries: Deliveries,
) -> None:
    await deliveries.remember(KEY, FORMER_DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60, SAME_KEY) is Claim.DUPLICATE
    assert await deliveries.claim(KEY, DIGEST, 60, Former(OTHER.__eq__)) is Claim.CONFLICT


async def leave(deliveries: Deliveries, clock: FakeClock, state: str, digest: str) -> None:
    """Release 0.1 left an item under its own key."""
    key = FORMER.key or ""
    if state in {"delivered", "forgotten"}:
        await deliveries.remember(key, digest)
    else:
        await deliveries.claim(key, digest, 60)
    if state == "in doubt":
        await deliveries.doubt(key, digest)
    if state in {"died", "forgotten"}:
        clock.advance(61 if state == "died" else 35 * DAY)


LEFT = [
    ("delivered", Claim.DUPLICATE),
    ("being sent", Claim.BUSY),
    ("in doubt", Claim.IN_DOUBT),
    ("died", Claim.EXPIRED),
    ("forgotten", Claim.CLAIMED),
]


@pytest.mark.parametrize(("state", "claim"), LEFT)
async def test_claim_finds_the_same_event_under_the_key_of_release_0_1(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock, state: str, claim: Claim
) -> None:
    await leave(elsewhere, clock, state, FORMER_DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60, FORMER) is claim


@pytest.mark.parametrize("state", [state for state, _ in LEFT])
async def test_claim_does_not_mind_another_producers_event_under_the_key_of_release_0_1(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock, state: str
) -> None:
    await leave(elsewhere, clock, state, OTHER)

    assert await deliveries.claim(KEY, DIGEST, 60, FORMER) is Claim.CLAIMED


async def test_claim_of_what_is_known_under_both_keys_is_told_by_its_own(
    deliveries: Deliveries, elsewhere: Deliveries, clock: FakeClock
) -> None:
    """A person had the doubtful event sent again."""
    await leave(elsewhere, clock, "in doubt", FORMER_DIGEST)
    assert await deliveries.claim(KEY, DIGEST, 60, FORMER) is Claim.IN_DOUBT
    await deliveries.remember(KEY, DIGEST)

    assert await deliveries.claim(KEY, DIGEST, 60, FORMER) is Claim.DUPLICATE


async def test_claim_looks_up_no_key_of_release_0_1_from_the_day_that_is_set(
    table: MemoryTable, clock: FakeClock
) -> None:
    until = clock.now + timedelta(days=1)
    deliveries = Deliveries(MemoryAsyncTable(table), 35, clock, former_until=until)
    await deliveries.claim(delivery_key("app shop", "1"), DIGEST, 60, FORMER)
    assert table.calls["get"] == 1

    clock.advance(DAY)
    await deliveries.claim(delivery_key("app shop", "2"), DIGEST, 60, FORMER)

    assert table.calls["get"] == 1


async def test_claim_reads_nothing_for_an_event_that_had_no_other_key(
    deliveries: Deliveries, table: MemoryTable
) -> None:
    await deliveries.claim(KEY, DIGEST, 60, SAME_KEY)
    await deliveries.claim(KEY, DIGEST, 60)

    assert table.calls["get"] == 0
