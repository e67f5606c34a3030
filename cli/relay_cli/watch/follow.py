"""Waits until events have ended."""

import time
from collections.abc import Iterator, Sequence

from relay_cli.clients.page import Page, Row


def until_ended(page: Page, keys: Sequence[str], seconds: float) -> Iterator[Row]:
    """Each event as soon as it has ended; those that have not, when the time is over.

    Raises `CliError`.
    """
    ends = time.monotonic() + seconds
    left = list(dict.fromkeys(keys))
    while left:
        remaining = ends - time.monotonic()
        ended, under_way = page.ended(left, max(0.0, remaining))
        yield from ended
        left = [row["key"] for row in under_way]
        if remaining <= 0:
            yield from under_way
            return
