"""`python -m bench.capacity [--write]`: what an invocation costs, for `relay capacity`.

The lowest of several rounds: the rest is what else the machine does. `--write` keeps the figures in
cli/relay_cli/capacity/figures.json.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from bench import machine
from bench.capacity_worker import Told
from bench.processes import Program, Surroundings, surroundings
from relay_cli.capacity.data import FIGURES_FILE, Figures, figures
from relay_cli.capacity.model import duration_seconds, whole_core

IN_FLIGHT: Final = 50
LATENCY_MS: Final = 100
_TIMED: Final = (1, 10, 100)
_HALF: Final = 0.5
"""Of the benchmark's events, so many have revenue."""

Counts = Mapping[str, float]


class Measured:
    """The worker of one function, and what its invocations cost."""

    def __init__(self, program: Program, around: Surroundings, rounds: int, seconds: float) -> None:
        self._program, self._around = program, around
        self._rounds, self._seconds = rounds, seconds

    def round(self, events: int) -> tuple[Told, Counts]:
        """One round, and what arrived at AppsFlyer and in the table, an event."""
        before = self._around.counts()
        self._program.tell(json.dumps({"events": events, "seconds": self._seconds}))
        told: Any = self._program.answer()
        done = told["invocations"] * events
        after = self._around.counts()
        return told, {name: (after[name] - before[name]) / done for name in after}

    def cpu_ms(self, events: int) -> float:
        """CPU of an invocation, the lowest of the rounds, once it is warm."""
        self.round(events)
        rounds = [self.round(events)[0] for _ in range(self._rounds)]
        return min(told["cpu_ms"] / told["invocations"] for told in rounds)

    def wall_ms(self, events: int) -> float:
        """How long an invocation takes, likewise."""
        self.round(events)
        rounds = [self.round(events)[0] for _ in range(self._rounds)]
        return min(told["wall_ms"] / told["invocations"] for told in rounds)


@contextmanager
def _measuring(
    name: str, once: str, around: Surroundings, rounds: int, seconds: float
) -> Iterator[Measured]:
    environment = around.environment | {"RELAY_DEDUPLICATE": once}
    with Program("bench.capacity_worker", name, environment) as program:
        machine.pin(program.id, machine.cores()[:1])
        yield Measured(program, around, rounds, seconds)


def _parts(measured: Measured, most: int) -> tuple[float, float]:
    """CPU of an invocation without its events, and of an event, in ms."""
    one, many = measured.cpu_ms(1), measured.cpu_ms(most)
    an_event = (many - one) / (most - 1)
    return max(0.0, one - an_event), an_event


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """The figures, in the form of their file."""
    with surroundings(IN_FLIGHT) as around:
        with _measuring("relay", "none", around, rounds, seconds) as plain:
            a_batch, an_event = _parts(plain, 100)
            told, arrived = plain.round(100)
        with _measuring("relay", "money", around, rounds, seconds) as once:
            with_money = once.cpu_ms(100)
            _, written = once.round(100)
        with _measuring("accept", "none", around, rounds, seconds) as accept:
            a_request, accepted = _parts(accept, 10)
            requests, _ = accept.round(10)
    with (
        surroundings(IN_FLIGHT, LATENCY_MS) as slow,
        _measuring("relay", "none", slow, rounds, seconds) as timed,
    ):
        waits = {str(events): round(timed.wall_ms(events), 1) for events in _TIMED}
    money = max(0.0, with_money - a_batch - 100 * an_event) / 100 / _HALF
    return {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": machine.facts(),
        "forward": {
            "cpu_ms_a_batch": round(a_batch, 3),
            "cpu_ms_an_event": round(an_event, 4),
            "cpu_ms_more_with_money": round(money, 4),
            "writes_with_money": round(written["written"] / _HALF, 2),
            "log_bytes_a_batch": round(told["log_bytes"] / told["invocations"]),
            "counter_bytes_a_batch": round(told["counter_bytes"] / told["invocations"]),
            "request_bytes": round(arrived["received_bytes"]),
            "custom_metrics": len(told["metrics"]),
            "first_cpu_ms": round(told["first_cpu_ms"]),
        },
        "accept": {
            "cpu_ms_a_request": round(a_request, 3),
            "cpu_ms_an_event": round(accepted, 4),
            "log_bytes_a_request": round(requests["log_bytes"] / requests["invocations"]),
            "first_cpu_ms": round(requests["first_cpu_ms"]),
        },
        "timed": {"latency_ms": LATENCY_MS, "in_flight": IN_FLIGHT, "wall_ms": waits},
    }


def comparison(found: Figures) -> Table:
    """How long invocations took, beside what `relay capacity` reckons, on a whole core."""
    table = Table("events", "measured ms", "reckoned ms", title=f"AppsFlyer in {LATENCY_MS} ms")
    load = whole_core(found)
    for events, took in found.timed.wall_ms.items():
        table.add_row(
            events, f"{took:.0f}", f"{1000 * duration_seconds(load, int(events), found):.0f}"
        )
    return table


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, of which the lowest counts.")] = 9,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a round.")] = 0.4,
    *,
    write: Annotated[bool, typer.Option("--write", help="Keep the figures.")] = False,
) -> None:
    """What an invocation of forward_mobile and of accept costs."""
    text = json.dumps(measure(rounds, seconds), indent=2, ensure_ascii=False) + "\n"
    if write:
        FIGURES_FILE.write_text(text, encoding="utf-8")
    print(text)
    Console(stderr=True).print(comparison(figures(text)))


if __name__ == "__main__":
    typer.run(main)
