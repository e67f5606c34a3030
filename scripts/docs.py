"""`make docs`: writes what the pages say of commands and costs again, from the code.

    python -m scripts.docs

docs/cli.md is made of the help of every command, and the table in docs/cost.md by `relay capacity`.
Tests compare the pages with it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import typer.main

from relay_cli.capacity import cost
from relay_cli.capacity.data import list_prices, measured
from relay_cli.capacity.model import Load
from relay_cli.help import EXIT_CODES, Help, Row, help_of
from relay_cli.main import app

ROOT: Final = Path(__file__).parents[1]
CLI_PAGE: Final = ROOT / "docs" / "cli.md"
COST_PAGE: Final = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- made by `make docs` -->", "<!-- end of what `make docs` makes -->"
MONTHS: Final = (1_000_000, 10_000_000, 100_000_000)
_TOGETHER: Final = 10
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
    """What a month costs, by SQS and over HTTP."""
    lines = [
        f"| events a month | {' | '.join(_ENTRIES)} |",
        "|---|---|---|---|---|",
        *(_month(events) for events in MONTHS),
    ]
    return "\n".join(lines)


def _month(events: int) -> str:
    figures, prices = measured(), list_prices()
    fixed = cost.fixed(figures, prices)
    cells = [f"{events // 1_000_000} million"]
    for entry in (cost.by_queue, cost.over_http):
        for together in (1, _TOGETHER):
            load = Load(rate=events / cost.SECONDS_A_MONTH, together=together)
            items = entry(load, figures, prices)
            month = cost.a_month(items, fixed, events)
            cells.append(f"{month:,.0f} USD ({sum(items.values()):.2f} a million)")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
