"""The result of sending one event, and how it is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from relay.domain.findings import Finding
from relay_cli.input.event import InputEvent
from relay_cli.input.items import InputItem
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import Block, printable, show, stdout_console, write_line
from relay_cli.terminal.errors import ExitCode
from relay_cli.terminal.findings_view import findings_table
from relay_cli.terminal.pipes import reader_may_leave


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of sending one event."""

    item: InputItem
    accepted: bool
    message: str
    findings: Sequence[Finding] = ()
    message_id: str | None = None
    """Of the message on the queue."""
    request_id: str | None = None
    """Of the request to the HTTP API."""


def show_results(results: Sequence[SendResult], origin: str, *, as_json: bool) -> ExitCode:
    """Tells of each, and how many were taken."""
    with reader_may_leave():
        if as_json:
            for one in results:
                write_line(encode(facts_of(one)))
        else:
            for one in results:
                show(stdout_console(), blocks_of(one))
            show_sum(sum(one.accepted for one in results), len(results), origin)
    return ExitCode.OK if all(one.accepted for one in results) else ExitCode.FAILED


def show_sum(accepted: int, number: int, origin: str) -> None:
    """Says how many of all were taken."""
    style = "good" if accepted == number else "bad"
    text = Text.assemble((f"{accepted:,} of {number:,} taken", style), f" by {origin}.")
    stdout_console().print(text)


def facts_of(result: SendResult) -> dict[str, Any]:
    """What `--json` says of one, where nobody waits for what becomes of it."""
    content = result.item.content
    event = content if isinstance(content, InputEvent) else None
    return {
        "place": result.item.label,
        "event_id": event.event_id if event else None,
        "app_id": event.app.id if event else None,
        "kind": event.kind.value if event else None,
        "taken": result.accepted,
        "message": result.message,
        "message_id": result.message_id,
        "findings": [one.as_dict() for one in result.findings],
    }


def blocks_of(result: SendResult) -> Iterator[Block]:
    """One line, and the findings."""
    line = Text.assemble((result.item.label, "quiet"), " ")
    if isinstance(result.item.content, InputEvent):
        content = result.item.content
        line.append(f"{content.kind.value} for {printable(content.app.id)} ", "heading")
    line.append(result.message, "good" if result.accepted else "bad")
    yield Block(line)
    if result.findings:
        yield Block(findings_table(result.findings))
