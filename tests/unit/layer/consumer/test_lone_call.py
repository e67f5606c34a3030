import asyncio
from collections.abc import AsyncIterator
from threading import Event

import pytest
import pytest_asyncio

from relay.consumer.lone_call import LoneCall

AT_ONCE = 0.0
LONG = 60.0


@pytest_asyncio.fixture
async def released() -> AsyncIterator[Event]:
    """Set at the end at the latest: a loop does not end before its threads."""
    event = Event()
    yield event
    event.set()


async def ended(call: LoneCall) -> None:
    """Until the call that hung has ended."""
    while True:
        try:
            return await call.run(LONG, lambda: None)
        except TimeoutError:
            await asyncio.sleep(0.001)


async def test_call_gives_its_result() -> None:
    assert await LoneCall().run(LONG, divmod, 7, 2) == (3, 1)


async def test_call_that_fails_raises_its_error() -> None:
    with pytest.raises(ZeroDivisionError):
        await LoneCall().run(LONG, divmod, 1, 0)


async def test_call_that_hangs_is_waited_for_only_so_long_and_no_other_begins(
    released: Event,
) -> None:
    begun: list[int] = []
    call = LoneCall()
    with pytest.raises(TimeoutError):
        await call.run(AT_ONCE, released.wait)

    with pytest.raises(TimeoutError):
        await call.run(LONG, begun.append, 1)

    assert begun == []


async def test_call_that_hung_and_ended_makes_room_for_the_next(released: Event) -> None:
    call = LoneCall()
    with pytest.raises(TimeoutError):
        await call.run(AT_ONCE, released.wait)

    released.set()
    await ended(call)

    assert await call.run(LONG, divmod, 7, 2) == (3, 1)


async def test_call_that_fails_when_nobody_waits_any_more_is_no_complaint(
    released: Event, caplog: pytest.LogCaptureFixture
) -> None:
    call = LoneCall()

    def fail() -> None:
        released.wait()
        raise OSError

    with pytest.raises(TimeoutError):
        await call.run(AT_ONCE, fail)
    released.set()
    await ended(call)

    assert caplog.text == ""


async def test_call_whose_loop_ends_is_no_complaint(released: Event) -> None:
    call = LoneCall()
    with pytest.raises(TimeoutError):
        await call.run(AT_ONCE, released.wait)

    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()

    ends = await asyncio.gather(*others, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError]
