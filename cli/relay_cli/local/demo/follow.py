"""Follows sent events in the sandbox's journal until all have ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from relay_cli.clients.page import Page, Row
from relay_cli.local.demo.traces import Trace, result_of
from relay_cli.watch.result import most_telling

_LONGEST_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 3.0
"""How long to watch events that are expected to wait."""
_LOOK_SECONDS: Final = 0.2


@dataclass(slots=True)
class Follower:
    """Asks one sandbox what became of events. `stop` ends that early."""

    page: Page
    stop: Event = field(default_factory=Event)

    def follow(self, traces: Sequence[Trace]) -> None:
        """Waits until each has ended, or for a minute; raises `CliError`."""
        began = time.monotonic()
        while left := [trace for trace in traces if trace.result is None]:
            self._find(left)
            passed = time.monotonic() - began
            only_waiting = all(trace.expects_to_wait for trace in left)
            if self.stop.is_set() or passed > _LONGEST_SECONDS:
                break
            if only_waiting and passed > _GRACE_SECONDS:
                break
            self._look(left)
        for trace in left:
            self._give_up(trace)

    def _find(self, traces: Sequence[Trace]) -> None:
        """Finds the events that have come in by now."""
        new = [trace for trace in traces if trace.key is None]
        by_message = [trace for trace in new if trace.message_id is not None]
        if by_message:
            found = self.page.find(message_ids=[trace.message_id for trace in by_message])
            for trace, row in zip(by_message, found, strict=True):
                trace.key = row["key"] if row else None
        for trace in new:
            if trace.event_id is not None and trace.message_id is None:
                rows = [row for row in self.page.find(event_id=trace.event_id) if row]
                trace.key = most_telling(rows)["key"] if rows else None
            elif trace.request_id is not None:
                trace.key = self._of_request(trace)

    def _of_request(self, trace: Trace) -> str | None:
        """The event in its place in a request: those that were queued come first there."""
        rows = [row for row in self.page.find(request_id=trace.request_id) if row]
        queued = [row for row in rows if row["outcome"] != "rejected"]
        return queued[trace.place]["key"] if trace.place < len(queued) else None

    def _look(self, traces: Sequence[Trace]) -> None:
        known = {trace.key: trace for trace in traces if trace.key is not None}
        ended: list[Row] = []
        if known:
            ended, _ = self.page.ended([str(key) for key in known], _LOOK_SECONDS)
        for row in ended:
            known[row["key"]].result = result_of(row)
        if not ended:
            self.stop.wait(_LOOK_SECONDS)

    def _give_up(self, trace: Trace) -> None:
        if trace.key is not None:
            ended, under_way = self.page.ended([trace.key], 0)
            for row in (*ended, *under_way):
                trace.result = result_of(row)
