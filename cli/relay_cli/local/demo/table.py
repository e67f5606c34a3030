"""The output of `relay demo`. Pure: from traces to output blocks."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from relay.domain.outcomes import Outcome
from relay_cli.local.demo.traces import Trace
from relay_cli.samples import (
    ACCEPT,
    FORWARD_MOBILE,
    FORWARD_WEB,
    MAP_PAYMENT,
    RECEIVE_INSTALL,
    RECEIVE_PAYMENT,
)
from relay_cli.terminal.console import Block, printable

_SOURCES: Final = {
    FORWARD_MOBILE: "SQS",
    FORWARD_WEB: "SQS",
    ACCEPT: "HTTP",
    RECEIVE_INSTALL: "Push",
    RECEIVE_PAYMENT: "hook",
    MAP_PAYMENT: "SQS",
}
_STYLES: Final = {
    Outcome.DELIVERED.value: "good",
    Outcome.REJECTED.value: "bad",
    Outcome.REFUSED.value: "bad",
    Outcome.BLOCKED.value: "bad",
}
_WIDE: Final = 110
"""From this width on, the app has its own column."""
_COLUMNS: Final[dict[str, int | None]] = {
    "": 1,
    "source": 6,
    "app": 23,
    "event and sample": 25,
    "outcome": 16,
    "recorded (UTC)": 15,
    "findings": None,
}
_NARROW: Final = {"event and sample": 22, "outcome": 15}
"""Fixed widths, because Rich would shrink the names to fit long findings."""
_OWN_TIME: Final = "own time"
_ARRIVAL: Final = "arrival"


def traces_table(traces: Sequence[Trace], width: int) -> Table:
    """A table with a row for each event, for a terminal of `width` columns."""
    narrow = width < _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for title, columns in _COLUMNS.items():
        if not (narrow and title == "app"):
            fitting = _NARROW.get(title, columns) if narrow else columns
            table.add_column(title, width=fitting, overflow="fold")
    for trace, following in zip(traces, [*traces[1:], None], strict=True):
        ends = following is not None and following.sample.entry != trace.sample.entry
        table.add_row(*_row(trace, narrow=narrow), end_section=ends)
    return table


def _row(trace: Trace, *, narrow: bool) -> tuple[Text, ...]:
    app = Text(printable(_app(trace)))
    event = _event(trace)
    return (
        Text("✓", "good") if trace.as_expected else Text("✗", "bad"),
        Text(_SOURCES[trace.sample.entry]),
        *((app + "\n" + event,) if narrow else (app, event)),
        _outcome(trace),
        _recorded(trace),
        _findings(trace.result.findings if trace.result else (), "\n" if narrow else ", "),
    )


def _app(trace: Trace) -> str:
    if trace.submitted is not None:
        return trace.submitted.app_id
    parameters: dict[str, str] = trace.sample.event.get("pathParameters") or {}
    return parameters.get("app_id") or parameters.get("source", "-")


def _event(trace: Trace) -> Text:
    """The event's name, and the file that it comes from."""
    sample = trace.sample
    situation = sample.name.removeprefix(f"{sample.entry}_")
    place = f" {trace.number + 1}" if len(sample.expect) > 1 else ""
    return Text.assemble(printable(_name(trace)), "\n", (situation + place, "quiet"))


def _name(trace: Trace) -> str:
    event: Any = trace.submitted.event if trace.submitted else None
    if isinstance(event, dict):
        name = event.get("eventName") or event.get("event_name")
        if isinstance(name, str) and name.strip():
            return name
        if trace.submitted is not None and trace.submitted.kind == "web_visit":
            return "(visit)"
        return "(no name)"
    return "(no event)"


def _outcome(trace: Trace) -> Text:
    """The outcome, and below it the HTTP status or the reason."""
    result = trace.result
    if result is None:
        return Text("nothing", "bad")
    if trace.expected is None and trace.status is not None:
        return Text(f"{trace.status} {HTTPStatus(trace.status).phrase}")
    text = Text(printable(result.outcome), _STYLES.get(result.outcome, "warn"))
    if trace.status is not None:
        text.append(f"\nanswer {trace.status}", "quiet")
    elif result.detail not in ("", result.outcome):
        text.append(f"\n{printable(result.detail)}", "quiet")
    return text


def _recorded(trace: Trace) -> Text:
    result = trace.result
    if result is None or result.time is None:
        return Text("-", "quiet")
    own = result.recorded == "event"
    return Text.assemble(
        _moment(result.time),
        "\n",
        (_OWN_TIME if own else _ARRIVAL, "good" if own else "warn"),
        (f" ({result.rule})", "quiet"),
    )


def _moment(moment: datetime) -> str:
    return f"{moment:%d %b %H:%M:%S}"


def _findings(findings: Sequence[str], between: str) -> Text:
    text = Text()
    for number, finding in enumerate(findings):
        text.append(between if number else "")
        text.append(finding.replace(" ", "\N{NO-BREAK SPACE}"), finding.partition(" ")[0])
    return text


def summary_blocks(traces: Sequence[Trace], seconds: float) -> Iterator[Block]:
    """The last lines: the events that did not end as expected, or that all did."""
    wrong = [trace for trace in traces if not trace.as_expected]
    for trace in wrong:
        yield Block(_mismatch(trace))
    files = len({trace.sample.name for trace in traces})
    line = f"\n{files} samples, {len(traces)} events and calls, {seconds:.1f} s: "
    if wrong:
        yield Block(Text.assemble(line, (f"{len(wrong)} did not end as their file says.", "bad")))
    else:
        yield Block(Text.assemble(line, ("all ended as their files say.", "good")))


def _mismatch(trace: Trace) -> Text:
    return Text.assemble(
        "\n",
        (f"✗ events/{trace.sample.name}.json", "bad"),
        f", event {trace.number + 1}: ",
        "; ".join(map(printable, trace.differences())),
        ("\n  It says: " + trace.sample.description, "quiet"),
    )
