"""How jobs are handled concurrently: as tasks of an event loop, or in threads."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

Result = TypeVar("Result")
Work = Coroutine[Any, Any, None]


class Line(NamedTuple):
    """Jobs that workers take one after the other, once they are ready."""

    ready: Callable[[], Awaitable[None]]
    work: Callable[[], Work]
    """The work of one worker, until no job is left."""
    jobs: int


class Workers(Protocol):
    """How jobs are handled concurrently."""

    async def run(self, lines: Sequence[Line]) -> None:
        """Works through all lines, each with as many workers as suit its number of jobs."""
        ...

    async def block(self, call: Callable[[], Result], seconds: float) -> Result:
        """Makes a blocking call. May raise `TimeoutError` if it takes longer."""
        ...
