"""One line an event: time, source, app, event, outcome, rules, recorded time. Pure.

At 80 columns a line is two, or more: it is broken between words only.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.text import Text

from relay_cli.terminal.console import printable
from relay_cli.terminal.rule_links import linked_rules

Row = Mapping[str, Any]

SIGNS: Final[Mapping[str, tuple[str, str]]] = {
    "delivered": ("✓", "good"),
    "duplicate": ("=", "quiet"),
    "rejected": ("✗", "bad"),
    "refused": ("✗", "bad"),
    "dead_letter": ("†", "bad"),
    "dropped": ("†", "quiet"),
    "waiting": ("…", "warn"),
    "held": ("‖", "warn"),
    "queued": ("·", "quiet"),
}
LEGEND: Final = (
    "✓ delivered  = duplicate  ✗ rejected or refused  † dead letter  … waiting  ‖ held. "
    "The time at the end is the one that AppsFlyer records, with the rule that says so."
)
_SOURCES: Final = {"sqs": "SQS", "http": "HTTP", "push": "Push"}
_LONGEST_PART: Final = 40
_INDENT: Final = 11
_ELLIPSIS: Final = "…"


def event_line(row: Row, width: int) -> Text:
    """The line of an event for a terminal of `width` columns."""
    return wrapped(list(_parts(row)), width, _INDENT)


def _parts(row: Row) -> Iterator[Text]:
    sign, style = SIGNS.get(str(row["outcome"]), ("·", ""))
    yield Text(f"{_local_time(row['came_in'])} ", "quiet")
    yield Text.assemble((sign, style))
    yield Text(f"{source_of(row):<6}")
    yield Text(_short(row["app_id"]) or "-")
    yield Text(_short(row["name"]) or "(no name)")
    if row["event_id"]:
        yield Text(_short(row["event_id"]), "quiet")
    yield Text(str(row["outcome"]).replace("_", " "), style)
    if row["reason"] and row["reason"] != row["outcome"]:
        yield Text(f"({_short(row['reason'])})", "quiet")
    findings = [one["rule"] for one in row["findings"]]
    if findings:
        yield linked_rules(list(dict.fromkeys(findings)))
    if row["recorded"]:
        yield recorded_text(row["recorded"])


def recorded_text(recorded: Mapping[str, Any]) -> Text:
    """The recorded time: "26 Nov 23:58:00 own time (T2)"."""
    own = recorded["source"] == "event"
    moment = datetime.fromisoformat(recorded["time"])
    return Text.assemble(
        f"{moment:%d %b %H:%M:%S} ",
        ("own time" if own else "arrival", "good" if own else "warn"),
        " (",
        linked_rules([recorded["rule"]]),
        ")",
    )


def source_of(row: Row) -> str:
    """Where it came from, in a word."""
    source = str(row["source"])
    return _SOURCES.get(source) or source.removeprefix("payments:")


def _short(value: object) -> str:
    text = printable(str(value)) if value is not None else ""
    return text if len(text) <= _LONGEST_PART else text[: _LONGEST_PART - 1] + _ELLIPSIS


def _local_time(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%H:%M:%S}"


def wrapped(parts: Sequence[Text], width: int, indent: int) -> Text:
    """The parts with spaces between them; one that does not fit begins a new line."""
    text, used = Text(), 0
    for number, part in enumerate(parts):
        size = cell_len(part.plain)
        if number and used + 1 + size > width:
            text.append("\n" + " " * indent)
            used = indent
        elif number:
            text.append(" ")
            used += 1
        text.append_text(part)
        used += size
    return text
