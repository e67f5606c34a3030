"""A reader of the page's stream ends with what the journal holds, however slowly it reads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from relay.exact_json import dumps, loads
from relay_sandbox.journal.trace import Fate, Step, Trace
from relay_sandbox.page import stream as stream_module
from relay_sandbox.page.stream import MOST_ROWS, Stream
from tests.support.facts import NOW, Facts

STEPS = ("handed_in", "received", "sent", "answered")


class Reader:
    """What a page knows: the newest row of each event, and how it learnt of them."""

    def __init__(self, stream: Stream) -> None:
        self.messages = stream.messages(None)
        self.rows: dict[str, Any] = {}
        self.snapshots = 0

    async def read(self) -> None:
        lines = (await anext(self.messages)).decode().splitlines()
        fields = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != ":")
        if "data" not in fields:
            return
        data: Any = loads(fields["data"])
        if fields["event"] == "snapshot":
            self.rows, self.snapshots = {}, self.snapshots + 1
        rows = {"snapshot": lambda: data["traces"], "traces": lambda: data}
        self.rows |= {row["key"]: row for row in rows.get(fields["event"], list)()}

    async def catch_up(self, facts: Facts) -> None:
        async with asyncio.timeout(10):  # a row that is missing would never come
            await self.read()
            while any(
                self.rows.get(one.key) != read_back(one) for one in facts.journal.newest(MOST_ROWS)
            ):
                await self.read()


def read_back(trace: Trace) -> Any:
    return loads(dumps(trace.row()))


@pytest.mark.parametrize("reads_each", [1, 7, 100])
async def test_no_step_is_missing_at_the_end_for_a_reader_of_any_pace(
    monkeypatch: pytest.MonkeyPatch, reads_each: int
) -> None:
    monkeypatch.setattr(stream_module, "_FLUSH_SECONDS", 0)
    facts = Facts()
    reader = Reader(Stream(facts.surroundings()))
    for number in range(100):
        trace = facts.journal.begin("mobile_event", "sqs", NOW)
        for kind in STEPS:
            fate = Fate.DELIVERED if kind == "answered" else None
            facts.journal.note(trace, Step(NOW, kind, f"{kind} {number}"), fate)
        if number % reads_each == 0:
            await reader.read()
    await reader.catch_up(facts)

    assert reader.rows == {one.key: read_back(one) for one in facts.journal}
    assert [[step.kind for step in one.steps] for one in facts.journal] == [[*STEPS]] * 100
    assert reader.snapshots == 1


async def test_a_reader_that_has_missed_too_much_starts_anew_with_the_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "_FLUSH_SECONDS", 0)
    facts = Facts()
    reader = Reader(Stream(facts.surroundings()))
    trace = facts.journal.begin("mobile_event", "sqs", NOW)
    while trace.key not in reader.rows:
        await reader.read()
    for _ in range(MOST_ROWS + 1):
        facts.journal.begin("mobile_event", "sqs", NOW)
    await reader.catch_up(facts)

    assert reader.snapshots == 2
    assert list(reader.rows) == [one.key for one in facts.journal.newest(MOST_ROWS)]
