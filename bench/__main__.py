"""`python -m bench`: events a second, and CPU an event, beside a naive handler.

`--beside NAME=COMMAND` lets another program take its turn in every round, on the core and in the
environment of the handlers. `--json` prints `{NAME: {"events_per_second", "cpu_us"}}`.
"""

import cProfile
import json
import os
import pstats
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from bench import machine, worker
from bench.events import batches, endless
from bench.measuring import Figure, forwarding, preparing
from bench.processes import Surroundings, surroundings
from relay.domain.kinds import Kind

_TITLES: Final = {
    "relay": "forward_mobile, every check on",
    "relay, money once": "the same, half the events with revenue and claimed",
    "naive": "Powertools batch + httpx, no checks",
}
_PROFILED_FUNCTIONS: Final = 45


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of which the median is shown.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a round.")] = 2.0,
    in_flight: Annotated[int, typer.Option(min=1, help="Requests in flight at once.")] = 50,
    *,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COMMAND",
            help="A program that takes its turn in every round, where the handlers run. Its last "
            'line is {"events": n, "seconds": s, "cpu_seconds": s}. May be given several times.',
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The forwarding figures alone, as JSON.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Where the time goes.")] = False,
) -> None:
    """Batches of 100 records, over TLS, to a local server that answers at once; one core."""
    others, console = _named(beside or []), Console(stderr=as_json)
    with surroundings(in_flight) as around:
        if profile:
            _profile(around, seconds)
            return
        try:
            with console.status("measuring"):
                figures = forwarding(list(_TITLES), around, rounds, seconds, others)
        except RuntimeError as error:
            print(f"bench: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
    if as_json:
        print(json.dumps({name: _as_json(figure) for name, figure in figures.items()}))
        return
    show(console, figures, {kind: preparing(kind, rounds) for kind in Kind}, rounds)


def show(
    console: Console, figures: dict[str, Figure], prepared: dict[Kind, Figure], rounds: int
) -> None:
    """Prints the tables, and what they were measured on."""
    console.print(_forwarding_table(figures), _preparing_table(prepared))
    console.print(
        f"Medians of {rounds} rounds; {machine.facts()}",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )


def _named(beside: list[str]) -> dict[str, str]:
    """The commands by their names; raises `BadParameter`."""
    named = [text.partition("=")[::2] for text in beside]
    for name, command in named:
        if not name.strip() or not command.strip():
            raise typer.BadParameter("must be NAME=COMMAND", param_hint="--beside")
    names = [*_TITLES, *(name for name, _ in named)]
    if len(set(names)) < len(names):
        raise typer.BadParameter(
            f"each needs a name of its own, other than {', '.join(_TITLES)}", param_hint="--beside"
        )
    return dict(named)


def _as_json(figure: Figure) -> dict[str, float]:
    return {
        "events_per_second": round(figure.events_per_second, 1),
        "cpu_us": round(figure.cpu_microseconds, 2),
    }


def _forwarding_table(figures: dict[str, Figure]) -> Table:
    table = Table("forwarding", title="One core, TLS, batches of 100")
    for column in ("events/s", "CPU µs/event", "times"):
        table.add_column(column, justify="right")
    slowest = min(figure.events_per_second for figure in figures.values())
    for name, (speed, cpu) in figures.items():
        table.add_row(
            _TITLES.get(name, name), f"{speed:,.0f}", f"{cpu:,.0f}", f"{speed / slowest:,.1f}"
        )
    return table


def _preparing_table(figures: dict[Kind, Figure]) -> Table:
    table = Table("prepare() alone")
    for column in ("events/s", "CPU µs/event"):
        table.add_column(column, justify="right")
    for kind, (speed, cpu) in figures.items():
        table.add_row(kind.value, f"{speed:,.0f}", f"{cpu:,.0f}")
    return table


def _profile(around: Surroundings, seconds: float) -> None:
    """Runs the forwarder in this process; the profiler itself slows it two- to threefold."""
    os.environ.update(around.environment)
    profiler = cProfile.Profile()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # the function's logs
        handler, work = worker.load("relay"), endless(batches(20))
        worker.run(handler, work, seconds / 4)
        profiler.runcall(worker.run, handler, work, seconds)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(_PROFILED_FUNCTIONS)


if __name__ == "__main__":
    typer.run(main)
