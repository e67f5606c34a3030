"""`relay send --ndjson`: sends one event a line, however many there are."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from relay.exact_json import InvalidJsonError
from relay.messages.wrappers import parsed
from relay_cli.clients.page import Page
from relay_cli.input.event import LINE_FIELDS, BareEvent, Defaults, InvalidInput
from relay_cli.input.files import items_of
from relay_cli.input.items import InputItem
from relay_cli.input.letters import is_letter
from relay_cli.input.ndjson import MAX_LINE_BYTES, encode, lines_of
from relay_cli.send.results import SendResult, blocks_of, facts_of, show_sum
from relay_cli.send.run import Channel, Waiting, wait_for
from relay_cli.terminal.console import show, stderr_console, stdout_console, write_line
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.pipes import reader_may_leave
from relay_cli.terminal.progress import counter

_LETTERS: Final = (
    "are dead letters, which stay where they are: `relay dlq resubmit` sends them and deletes them"
)


@dataclass(slots=True)
class _Sums:
    lines: int = 0
    events: int = 0
    accepted: int = 0
    letters: int = 0


def send_lines(
    path: Path,
    bare_event: BareEvent | None,
    channel: Channel,
    waiting: Waiting | None,
    *,
    as_json: bool,
) -> ExitCode:
    """Sends each line of a file (`-`: standard input) as it is read; raises `CliError`."""
    page = Page.of_sandbox(waiting.ready_file) if waiting else None  # before anything is sent
    sums, to_wait_for = _Sums(), list[SendResult]()
    with counter("events") as advance:
        for batch in lines_of(path):
            items = [item for line in batch for item in _items(line, sums, bare_event, path)]
            results = channel.send(items)
            sums.events += len(results)
            sums.accepted += sum(one.accepted for one in results)
            if waiting:
                to_wait_for += results
            else:
                _tell(results, as_json=as_json)
            advance(len(results))
    if sums.letters:
        stderr_console().print(Text(f"{sums.letters:,} of them {_LETTERS}.", "warn"))
    if waiting and page:
        return wait_for(to_wait_for, page, waiting)
    if not as_json:
        with reader_may_leave():
            show_sum(sums.accepted, sums.events, channel.origin)
    return ExitCode.OK if sums.accepted == sums.events else ExitCode.FAILED


def _items(
    line: bytes | None, sums: _Sums, bare_event: BareEvent | None, path: Path
) -> Iterator[InputItem]:
    """What a line holds; nothing if it is blank."""
    sums.lines += 1
    label = f"line {sums.lines}"
    if line is None:
        yield _invalid(label, f"is longer than {MAX_LINE_BYTES:,} bytes: no queue would take it")
    elif line.strip():
        try:
            content = parsed(line)
        except InvalidJsonError as error:
            yield _invalid(label, f"is {error}")
            return
        sums.letters += is_letter(content)
        try:
            yield from items_of(_as_sent(content), label, Defaults(), bare_event, path)
        except CliError:
            yield _invalid(label, "does not say its kind and app: give --kind and --app-id")


def _as_sent(content: Any) -> Any:
    """The envelope in a line, without what only the line has (`LINE_FIELDS`)."""
    if not isinstance(content, dict) or "event" not in content:
        return content
    return {name: value for name, value in content.items() if name not in LINE_FIELDS}


def _invalid(label: str, message: str) -> InputItem:
    return InputItem(label, InvalidInput.with_reason("E3", "line", message))


def _tell(results: list[SendResult], *, as_json: bool) -> None:
    """Each as JSON; for people only those that were not taken."""
    with reader_may_leave():
        for one in results:
            if as_json:
                write_line(encode(facts_of(one)))
            elif not one.accepted:
                show(stdout_console(), blocks_of(one))
