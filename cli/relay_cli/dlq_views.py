"""What `relay dlq` shows. Pure: from letters to parts of a screen."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from relay.exact_json import UnwritableError, dumps
from relay_cli.dead_letters import CRASHED, NOT_AN_ENVELOPE, DeadLetter, Group
from relay_cli.redrive import Tally
from relay_cli.report import findings_table, read_findings, span
from relay_cli.screen import Block, printable

_REMARKS = {
    CRASHED: "moved here by SQS: the function failed on it again and again",
    NOT_AN_ENVELOPE: "no event in it: cannot be redriven",
}


def groups_table(queue: str, groups: Sequence[Group], now: datetime) -> Table:
    """Letters of a queue by reason and app."""
    number = sum(group.count for group in groups)
    title = f"{queue}: {number:,} dead letter{'' if number == 1 else 's'}"
    table = Table(title=title, title_justify="left", title_style="heading", box=box.SIMPLE_HEAD)
    table.add_column("count", justify="right")
    table.add_column("reason", overflow="fold")
    table.add_column("app", overflow="fold")
    table.add_column("oldest", no_wrap=True)
    table.add_column("deadline", overflow="fold")
    for group in groups:
        table.add_row(
            str(group.count),
            _reason(group.reason),
            Text(printable(group.app_id) or "unknown"),
            f"{span(now - group.oldest)} ago" if group.oldest else "",
            _deadlines(group, now),
        )
    return table


def _reason(reason: str) -> Text:
    text = Text(printable(reason), "bad" if reason == CRASHED else "")
    if remark := _REMARKS.get(reason):
        text.append(f"\n{remark}", "quiet")
    return text


def _deadlines(group: Group, now: datetime) -> Text:
    parts = []
    if group.next_deadline:
        parts.append(f"first in {span(group.next_deadline - now)}")
    if group.passed:
        parts.append(f"{group.passed} passed")
    return Text(", ".join(parts) or "none", "warn" if parts else "quiet")


def letter_blocks(letter: DeadLetter, now: datetime) -> Iterator[Block]:
    """All that is known of one letter."""
    yield Block(_facts(letter, now))
    findings = list(read_findings(letter.marks.get("findings")))
    yield Block(Text("\nFindings", "heading"))
    yield Block(findings_table(findings) if findings else Text("none", "quiet"))
    yield Block(Text("\nEvent", "heading"))
    yield from _event(letter)


def _facts(letter: DeadLetter, now: datetime) -> Table:
    marks, envelope = letter.marks, letter.envelope
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="key", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "reason": _reason(letter.reason),
        "outcome": _plain(marks.get("outcome")),
        "source" if letter.notice else "app": _plain(letter.app_id),
        "type": _plain(letter.notice.type if letter.notice else None),
        "webhook id": _plain(letter.notice.id if letter.notice else None),
        "kind": _plain(envelope.kind.value if envelope else None),
        "event id": _plain(envelope.event_id if envelope else None),
        "message id": _plain(letter.message_id),
        "status": _plain(marks.get("status")),
        "message": _plain(marks.get("message")),
        "attempts": _plain(envelope.attempts if envelope else None),
        "first seen": _moment(envelope.first_seen if envelope else None, now),
        "dead since": _moment(letter.dead_since, now),
        "deadline": _moment(letter.deadline, now),
        "body": _digest(marks),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table


def _plain(value: object) -> Text | None:
    return None if value in (None, "") else Text(printable(str(value)))


def _moment(moment: datetime | None, now: datetime) -> Text | None:
    if moment is None:
        return None
    apart = f"{span(now - moment)} ago" if moment <= now else f"in {span(moment - now)}"
    text = f"{moment.replace(tzinfo=None).isoformat(' ', 'milliseconds')} UTC"
    return Text.assemble(text, "  ", (apart, "quiet"))


def _digest(marks: Mapping[str, Any]) -> Text | None:
    """What is kept of a body that is no envelope."""
    if "sha256" not in marks:
        return None
    return _plain(f"{marks.get('bytes')} bytes, SHA-256 {marks['sha256']}")


def _event(letter: DeadLetter) -> Iterator[Block]:
    if letter.notice is not None:
        yield Block(JSONHighlighter()(Text(_json(letter.notice.content))), exact=True)
    elif letter.envelope is None:
        yield Block(Text("none", "quiet"))
    elif letter.is_crashed:
        text = "not shown: it is as its producer sent it and may hold personal data"
        yield Block(Text(text, "quiet"))
    else:
        yield Block(JSONHighlighter()(Text(_json(letter.envelope.event))), exact=True)


def _json(value: object) -> str:
    try:
        return printable(dumps(value).decode())
    except UnwritableError:
        return "(cannot be written)"


def tally_blocks(tally: Tally, surface: str) -> Iterator[Block]:
    """How a redrive ended."""
    yield Block(Text(f"{surface}: {tally.sent} sent back", "good" if tally.sent else ""))
    for count, remark in (
        (tally.left, "left: not meant by what you chose"),
        (tally.no_event, "left: no event in them (not_an_envelope), so they cannot be redriven"),
        (tally.newer, "left: came in meanwhile; run it again to send them, too"),
    ):
        if count:
            yield Block(Text(f"  {count} {remark}", "quiet"))
    for problem, count in tally.problems.items():
        yield Block(Text(f"  {count} not taken: {printable(problem)}", "bad"))
    if tally.twice:
        text = f"  {tally.twice} sent back, but still here too: SQS did not delete them"
        yield Block(Text(text, "bad"))
    if tally.interrupted and not tally.failed:
        yield Block(Text("  stopped before the end; run it again to go on", "warn"))
    if tally.full:
        yield Block(Text("  there may be more: run it again", "warn"))
