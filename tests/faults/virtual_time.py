"""An event loop whose time is a fake clock's: it jumps to the next moment when nothing is due.

A day of waiting passes in seconds, and whatever sleeps, times out or is paced does so in order.
What would run in a thread runs in the loop, some milliseconds later, as a call to AWS takes them:
so a story is the same each time that it is told.
"""

import asyncio
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, TypeVar

from tests.support.fakes import FakeClock

_T = TypeVar("_T")

Lasts = Callable[[str], float]
"""Seconds that a call of this name takes longer than usual, in a thread: it hangs."""

_MICROSECOND: Final = 1e-6
"""The least that a `datetime` can tell."""
_CALL_SECONDS: Final = (0.001, 0.010)
"""What a call in a thread takes."""
_HUNG_SECONDS: Final = 60.0


class _Selector(selectors.SelectSelector):
    """Waits for a moment by jumping to it, and in earnest for what has none."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # a thread that is none of the loop's own may still bring something
            ready = super().select(_HUNG_SECONDS)
            assert ready, "nothing is left that could go on, and something waits for it"
            return ready
        self._clock.advance(math.ceil(timeout / _MICROSECOND) * _MICROSECOND)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self, clock: FakeClock, lasts: Lasts = lambda name: 0.0) -> None:
        self.hangs_seconds = 0.0
        """What a call in a thread takes besides, as long as what it calls hangs."""
        self._seconds = clock.seconds
        self._lasts = lasts
        self._chance = random.Random(3)  # noqa: S311 - which call is quicker, no secret
        super().__init__(_Selector(clock))
        # asyncio's own is less than what a float can tell once some months have passed.
        self._clock_resolution = _MICROSECOND

    def time(self) -> float:
        return self._seconds()

    def run_in_executor(  # type: ignore[override] # a future, where typeshed says that one waits
        self, executor: Executor | None, func: Callable[..., _T], *args: Any
    ) -> "asyncio.Future[_T]":
        done: asyncio.Future[_T] = self.create_future()
        seconds = self.hangs_seconds + self._lasts(_name_of(func))
        seconds += self._chance.uniform(*_CALL_SECONDS)
        self.call_later(seconds, _carry_out, done, func, args)
        return done


def _name_of(call: Callable[..., Any]) -> str:
    """The name of a function that is to run in a thread (`asyncio.to_thread` wraps it)."""
    wrapped = call.args[0] if isinstance(call, partial) else call
    return getattr(wrapped, "__name__", "")


def _carry_out(
    done: "asyncio.Future[_T]", call: Callable[..., _T], arguments: tuple[Any, ...]
) -> None:
    """Carries a call out even where nobody waits for it any more, as a thread would."""
    try:
        result = call(*arguments)
    except Exception as error:  # noqa: BLE001 - it is whoever waits who hears of it
        if not done.cancelled():
            done.set_exception(error)
    else:
        if not done.cancelled():
            done.set_result(result)


def run(clock: FakeClock, story: Coroutine[Any, Any, _T], lasts: Lasts = lambda name: 0.0) -> _T:
    """Runs a story to its end, by this clock."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, lasts)) as runner:
        return runner.run(story)
