"""What `relay dlq` shows of dead letters. Pure: from dead letters to output blocks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from relay.exact_json import UnwritableError, dumps
from relay_cli.dlq.dead_letter import CRASHED, NOT_AN_ENVELOPE, DeadLetter
from relay_cli.dlq.groups import Group
from relay_cli.terminal.console import Block, printable
from relay_cli.terminal.durations import format_duration
from relay_cli.terminal.findings_view import findings_table, parse_findings

_REASON_NOTES = {
    CRASHED: "moved here by SQS: the function failed on it again and again",
    NOT_AN_ENVELOPE: "no envelope: correct what holds an event (dlq edit, resubmit)",
    "trail_unreadable": "somebody edited the money trail: put the item right, then redrive",
}
HAVE_MISSED = (
    "have missed their deadline: AppsFlyer records them at their arrival, not at their own time."
)
_SHOWN_HASHED = (
    "Shown as the relay would keep it. In the queue it is as its producer sent it, and may hold "
    "personal data."
)


def dead_letter_count(number: int) -> str:
    """The number of dead letters, in words."""
    return f"{number:,} dead letter{'' if number == 1 else 's'}"


def groups_blocks(
    queue: str, groups: Sequence[Group], now: datetime, *, is_chosen: bool
) -> Iterator[Block]:
    """The dead letters of a queue by reason and app; `is_chosen`: of some, not of all."""
    if not groups and is_chosen:
        yield Block(Text(f"{queue}: none that you chose; without a choice all are listed", "warn"))
        return
    if not groups:
        yield Block(Text(f"{queue}: no dead letters", "good"))
        return
    yield Block(_groups_table(queue, groups, now))
    in_time, missed = sum(one.in_time for one in groups), sum(one.missed for one in groups)
    if in_time:
        whose = "its" if in_time == 1 else "their"
        yield Block(Text(f"{in_time:,} can still keep {whose} own time.", "good"))
    if missed:
        yield Block(Text(f"{missed:,} {HAVE_MISSED}", "warn"))
    if in_time or missed:
        yield Block("")


def _groups_table(queue: str, groups: Sequence[Group], now: datetime) -> Table:
    number = sum(group.count for group in groups)
    title = f"{queue}: {dead_letter_count(number)}"
    table = Table(
        title=title,
        title_justify="left",
        title_style="heading",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("reason and app", overflow="fold")
    table.add_column("age", no_wrap=True)
    table.add_column("attempts", justify="right", no_wrap=True)
    table.add_column("deadline", no_wrap=True)
    for group in groups:
        table.add_row(
            f"{group.count:,}",
            _reason(group.reason, printable(group.app_id) or "app unknown"),
            _ages(group, now),
            _attempts(group),
            _deadlines(group, now),
        )
    return table


def _reason(reason: str, app_id: str = "") -> Text:
    text = Text(printable(reason), "bad" if reason == CRASHED else "")
    if app_id:
        text.append(f"\n{app_id}", "key")
    if note := _REASON_NOTES.get(reason):
        text.append(f"\n{note}", "quiet")
    return text


def _ages(group: Group, now: datetime) -> str:
    """The age of the oldest, and of the newest if that differs."""
    if group.oldest is None or group.newest is None:
        return ""
    oldest, newest = format_duration(now - group.oldest), format_duration(now - group.newest)
    return oldest if oldest == newest else f"{oldest}\nto {newest}"


def _attempts(group: Group) -> str:
    fewest, most = group.min_attempts, group.max_attempts
    if fewest is None or most is None:
        return ""
    return f"{most}" if fewest == most else f"{fewest} to {most}"


def _deadlines(group: Group, now: datetime) -> Text:
    parts = []
    if group.next_deadline:
        first = format_duration(group.next_deadline - now)
        parts.append((f"{group.in_time:,} in time,\nfirst in {first}", ""))
    if group.missed:
        parts.append((f"{group.missed:,} missed", "warn"))
    if group.without_deadline:
        word = "unknown" if group.reason == CRASHED else "without"
        parts.append((f"{group.without_deadline:,} {word}", "quiet"))
    return Text("\n").join(Text(text, style) for text, style in parts)


def dead_letter_blocks(dead_letter: DeadLetter, now: datetime) -> Iterator[Block]:
    """Everything known about one dead letter."""
    yield Block(_facts(dead_letter, now))
    if not dead_letter.is_crashed:
        findings = list(parse_findings(dead_letter.fields.get("findings")))
        yield Block(Text("\nFindings", "heading"))
        yield Block(findings_table(findings) if findings else Text("none", "quiet"))
    yield Block(Text("\nEvent", "heading"))
    yield from _event(dead_letter)


def _facts(dead_letter: DeadLetter, now: datetime) -> Table:
    fields, envelope = dead_letter.fields, dead_letter.envelope
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="key", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "reason": _reason(dead_letter.reason),
        "outcome": _plain(fields.get("outcome")),
        "source" if dead_letter.notice else "app": _plain(dead_letter.app_id),
        "type": _plain(dead_letter.notice.type if dead_letter.notice else None),
        "webhook id": _plain(dead_letter.notice.id if dead_letter.notice else None),
        "kind": _plain(envelope.kind.value if envelope else None),
        "event id": _plain(envelope.event_id if envelope else None),
        "message id": _plain(dead_letter.message_id),
        "status": _plain(fields.get("status")),
        "message": _plain(fields.get("message")),
        "attempts": _plain(dead_letter.attempts),
        "first seen": _moment(dead_letter.first_seen, now),
        "dead since": None if dead_letter.is_crashed else _moment(dead_letter.dead_since, now),
        "deadline": _moment(dead_letter.deadline, now),
        "body": _digest(fields),
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
    apart = (
        f"{format_duration(now - moment)} ago"
        if moment <= now
        else f"in {format_duration(moment - now)}"
    )
    text = f"{moment.replace(tzinfo=None).isoformat(' ', 'milliseconds')} UTC"
    return Text.assemble(text, "  ", (apart, "quiet"))


def _digest(fields: Mapping[str, Any]) -> Text | None:
    """Size and digest of a body that is not an envelope."""
    if "sha256" not in fields:
        return None
    return _plain(f"{fields.get('bytes')} bytes, SHA-256 {fields['sha256']}")


def _event(dead_letter: DeadLetter) -> Iterator[Block]:
    if dead_letter.notice is not None:
        yield Block(JSONHighlighter()(Text(_json(dead_letter.notice.content))), exact=True)
    elif dead_letter.is_digest_only:
        yield Block(Text("none", "quiet"))
    else:
        yield Block(JSONHighlighter()(Text(_json(dead_letter.event))), exact=True)
        if dead_letter.is_crashed:
            yield Block(Text(_SHOWN_HASHED, "quiet"))


def _json(value: object) -> str:
    try:
        return printable(dumps(value).decode())
    except UnwritableError:
        return "(cannot be written)"
