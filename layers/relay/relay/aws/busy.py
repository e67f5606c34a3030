"""Repeats what DynamoDB was too busy for, within the time that one call to AWS may take."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from relay.aws.timeouts import RETRY_SECONDS
from relay.errors import TableBusyError

Result = TypeVar("Result")
Pause = Callable[[float], Awaitable[None]]

_PAUSES: Final = (0.05, 0.1, 0.2, 0.4)
"""The longest pause before each retry, in seconds. A pause is random, so that writes that were
throttled together do not come back together."""


async def repeat_while_busy(
    write: Callable[[], Awaitable[Result]], pause: Pause = asyncio.sleep
) -> Result:
    """The result of `write`, which is begun again after `TableBusyError`: five times at most.

    No later than `RETRY_SECONDS` after the start; so the last begun ends within
    `LONGEST_CALL_SECONDS`, if it is a call or two attempts at one. Raises what the last one raised.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    for longest in _PAUSES:
        try:
            return await write()
        except TableBusyError:
            seconds = random.uniform(0, longest)  # noqa: S311 - no secret
            if loop.time() + seconds - start > RETRY_SECONDS:
                raise
        await pause(seconds)
    return await write()
