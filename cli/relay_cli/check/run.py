"""`relay check FILE`: shows what would be sent, and what is wrong. Sends nothing."""

from pathlib import Path

from relay.messages.envelope import KEY_OVER_HTTP, money_without_id
from relay_cli.check.report import CheckResult, report, summary
from relay_cli.input.event import BareEvent, Defaults, InvalidInput
from relay_cli.input.files import InputItem, read_items
from relay_cli.terminal.console import show, stdout_console
from relay_cli.terminal.errors import ExitCode


def check_file(path: Path, defaults: Defaults, bare_event: BareEvent | None) -> ExitCode:
    """Shows a report on each event; raises `CliError` if the file holds no events."""
    results = [check_item(item) for item in read_items(path, defaults, bare_event)]
    console = stdout_console()
    for one in results:
        show(console, report(one))
    if len(results) > 1:
        show(console, summary(results))
    return ExitCode.OK if all(one.would_be_sent for one in results) else ExitCode.FAILED


def check_item(item: InputItem) -> CheckResult:
    """Applies every rule to one item of a file."""
    content = item.content
    if isinstance(content, InvalidInput):
        return CheckResult(item, None, content.findings)
    prepared = content.prepare()
    field = KEY_OVER_HTTP if content.is_http else "event_id"
    lacks_id = prepared.has_revenue and not content.has_own_id
    warnings = (money_without_id(field),) if lacks_id else ()
    return CheckResult(item, prepared, (*content.found, *prepared.findings, *warnings))
