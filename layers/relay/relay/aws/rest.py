"""Leaves a service alone for a while that has not answered.

A call that gets no answer takes seconds. Where each batch made one, a service that hangs would cost
everybody's time and not only the events that need it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from relay.aws.timeouts import READ_SECONDS
from relay.instants import seconds_since

REST_SECONDS: Final = 10.0
"""As long as Parameter Store rests."""
HUNG_SECONDS: Final = float(READ_SECONDS)
"""A call that failed after so long got no answer; an error that came sooner is one."""
_NEVER: Final = float("-inf")


class Rest:
    """Whether a service rests, by a clock in Unix seconds that runs while a process is frozen."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._since = _NEVER

    @property
    def is_on(self) -> bool:
        """Whether a call got no answer within the last `REST_SECONDS`."""
        return seconds_since(self._since, self._clock()) < REST_SECONDS

    @contextmanager
    def after_silence(self) -> Iterator[None]:
        """Begins a rest if the block fails, and only after `HUNG_SECONDS`."""
        start = self._clock()
        try:
            yield
        except Exception:
            if self._clock() - start >= HUNG_SECONDS:
                self._since = self._clock()
            raise
