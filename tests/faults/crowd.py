"""Many processes whose code blocks, in virtual time: one runs at a time, and time jumps.

What sleeps is woken in order, so a story is the same each time that it is told.
"""

import itertools
import threading
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Final

Story = Callable[[], None]

_START: Final = 100_000.0
_STACK_BYTES: Final = 256 * 1024


class Crowd:
    """A clock, and the threads that sleep by it."""

    def __init__(self) -> None:
        self.now = _START
        self._sleepers: list[tuple[float, int, threading.Lock]] = []
        self._numbers = itertools.count()
        self._over = _taken_lock()

    def seconds(self) -> float:
        """The clock that all share."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Lets others go on until it is this one's turn; called in a story."""
        turn = self._at(self.now + seconds)
        self._wake_next()
        turn.acquire()

    def run(self, stories: Iterable[tuple[float, Story]]) -> None:
        """Runs each story in a thread from its moment (seconds from now), to the end of all."""
        before = threading.stack_size(_STACK_BYTES)
        try:
            threads = [self._start(moment, story) for moment, story in stories]
        finally:
            threading.stack_size(before)
        self._wake_next()
        self._over.acquire()
        for thread in threads:
            thread.join()

    def _start(self, moment: float, story: Story) -> threading.Thread:
        turn = self._at(self.now + moment)

        def live() -> None:
            turn.acquire()
            try:
                story()
            finally:
                self._wake_next()

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        return thread

    def _at(self, moment: float) -> threading.Lock:
        turn = _taken_lock()
        heappush(self._sleepers, (moment, next(self._numbers), turn))
        return turn

    def _wake_next(self) -> None:
        if not self._sleepers:
            self._over.release()
            return
        self.now, _, turn = heappop(self._sleepers)
        turn.release()


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock
