"""`make docs`: writes what the pages say of commands and costs again, from the code.

    python -m scripts.docs

docs/cli.md is made of the help of every command, and the table in docs/cost.md by `relay capacity`.
Tests compare the pages with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import typer.main

from relay_cli.capacity import cost
from relay_cli.capacity.data import list_prices, measured
from relay_cli.capacity.model import Load, added_seconds, duration_seconds, whole_core
from relay_cli.capacity.report import LABELS, MOST
from relay_cli.help import EXIT_CODES, Help, Row, help_of
from relay_cli.main import app

ROOT: Final = Path(__file__).parents[1]
CLI_PAGE: Final = ROOT / "docs" / "cli.md"
COST_PAGE: Final = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- made by `make docs` -->", "<!-- end of what `make docs` makes -->"
MONTHS: Final = (1_000_000, 10_000_000, 100_000_000)
_TOGETHER: Final = 10
_TENS: Final = {"together": _TOGETHER}
_CHANGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "the defaults": {},
    "`MemorySize` 256": {"memory": 256},
    "`LogLevel` WARNING": {"logs": False},
    "`BatchSize` 500": {"batch": 500},
    "`BatchingWindowSeconds` 10": {"window": 10},
    "senders put ten events into each call": _TENS,
    "that, and `BatchingWindowSeconds` 5": {**_TENS, "window": 5},
    "that, and `BatchingWindowSeconds` 10": {**_TENS, "window": 10},
}
_ENTRIES: Final = (
    "SQS, one a call",
    "SQS, ten a call",
    "HTTP, one a request",
    "HTTP, ten a request",
)


def main() -> None:
    """Writes both pages."""
    CLI_PAGE.write_text(cli_page(), encoding="utf-8")
    page = COST_PAGE.read_text(encoding="utf-8")
    COST_PAGE.write_text(with_block(page, cost_block()), encoding="utf-8")


def cli_page() -> str:
    """docs/cli.md."""
    return "\n".join(_cli_lines()) + "\n"


def _cli_lines() -> Iterator[str]:
    yield "# The command `relay`"
    yield ""
    yield "Made from the help of the commands by `make docs`; `relay COMMAND --help` says the same."
    yield ""
    yield f"{EXIT_CODES} Results go to standard output, and messages to standard error."
    for told in helps():
        yield from ("", f"## `{told.path}`", "", *_command(told))


def helps() -> Iterator[Help]:
    """Of every command and group, in the order of the help."""
    root: Any = typer.main.get_command(app)
    yield from _helps(root, root.context_class(root, info_name="relay", **root.context_settings))


def _helps(command: Any, context: Any) -> Iterator[Help]:
    yield help_of(command, context)
    for name, sub in getattr(command, "commands", {}).items():
        yield from _helps(sub, sub.context_class(sub, info_name=name, parent=context))


def _command(told: Help) -> Iterator[str]:
    yield "```"
    yield f"{told.path} {told.usage}"
    yield "```"
    for paragraph in told.about:
        yield from ("", paragraph)
    if told.commands:
        yield from ("", *(f"- `{told.path} {row.names}`: {row.text}" for row in told.commands))
    rows = [*told.arguments, *told.options]
    if rows:
        yield from ("", *_table(rows))
    yield from ("", "Example:" if len(told.examples) == 1 else "Examples:", "")
    yield from ("```", *told.examples, "```")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for row in rows:
        yield f"| `{row.names}` | {row.text.replace('|', chr(92) + '|')} |"


def with_block(page: str, block: str) -> str:
    """The page with another block between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        message = f"docs/cost.md has no place for the table: {BEGIN} ... {END}"
        raise SystemExit(message)
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def cost_block() -> str:
    """What a month costs, what of, and what each choice does to it."""
    return "\n".join(["", *_months(), "", *_items(), "", *_choices(), "", *_checked(), ""])


def _months() -> Iterator[str]:
    yield f"| events a month | {' | '.join(_ENTRIES)} |"
    yield "|---|---|---|---|---|"
    fixed = cost.fixed(measured(), list_prices())
    for events in MONTHS:
        sums = [
            (cost.a_month(items, fixed, events), sum(items.values())) for items in _entries(events)
        ]
        cells = [f"{month:,.0f} USD ({million:.2f} a million)" for month, million in sums]
        yield f"| {events // cost.MILLION} million | {' | '.join(cells)} |"


def _entries(events: int) -> list[cost.Items]:
    """The costs of each of the entries, in their order."""
    loads = [_load(events), _load(events, together=_TOGETHER)]
    return [
        entry(load, measured(), list_prices())
        for entry in (cost.by_queue, cost.over_http)
        for load in loads
    ]


def _load(events: int, **changed: Any) -> Load:
    return replace(Load(rate=events / cost.SECONDS_A_MONTH), **changed)


def _items() -> Iterator[str]:
    at = f"USD a million, at {MONTHS[1] // cost.MILLION} million a month"
    yield f"| {at} | {' | '.join(_ENTRIES)} |"
    yield "|---|---|---|---|---|"
    columns = _entries(MONTHS[1])
    for name, label in LABELS.items():
        cells = (f"{items[name]:.2f}" if name in items else "" for items in columns)
        yield f"| {label} | {' | '.join(cells)} |"
    yield f"| **sum** | {' | '.join(f'**{sum(items.values()):.2f}**' for items in columns)} |"


def _checked() -> Iterator[str]:
    figures = measured()
    yield "| events in an invocation | measured | reckoned |"
    yield "|---|---|---|"
    for events, took in figures.timed.wall_ms.items():
        seconds = duration_seconds(whole_core(figures), int(events), figures)
        yield f"| {events} | {took:.0f} ms | {1000 * seconds:.0f} ms |"


def _choices() -> Iterator[str]:
    yield "| choice | USD a million at 10 million a month | at 100 million | added latency, p99 |"
    yield "|---|---|---|---|"
    for name, changed in _CHANGES.items():
        loads = [_load(events, **changed) for events in MONTHS[1:]]
        sums = [sum(cost.by_queue(load, measured(), list_prices()).values()) for load in loads]
        waits = added_seconds(loads[0], MOST, measured())
        yield f"| {name} | {' | '.join(f'{usd:.2f}' for usd in sums)} | {waits:.1f} s |"


if __name__ == "__main__":
    main()
