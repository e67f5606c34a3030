"""The report of `relay check FILE`. Pure: from results to output blocks."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from rich.highlighter import JSONHighlighter
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from relay.domain.findings import Finding
from relay.domain.kinds import Kind
from relay.messages.envelope import TIME_FIELDS
from relay.rules.mobile import MAX_BODY_BYTES
from relay.rules.prepare import Prepared
from relay_cli.input.event import InputEvent, InvalidInput
from relay_cli.input.items import InputItem
from relay_cli.terminal.console import Block, printable
from relay_cli.terminal.durations import format_duration
from relay_cli.terminal.findings_view import findings_table

_NAME_FIELDS: Final = {Kind.MOBILE_EVENT: "eventName", Kind.WEB_EVENT: "event_name"}
_LONGEST_NAME: Final = 64


MadeUp = Literal["time", "appsflyer_id", "message_id", "producer"]
"""What an entry adds to an event."""

_EXAMPLES: Final[Mapping[MadeUp, str]] = {
    "appsflyer_id": "appsflyer_id is looked up by customer_user_id first: the nines stand for it.",
    "message_id": "customer_dedup_id will be SQS's id of the message: this one is an example.",
    "producer": "@producer stands for the name of the producer who calls.",
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of checking one item of a file."""

    item: InputItem
    prepared: Prepared | None
    """None if the item is not an event."""
    findings: tuple[Finding, ...]
    made_up: tuple[MadeUp, ...] = ()
    """What its entry adds to it. Of some of that only an example is known."""

    @property
    def would_be_sent(self) -> bool:
        """Whether AppsFlyer would get it."""
        return self.prepared is not None and self.prepared.body is not None


def report(result: CheckResult) -> Iterator[Block]:
    """The full report on one event."""
    yield Block(Rule(_title(result), align="left", style="quiet"))
    yield Block(_findings(result.findings))
    content, prepared = result.item.content, result.prepared
    if isinstance(content, InvalidInput) or prepared is None or prepared.body is None:
        yield Block("")
        return
    body = prepared.body.decode()
    yield _heading("Payload", _size(prepared))
    yield Block(JSONHighlighter()(Text(body)), exact=True)
    for note in _examples(result.made_up, prepared.kind, body):
        yield Block(Text(note, "quiet"))
    yield _heading("Time")
    yield Block(_times(prepared, content, is_stamped="time" in result.made_up))
    yield _heading("By hand", "the same request with curl; $APPSFLYER_TOKEN is the app's S2S key")
    yield Block(Text(curl(prepared)), exact=True)
    yield Block("")


def summary(result: Sequence[CheckResult]) -> Iterator[Block]:
    """The last line, for several events."""
    sent = sum(one.would_be_sent for one in result)
    rejected = len(result) - sent
    line = Text.assemble(
        f"{len(result)} events: ",
        (f"{sent} would be sent", "good" if sent else ""),
        ", ",
        (f"{rejected} rejected", "bad" if rejected else ""),
        ".",
    )
    yield Block(Rule(style="quiet"))
    yield Block(line)


def curl(prepared: Prepared) -> str:
    """The request as a POSIX shell command; the token is a shell variable (E2)."""
    mobile = prepared.kind is Kind.MOBILE_EVENT
    header = "authentication: " if mobile else "Authorization: Bearer "
    body = (prepared.body or b"").decode()
    return (
        f"curl {shlex.quote(prepared.url)} \\\n"
        f'  --header "{header}$APPSFLYER_TOKEN" \\\n'
        "  --header 'Content-Type: application/json' \\\n"
        f"  --data-raw {shlex.quote(body)}"
    )


def _title(result: CheckResult) -> Text:
    verdict = (" SEND ", "reverse green") if result.would_be_sent else (" REJECT ", "reverse red")
    title = Text.assemble(verdict, " ", (result.item.label, "quiet"))
    if result.prepared is not None:
        name = _name(result.prepared)
        title.append(f" {result.prepared.kind.value}", "heading")
        title.append(f" {name}" if name.strip() else "")
        title.append(f" for {printable(result.prepared.app_id)}")
    return title


def _name(prepared: Prepared) -> str:
    """The event's name. Only the owner of the file sees it here."""
    name: Any = prepared.event.get(_NAME_FIELDS.get(prepared.kind, ""))
    return printable(name)[:_LONGEST_NAME] if isinstance(name, str) else ""


def _findings(findings: Sequence[Finding]) -> Table | Text:
    if not findings:
        return Text("No findings: nothing to repair, nothing lost.", "good")
    return findings_table(findings)


def _heading(text: str, note: str = "") -> Block:
    return Block(Text.assemble("\n", (text, "heading"), "  " if note else "", (note, "quiet")))


def _size(prepared: Prepared) -> str:
    size = len(prepared.body or b"")
    if prepared.kind is Kind.MOBILE_EVENT:
        return f"{size:,} of at most {MAX_BODY_BYTES:,} bytes"
    return f"{size:,} bytes"


def _examples(made_up: Sequence[MadeUp], kind: Kind, body: str) -> Iterator[str]:
    """Notes on what stands for a value that only the entry will know."""
    is_mobile = kind is Kind.MOBILE_EVENT
    for one in made_up:
        is_shown = (one == "appsflyer_id") is is_mobile and (
            one != "producer" or "@producer" in body
        )
        if one in _EXAMPLES and is_shown:
            yield _EXAMPLES[one]


def _times(prepared: Prepared, content: InputEvent, *, is_stamped: bool) -> Table:
    arrival, zone = content.arrival, content.app.time_zone
    came_in = content.came_in or arrival
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="key", no_wrap=True)
    table.add_column(overflow="fold")
    if is_stamped:
        field = TIME_FIELDS[prepared.kind]
        note = f"the relay writes this as {field}: it has none of its own"
        table.add_row("came in", Text.assemble(_moment(came_in, zone), "  ", (note, "quiet")))
    table.add_row("arrives", _moment(arrival, zone))
    if (recorded := prepared.recorded) is not None:
        own = "the time of its coming" if is_stamped else "the event's own time"
        source = own if recorded.source == "event" else "the time of its arrival"
        style = "good" if recorded.source == "event" else "warn"
        moment = _moment(recorded.time, zone)
        table.add_row(
            "recorded",
            Text.assemble(moment, "  ", (source, style), (f" ({recorded.rule})", "rule")),
        )
    table.add_row("deadline", _deadline(prepared.deadline, arrival, zone))
    return table


def _deadline(deadline: datetime | None, arrival: datetime, zone: str) -> Text:
    if deadline is None:
        return Text("none: it has no time of its own", "quiet")
    left = deadline - arrival
    note = (
        (f"{format_duration(left)} after the arrival", "quiet")
        if left >= timedelta(0)
        else (f"passed {format_duration(-left)} before the arrival", "warn")
    )
    return Text.assemble(_moment(deadline, zone), "  ", note)


def _moment(moment: datetime, zone: str) -> str:
    utc = f"{moment.replace(tzinfo=None).isoformat(' ', 'milliseconds')} UTC"
    if zone == "UTC":
        return utc
    try:
        local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:  # the first and the last day that Python can express
        return utc
    return f"{utc} = {local.isoformat(' ', 'minutes')} {zone}"
