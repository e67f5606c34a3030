"""The journal keeps the newest traces, and tells what has changed since when."""

from __future__ import annotations

from datetime import UTC, datetime

from relay_sandbox.journal.journal import MOST_STEPS, Journal
from relay_sandbox.journal.trace import Fate, Mark, Recording, Step, Trace

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def begin(journal: Journal, number: int = 1) -> list[Trace]:
    return [journal.begin("mobile_event", "sqs", NOW) for _ in range(number)]


def step(text: str = "x") -> Step:
    return Step(NOW, "waits", text)


def test_of_too_many_traces_the_oldest_are_forgotten_and_counted_no_more() -> None:
    journal, forgotten = Journal(3), []
    journal.on_forget = lambda trace: forgotten.append(trace.key)

    first, *_ = begin(journal, 5)
    journal.put_outcome(first, Fate.DELIVERED, NOW)

    assert [trace.key for trace in journal] == ["t-3", "t-4", "t-5"]
    assert forgotten == ["t-1", "t-2"]
    assert journal.handed_in == 5
    assert (journal.counts[Fate.QUEUED], journal.counts[Fate.DELIVERED]) == (3, 0)
    assert [trace.key for trace in journal.newest(2)] == ["t-5", "t-4"]
    assert [trace.key for trace in journal.newest(2, before="t-4")] == ["t-3"]


def test_changes_are_those_since_a_revision_each_trace_once_the_latest_last() -> None:
    journal = Journal()
    one, two, three = begin(journal, 3)
    seen = journal.revision

    journal.note(one, step())
    journal.note(two, step())
    journal.note(one, step(), Fate.WAITING)
    changes = journal.since(seen)

    assert [trace.key for trace in changes.traces] == [two.key, one.key]
    assert changes.revision == journal.revision
    assert journal.since(changes.revision).traces == ()
    assert [trace.key for trace in journal.since(-1).traces] == [three.key, two.key, one.key]


async def test_whoever_waits_for_news_is_woken_by_any_change() -> None:
    journal = Journal()
    seen = journal.revision

    journal.changed()

    await journal.newer_than(seen)


def test_steps_of_an_event_that_is_held_for_days_are_bounded_and_say_so() -> None:
    journal = Journal()
    (trace,) = begin(journal)

    for number in range(2_000):
        journal.note(trace, step(str(number)))

    assert len(trace.steps) <= MOST_STEPS
    assert [trace.steps[0].text, trace.steps[-1].text] == ["0", "1999"]
    (folded,) = [one for one in trace.steps if one.kind == "left_out"]
    assert folded.text.startswith(f"{2_000 - len(trace.steps) + 1} steps ")


def test_marks_are_counted_as_long_as_they_hold() -> None:
    journal = Journal()
    (trace,) = begin(journal)

    journal.note(trace, Step(NOW, "silent", "No answer.", sure="perhaps"), Fate.WAITING)
    doubtful = dict(journal.marks)
    trace.recorded, trace.times_recorded = Recording(NOW, "arrival", "T3", sure=True), 2
    journal.note(trace, step(), Fate.DELIVERED)

    assert doubtful[Mark.UNCERTAIN] == 1
    assert {mark for mark in Mark if journal.marks[mark]} == {Mark.LATE, Mark.COUNTED_TWICE}
