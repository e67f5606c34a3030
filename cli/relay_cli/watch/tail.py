"""`relay tail`: one line an event."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from rich.text import Text

from relay_cli.clients.page import Message, Page, Row
from relay_cli.terminal.console import stdout_console
from relay_cli.watch.lines import LEGEND, event_line

_UNTOLD: Final = "queued"


def tail(page: Page, *, as_json: bool) -> None:
    """Prints lines until it is stopped; raises `CliError`."""
    console = stdout_console()
    if not as_json:
        console.print(Text(LEGEND, "quiet"))
    with suppress(KeyboardInterrupt):
        for row in news(page.stream()):
            if as_json:
                print(json.dumps(row, ensure_ascii=False), flush=True)  # noqa: T201 - one object a line, whatever the width
            else:
                console.print(event_line(row, console.width), soft_wrap=True)


def news(messages: Iterable[Message]) -> Iterator[Row]:
    """The rows to print: an event when its outcome is a new one, and more than being queued."""
    told: dict[str, str] = {}
    for message in messages:
        for row in _rows(message):
            outcome = str(row["outcome"])
            if outcome != _UNTOLD and told.get(row["key"]) != outcome:
                told[row["key"]] = outcome
                yield row


def _rows(message: Message) -> list[Row]:
    data: Any = message.data
    if message.event == "traces":
        return list(data)
    # A snapshot has the newest first.
    return list(reversed(data["traces"])) if message.event == "snapshot" else []
