"""The page's stream of server-sent events: what has changed, ten times a second at most.

Nothing is kept for a reader but the number of the last change that it has got, which is the id of
its last message. One that is slow gets the latest of each event, one that comes back what has
changed since, and one that has missed too much, or comes from an earlier sandbox, starts anew from
a snapshot.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from typing import Any, Final

from relay.exact_json import dumps
from relay_sandbox.page.state import state_of
from relay_sandbox.page.surroundings import Surroundings

MOST_ROWS: Final = 1_000
_FLUSH_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 15.0


class Stream:
    """The streams of one sandbox."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self.instance = secrets.token_hex(4)

    async def messages(self, last_id: str | None) -> AsyncGenerator[bytes]:
        """The messages for a reader that has got `last_id`, without end."""
        journal = self._surroundings.observer.journal
        seen, shown_state = self._revision_of(last_id), None
        yield b"retry: 1000\n\n"
        while True:
            changes = journal.since(-1 if seen is None else seen)
            state = state_of(self._surroundings)
            if seen is None or len(changes.traces) > MOST_ROWS:
                yield self._message("snapshot", self.snapshot(), changes.revision)
            else:
                if changes.traces:
                    rows = [trace.row() for trace in changes.traces]
                    yield self._message("traces", rows, changes.revision)
                if state != shown_state:
                    yield self._message("state", state, changes.revision)
            seen, shown_state = changes.revision, state
            await asyncio.sleep(_FLUSH_SECONDS)
            while not await self._has_news(seen):
                yield b": still here\n\n"

    def snapshot(self) -> dict[str, Any]:
        """The state, and the newest rows, the newest first."""
        journal = self._surroundings.observer.journal
        return {
            "state": state_of(self._surroundings),
            "traces": [trace.row() for trace in journal.newest(MOST_ROWS)],
        }

    async def _has_news(self, revision: int) -> bool:
        try:
            async with asyncio.timeout(_QUIET_SECONDS):
                await self._surroundings.observer.journal.newer_than(revision)
        except TimeoutError:
            return False
        return True

    def _revision_of(self, last_id: str | None) -> int | None:
        """The revision that an id means; None if it is none of this sandbox's."""
        instance, _, number = (last_id or "").partition("-")
        if instance != self.instance or not (number.isascii() and number.isdigit()):
            return None
        revision = int(number)
        return revision if revision <= self._surroundings.observer.journal.revision else None

    def _message(self, event: str, data: object, revision: int) -> bytes:
        head = f"id: {self.instance}-{revision}\nevent: {event}\ndata: ".encode()
        return head + dumps(data) + b"\n\n"
