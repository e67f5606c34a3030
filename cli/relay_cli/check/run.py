"""`relay check FILE`: shows what would be sent, and what is wrong. Sends nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from relay.messages.envelope import KEY_OVER_HTTP, money_without_id
from relay_cli.check.answer import described, rejected
from relay_cli.check.report import CheckResult, MadeUp, report, summary
from relay_cli.input.event import BareEvent, Defaults, InputEvent, InvalidInput
from relay_cli.input.files import read_items
from relay_cli.input.items import InputItem
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import show, stdout_console, write_line
from relay_cli.terminal.errors import ExitCode
from relay_cli.terminal.files import each_file
from relay_cli.terminal.pipes import reader_may_leave

_DEDUP_ID: Final = b'"customer_dedup_id":'
"""W11: with this of its own, an event needs no id of its entry."""


def check_files(
    paths: Sequence[Path],
    defaults: Defaults,
    bare_event: BareEvent | None,
    *,
    as_is: bool,
    as_json: bool,
) -> ExitCode:
    """Shows what becomes of each event of some files.

    Files that cannot be read, or hold no event, are named on standard error, and the others shown.
    """
    results: list[CheckResult] = []

    def check_file(path: Path) -> None:
        for item in read_items(path, defaults, bare_event):
            label = item.label if len(paths) == 1 else f"{path}, {item.label}"
            results.append(check_item(replace(item, label=label), as_is=as_is))

    code = each_file(paths, check_file)
    with reader_may_leave():
        show_all = _show_json if as_json else _show
        show_all(results)
    if code is ExitCode.OK and not all(one.would_be_sent for one in results):
        return ExitCode.FAILED
    return code


def check_item(item: InputItem, *, as_is: bool = False) -> CheckResult:
    """Applies every rule to one item of a file: to the event as it is, or as its entry sends it."""
    content = item.content
    if isinstance(content, InvalidInput):
        return CheckResult(item, None, content.findings)
    prepared = content.prepare() if as_is else content.prepare_stamped()
    field = KEY_OVER_HTTP if content.is_http else "event_id"
    lacks_id = prepared.has_revenue and not content.has_own_id
    warnings = (money_without_id(field),) if lacks_id else ()
    findings = (*content.found, *prepared.findings, *warnings)
    return CheckResult(item, prepared, findings, () if as_is else tuple(_made_up(content)))


def _made_up(content: InputEvent) -> Iterator[MadeUp]:
    """What its entry adds to an event."""
    as_it_is = content.prepare()
    if as_it_is.content.time is None:
        yield "time"
    if content.is_looked_up:
        yield "appsflyer_id"
    if content.is_http:
        yield "producer"
    elif content.entry_id is None and _DEDUP_ID not in (as_it_is.body or b""):
        yield "message_id"


def _show(results: Sequence[CheckResult]) -> None:
    console = stdout_console()
    for one in results:
        show(console, report(one))
    if len(results) > 1:
        show(console, summary(results))


def _show_json(results: Sequence[CheckResult]) -> None:
    for one in results:
        write_line(encode(_as_json(one)))


def _as_json(result: CheckResult) -> dict[str, Any]:
    content = result.item.content
    identity = content.event_id if isinstance(content, InputEvent) else None
    told = {"id": identity, "place": result.item.label}
    if result.prepared is None:
        return {**told, **rejected(result.findings)}
    return {**told, **described(result.prepared, result.findings)}
