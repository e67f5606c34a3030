"""`relay status`: where an event is, why, and what comes next."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from relay_cli.clients.page import Page, Row
from relay_cli.terminal.console import Block, printable, show, stderr_console, stdout_console
from relay_cli.terminal.errors import ExitCode
from relay_cli.terminal.findings_view import findings_table, parse_findings
from relay_cli.watch.lines import LEGEND, event_line
from relay_cli.watch.result import most_telling, result_of

_NEXT: Final = {
    "queued": "Next: a function takes it from its queue.",
    "waiting": "Next: it is tried again by itself.",
    "held": "Next: it is looked at again by itself, and goes once what holds it is over.",
    "delivered": "Nothing more is to be done.",
    "duplicate": "Nothing more is to be done: the event was delivered before.",
    "rejected": "Next: correct it with `relay dlq edit`, or send it anew and drop what is left.",
    "refused": "Next: correct it with `relay dlq edit`, or send it anew and drop what is left.",
    "dead_letter": "Next: end the reason, then `relay dlq redrive`.",
    "dropped": "Nothing more becomes of it.",
}


def status(page: Page, event_id: str, *, as_json: bool) -> ExitCode:
    """Shows the events of an id; raises `CliError`."""
    found = [row for row in page.find(event_id=event_id) if row is not None]
    if not found:
        stderr_console().print("No event of this id is known: it never came in, or long ago.")
        return ExitCode.FAILED
    if as_json:
        for rows in _by_app(found):
            print(json.dumps(result_of(most_telling(list(rows))), ensure_ascii=False))  # noqa: T201
        return ExitCode.OK
    console = stdout_console()
    for rows in _by_app(found):
        for row in rows:
            show(console, _blocks(row, console.width))
    console.print(Text(LEGEND, "quiet"))
    return ExitCode.OK


def _by_app(rows: Sequence[Row]) -> list[list[Row]]:
    apps: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        apps.setdefault((row["app_id"], row["kind"]), []).append(row)
    return list(apps.values())


def _blocks(row: Row, width: int) -> Iterator[Block]:
    yield Block(event_line(row, width), exact=True)
    for step in row["steps"]:
        moment = datetime.fromisoformat(step["at"])
        line = Text.assemble((f"  {moment:%H:%M:%S}.{moment.microsecond // 1000:03}  ", "quiet"))
        line.append(printable(step["text"]))
        if step["sure"] == "perhaps":
            line.append(" Perhaps recorded.", "warn")
        yield Block(line)
    if findings := list(parse_findings(row["findings"])):
        yield Block(findings_table(findings))
    advice = row.get("cure") or {}
    yield Block(Text(advice.get("text") or _NEXT[row["outcome"]], "heading"))
    yield Block("")
