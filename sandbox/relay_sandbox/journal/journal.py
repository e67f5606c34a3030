"""The journal: the last 10,000 traces, in the order they came in, and what has changed since when.

Everything happens in the sandbox's event loop: there are no locks. Who reads along remembers the
revision that it has seen, and asks for what has changed since: nothing is kept for each reader.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from relay_sandbox.journal.trace import Fate, Mark, Step, Trace

MOST_TRACES = 10_000
MOST_STEPS = 80
"""Of one trace. An event that is held for days has a few more every seconds."""
_FIRST_STEPS = 20
_FOLDED_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since a revision, the oldest change first; `revision` is the newest."""

    revision: int
    traces: tuple[Trace, ...]


class Journal:
    """The traces of one sandbox. `on_forget` is told of each that has to make room."""

    def __init__(self, most: int = MOST_TRACES) -> None:
        self._most = most
        self._traces: OrderedDict[str, Trace] = OrderedDict()
        self._changed: OrderedDict[str, Trace] = OrderedDict()  # the latest change last
        self._wake_up = asyncio.Event()
        self._numbers = 0
        self.revision = 0
        self.counts: Counter[Fate] = Counter()
        self.marks: Counter[Mark] = Counter()
        self.handed_in = 0
        self.on_forget: Callable[[Trace], None] = lambda _: None

    def __len__(self) -> int:
        return len(self._traces)

    def __iter__(self) -> Iterator[Trace]:
        """All traces, the oldest first."""
        return iter(self._traces.values())

    def newest(self, limit: int, before: str | None = None) -> list[Trace]:
        """The newest traces, or those before one of them, the newest first."""
        found: list[Trace] = []
        skipping = before is not None and before in self._traces
        for trace in reversed(self._traces.values()):
            if skipping:
                skipping = trace.key != before
            elif len(found) < limit:
                found.append(trace)
            else:
                break
        return found

    def get(self, key: str) -> Trace | None:
        """The trace of this key, if it is still kept."""
        return self._traces.get(key)

    def begin(self, kind: str, source: str, came_in: datetime) -> Trace:
        """Begin a trace; the oldest is forgotten if there are too many."""
        self._numbers += 1
        trace = Trace(f"t-{self._numbers}", kind, source, came_in)
        self._traces[trace.key] = trace
        self.counts[trace.outcome] += 1
        self.handed_in += 1
        if len(self._traces) > self._most:
            _, oldest = self._traces.popitem(last=False)
            self._changed.pop(oldest.key, None)
            self.counts[oldest.outcome] -= 1
            self.marks.subtract(oldest.marks)
            self.on_forget(oldest)
        self.changed(trace)
        return trace

    def note(self, trace: Trace, step: Step, outcome: Fate | None = None) -> None:
        """Append a step, and perhaps change what became of the event."""
        trace.steps.append(step)
        if len(trace.steps) > MOST_STEPS:
            _fold(trace)
        if outcome is not None:
            self.put_outcome(trace, outcome, step.at)
        self.changed(trace)

    def put_outcome(self, trace: Trace, outcome: Fate, at: datetime) -> None:
        """Change what became of an event."""
        if trace.key in self._traces:
            self.counts[trace.outcome] -= 1
            self.counts[outcome] += 1
        trace.outcome = outcome
        trace.ended = at if outcome.has_ended else None
        if not outcome.waits:
            trace.next_look = None
        self.changed(trace)

    def changed(self, trace: Trace | None = None) -> None:
        """Wake up those who read along; `trace` is what has changed, None something beside."""
        self.revision += 1
        if trace is not None:
            trace.revision = self.revision
            marks = trace.current_marks()
            if trace.key in self._traces:
                self._changed[trace.key] = trace
                self._changed.move_to_end(trace.key)
                self.marks.update(marks - trace.marks)
                self.marks.subtract(trace.marks - marks)
            trace.marks = marks
        wake_up, self._wake_up = self._wake_up, asyncio.Event()
        wake_up.set()

    def since(self, revision: int) -> Changes:
        """What has changed since a revision."""
        found: list[Trace] = []
        for trace in reversed(self._changed.values()):
            if trace.revision <= revision:
                break
            found.append(trace)
        return Changes(self.revision, tuple(reversed(found)))

    async def newer_than(self, revision: int) -> None:
        """Wait until something has changed since a revision."""
        while self.revision <= revision:
            await self._wake_up.wait()

    async def ended(self, trace: Trace) -> None:
        """Wait until an event has ended, or waits."""
        while not trace.outcome.has_ended:
            await self.newer_than(self.revision)


def _fold(trace: Trace) -> None:
    """Leave steps out, after the first ones; one step says how many."""
    folded = trace.steps[_FIRST_STEPS]
    before = trace.left_out if folded.kind == "left_out" else 0
    start = _FIRST_STEPS
    end = start + _FOLDED_AT_ONCE
    trace.left_out = before + _FOLDED_AT_ONCE - (1 if before else 0)
    text = f"{trace.left_out} steps like those before and after are left out."
    trace.steps[start:end] = [Step(trace.steps[end - 1].at, "left_out", text)]
