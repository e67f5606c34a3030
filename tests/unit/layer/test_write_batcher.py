import asyncio
from collections.abc import Mapping

import pytest

from relay.aws.table import Item, Key
from relay.stores.write_batcher import CALLS_AT_ONCE, ITEMS_A_CALL, WriteBatcher


class Calls:
    """Notes what each call wrote; each ends when it is let."""

    def __init__(self) -> None:
        self.wrote: list[list[str]] = []
        self.named: set[Key] = set()
        self.error: Exception | None = None
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, items: Mapping[Key, Item]) -> set[Key]:
        self.wrote.append([key.pk for key in items])
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return self.named


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


@pytest.mark.parametrize("error", [None, RuntimeError("down")])
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
