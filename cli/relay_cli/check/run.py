"""`relay check FILE`: what would be sent of a file, and what is wrong with it. Sends nothing."""

from pathlib import Path

from relay.messages.envelope import money_without_id
from relay_cli.input.event import Bare, Defaults, Unusable
from relay_cli.input.files import Item, read_items
from relay_cli.input.report import Checked, report, summary
from relay_cli.terminal.console import output, show
from relay_cli.terminal.errors import ExitCode


def check_file(path: Path, defaults: Defaults, bare: Bare | None) -> ExitCode:
    """Shows a report of each event; raises `CliError` when the file is none of events."""
    checked = [check_item(item) for item in read_items(path, defaults, bare)]
    console = output()
    for one in checked:
        show(console, report(one))
    if len(checked) > 1:
        show(console, summary(checked))
    return ExitCode.OK if all(one.would_be_sent for one in checked) else ExitCode.UNDONE


def check_item(item: Item) -> Checked:
    """Applies every rule to one thing of a file."""
    handed = item.content
    if isinstance(handed, Unusable):
        return Checked(item, None, handed.findings)
    prepared = handed.prepared()
    money = prepared.has_revenue and handed.wants_id
    remarks = (money_without_id(),) if money else ()
    return Checked(item, prepared, (*prepared.findings, *remarks))
