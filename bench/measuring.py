"""Takes the figures: handlers and what stands beside them in turn, several rounds, medians."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from statistics import median
from typing import Final, NamedTuple

from bench.events import APP_ID, WEB_APP_ID, samples
from bench.processes import Program, Surroundings, run_beside, worker
from relay.domain.kinds import App, Kind
from relay.rules.prepare import prepare

_WARM_UP_SECONDS: Final = 1.0
_PREPARED_EVENTS: Final = 2_000


class Figure(NamedTuple):
    """What one round, or the median of several, came to."""

    events_per_second: float
    cpu_microseconds: float
    """Of CPU, an event, in the handler's process."""


def forwarding(
    handlers: Sequence[str],
    around: Surroundings,
    rounds: int,
    seconds: float,
    beside: Mapping[str, str],
) -> dict[str, Figure]:
    """The median of the rounds of each handler, and of each command beside them, by name.

    They take turns, so that a busy moment hits all.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker(name, around)) for name in handlers}
        for program in workers.values():
            _round(program, around, min(seconds, _WARM_UP_SECONDS))
        figures: dict[str, list[Figure]] = {name: [] for name in (*handlers, *beside)}
        for _ in range(rounds):
            for name, program in workers.items():
                figures[name].append(_round(program, around, seconds))
            for name, command in beside.items():
                figures[name].append(_figure(run_beside(command, around, seconds)))
    return {name: _median(taken) for name, taken in figures.items()}


def _round(program: Program, around: Surroundings, seconds: float) -> Figure:
    """One round; raises `RuntimeError` when AppsFlyer did not get what the handler says."""
    before = around.counts()["taken"]
    program.tell(str(seconds))
    result = program.answer()
    taken = around.counts()["taken"] - before
    if taken != result["events"]:
        message = f"{result['events']} events were handled, but AppsFlyer took {taken}"
        raise RuntimeError(message)
    return _figure(result)


def _figure(result: Mapping[str, float]) -> Figure:
    events = result["events"]
    return Figure(events / result["seconds"], result["cpu_seconds"] / events * 1e6)


def preparing(kind: Kind, rounds: int, count: int = _PREPARED_EVENTS) -> Figure:
    """`prepare` alone, for so many events of one kind a round."""
    app = App(APP_ID if kind is Kind.MOBILE_EVENT else WEB_APP_ID, phone_region="US")
    return _median([_prepare_all(kind, app, count) for _ in range(rounds)])


def _prepare_all(kind: Kind, app: App, count: int) -> Figure:
    events = samples(kind, count)
    now = datetime.now(UTC)
    started, cpu = time.perf_counter(), time.process_time()
    sent = sum(prepare(kind, app, event, now).body is not None for event in events)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    if sent != len(events):
        message = f"{len(events) - sent} of the benchmark's own events are rejected"
        raise RuntimeError(message)
    return Figure(len(events) / seconds, cpu_seconds / len(events) * 1e6)


def _median(figures: list[Figure]) -> Figure:
    return Figure(*(median(values) for values in zip(*figures, strict=True)))
