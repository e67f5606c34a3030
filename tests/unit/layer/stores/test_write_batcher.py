import asyncio
from collections.abc import Mapping

from relay.aws.table import Item, Key, Written
from relay.aws.timeouts import ATTEMPTS, CONNECT_SECONDS, LONGEST_CALL_SECONDS, READ_SECONDS
from relay.errors import TableBusyError, TableUnavailableError
from relay.stores.batcher import CALLS_AT_ONCE
from relay.stores.write_batcher import ITEMS_A_CALL, WriteBatcher
from tests.faults.virtual_time import run
from tests.support.builders import NOW
from tests.support.every import every
from tests.support.fakes import FakeClock


class Calls:
    """Notes what each call wrote; each ends when it is let."""

    def __init__(self) -> None:
        self.wrote: list[list[str]] = []
        self.named: set[Key] = set()
        self.error: Exception | None = None
        """Raised by every call, while it is set."""
        self.failed: dict[Key, list[TableUnavailableError]] = {}
        """What becomes of each key, time after time; then it is written."""
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, items: Mapping[Key, Item]) -> Written:
        self.wrote.append([key.pk for key in items])
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        failed = {
            key: errors.pop(0) for key, errors in self.failed.items() if errors and key in items
        }
        return Written(self.named, failed)


def key(number: int) -> Key:
    return Key(f"{number}", "delivery")


async def test_put_of_many_at_once_takes_few_calls() -> None:
    calls = Calls()
    gathered = WriteBatcher(calls)

    await asyncio.gather(*(gathered.put(key(number), {}) for number in range(60)))

    assert [len(wrote) for wrote in calls.wrote] == [ITEMS_A_CALL, ITEMS_A_CALL, 10]


async def test_put_while_calls_are_under_way_gathers_for_the_next() -> None:
    calls = Calls()
    calls.go_on.clear()
    gathered = WriteBatcher(calls)
    puts = []
    for number in range(CALLS_AT_ONCE + 8):
        puts.append(asyncio.create_task(gathered.put(key(number), {})))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    calls.go_on.set()
    await asyncio.gather(*puts)

    assert [len(wrote) for wrote in calls.wrote] == [1] * CALLS_AT_ONCE + [8]


async def test_put_tells_whose_key_was_named() -> None:
    calls = Calls()
    calls.named = {key(1)}
    gathered = WriteBatcher(calls)

    assert await asyncio.gather(*(gathered.put(key(n), {}) for n in range(3))) == [
        False,
        True,
        False,
    ]


async def test_put_of_one_key_twice_is_two_calls() -> None:
    """DynamoDB refuses a call that names a key twice, and each has an answer of its own."""
    calls = Calls()
    gathered = WriteBatcher(calls)

    await asyncio.gather(gathered.put(key(1), {"n": 1}), gathered.put(key(1), {"n": 2}))

    assert calls.wrote == [["1"], ["1"]]


async def test_put_that_fails_is_told_to_all_of_its_call_and_to_no_other() -> None:
    calls = Calls()
    gathered = WriteBatcher(calls)
    calls.error = down = RuntimeError("down")

    failed = await asyncio.gather(
        *(gathered.put(key(number), {}) for number in range(3)), return_exceptions=True
    )
    calls.error = None

    assert failed == [down] * 3
    assert await gathered.put(key(1), {}) is False


@every("error", [None, RuntimeError("down")])
async def test_put_that_is_cancelled_leaves_the_others_theirs(error: Exception | None) -> None:
    calls = Calls()
    calls.go_on.clear()
    calls.error = error
    gathered = WriteBatcher(calls)
    one, other = (asyncio.create_task(gathered.put(key(n), {})) for n in (1, 2))
    await calls.begun.wait()

    one.cancel()
    await asyncio.sleep(0)
    calls.go_on.set()

    [answer] = await asyncio.gather(other, return_exceptions=True)
    assert answer == (error or False)
    assert one.cancelled()


async def test_put_in_the_moment_in_which_the_last_calls_end_is_not_left_waiting() -> None:
    """Their tasks are not done yet, and will look for nobody any more."""
    calls = Calls()
    calls.go_on.clear()
    gathered = WriteBatcher(calls)

    async def put(number: int) -> None:
        await gathered.put(key(number), {})
        if number == 0:
            await gathered.put(key(number), {})

    tasks = []
    for number in range(CALLS_AT_ONCE):
        tasks.append(asyncio.create_task(put(number)))
        for _ in range(5):
            await asyncio.sleep(0)
    assert len(calls.wrote) == CALLS_AT_ONCE

    calls.go_on.set()

    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)


# What fails


DENIED = TableUnavailableError("DynamoDB failed: AccessDenied")
BUSY = TableBusyError("DynamoDB failed: ThrottlingError")


async def put_all(gathered: WriteBatcher, count: int) -> list[bool | BaseException]:
    """Puts so many at once; gives what became of each."""
    puts = (gathered.put(key(number), {}) for number in range(count))
    return await asyncio.gather(*puts, return_exceptions=True)


async def test_put_that_fails_alone_is_told_to_its_caller_alone() -> None:
    calls = Calls()
    calls.failed = {key(1): [DENIED]}

    assert await put_all(WriteBatcher(calls), 3) == [False, DENIED, False]

    assert calls.wrote == [["0", "1", "2"]]


def test_put_that_was_throttled_is_written_again_alone_and_after_a_pause() -> None:
    calls, clock = Calls(), FakeClock()
    calls.failed = {key(1): [BUSY], key(2): [BUSY, BUSY]}

    assert run(clock, put_all(WriteBatcher(calls), 4)) == [False] * 4

    again = [number for wrote in calls.wrote[1:] for number in wrote]
    assert (calls.wrote[0], sorted(again)) == (["0", "1", "2", "3"], ["1", "2", "2"])
    assert clock.now > NOW


async def test_put_beside_one_that_was_throttled_does_not_wait_for_it() -> None:
    calls = Calls()
    calls.failed = {key(1): [BUSY]}
    gathered = WriteBatcher(calls)
    throttled = asyncio.create_task(gathered.put(key(1), {}))

    assert await gathered.put(key(2), {}) is False

    assert not throttled.done()
    assert await throttled is False


def test_put_that_was_throttled_tells_what_the_next_call_says() -> None:
    """The first may have been carried out, and its response lost."""
    calls = Calls()
    calls.failed = {key(1): [BUSY]}
    calls.named = {key(1)}

    assert run(FakeClock(), put_all(WriteBatcher(calls), 2)) == [False, True]


def test_put_that_fails_for_good_after_it_was_throttled_is_not_written_again() -> None:
    calls = Calls()
    calls.failed = {key(0): [BUSY, DENIED]}

    assert run(FakeClock(), put_all(WriteBatcher(calls), 2)) == [DENIED, False]

    assert calls.wrote == [["0", "1"], ["0"]]


def test_put_that_stays_throttled_fails_alone_after_a_few_tries() -> None:
    calls, clock = Calls(), FakeClock()
    calls.failed = {key(0): [BUSY] * 99}

    assert run(clock, put_all(WriteBatcher(calls), 2)) == [BUSY, False]

    assert calls.wrote == [["0", "1"], ["0"], ["0"], ["0"], ["0"]]


def test_put_that_is_throttled_slowly_ends_as_early_as_a_call_must() -> None:
    """A retry is begun only if it ends in time, though it takes as long as a call can take."""
    calls, clock = Calls(), FakeClock()
    calls.failed = {key(0): [BUSY] * 99}
    slowest = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS)
    took = iter([0.4, 0.3, slowest, slowest, slowest])

    async def slowly(items: Mapping[Key, Item]) -> Written:
        await asyncio.sleep(next(took))
        return await calls(items)

    assert run(clock, put_all(WriteBatcher(slowly), 1)) == [BUSY]

    assert (clock.now - NOW).total_seconds() <= LONGEST_CALL_SECONDS
    assert len(calls.wrote) > 1
