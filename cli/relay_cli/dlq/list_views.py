"""What `relay dlq list` shows of single letters, and by rule. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.facts import rejections
from relay_cli.dlq.groups import Groups
from relay_cli.dlq.views import dead_letter_count
from relay_cli.terminal.console import Block, printable
from relay_cli.terminal.durations import format_duration
from relay_cli.terminal.rule_links import linked_rules


def letters_blocks(queue: str, letters: Sequence[DeadLetter], now: datetime) -> Iterator[Block]:
    """Each letter of a queue: its ids, its app, its reason, and the rules and fields of it."""
    table = Table(
        title=f"{queue}: {dead_letter_count(len(letters))}",
        title_justify="left",
        title_style="heading",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("event id, letter id and app", overflow="fold", min_width=36)
    table.add_column("reason, rule and field", overflow="fold")
    table.add_column("age", no_wrap=True)
    for one in letters:
        table.add_row(_ids(one), _reason(one), format_duration(now - one.dead_since))
    yield Block(table)


def _ids(letter: DeadLetter) -> Text:
    text = Text(printable(letter.event_id), "heading")
    if letter.message_id != letter.event_id:
        text.append(f"\n{letter.message_id}", "quiet")
    text.append(f"\n{printable(letter.app_id) or 'app unknown'}", "key")
    return text


def _reason(letter: DeadLetter) -> Text:
    text = Text(printable(letter.reason))
    for one in rejections(letter):
        text.append("\n")
        text.append(linked_rules([printable(one.rule)]))
        text.append(f" {printable(one.field)}")
    return text


_NEXT: Final = (
    "`relay dlq list --letters` shows each; `relay dlq edit ID` corrects one, export and resubmit "
    "many."
)


def rules_blocks(groups: Groups, *, are_shown: bool) -> Iterator[Block]:
    """How many letters each rule rejected, and in which fields; and where to go from there."""
    if not groups.by_rule:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("rule", no_wrap=True)
    table.add_column("in the fields", overflow="fold")
    for rule, count in sorted(groups.by_rule.items(), key=lambda one: (-one[1], one[0])):
        fields = ", ".join(sorted(printable(field) for field in groups.fields[rule]))
        table.add_row(f"{count:,}", linked_rules([printable(rule)]), fields)
    yield Block(table)
    if not are_shown:
        yield Block(Text(_NEXT + "\n", "quiet"))
