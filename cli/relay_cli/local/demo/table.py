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
from relay_cli.terminal.rule_links import linked_rules
from relay_cli.watch.lines import wrapped

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
"""From this width on it is a table: in a narrower one, words would be broken."""
LEGEND: Final = (
    "✓ ended as its file says  ✗ did not. After warn, repair and reject stand the rules: "
    "`relay rule M22` shows one."
)
_COLUMNS: Final[dict[str, int | None]] = {
    "": 1,
    "source": 6,
    "app": 23,
    "event and sample": 25,
    "outcome": 16,
    "recorded (UTC)": 15,
    "findings": None,
}
"""Fixed widths, because Rich would shrink the names to fit long findings."""
_INDENT: Final = 9
_OWN_TIME: Final = "own time"
_ARRIVAL: Final = "arrival"


def traces_blocks(traces: Sequence[Trace], width: int) -> Iterator[Block]:
    """Every event, and what the signs mean, for a terminal of `width` columns."""
    if width >= _WIDE:
        yield Block(_table(traces))
    else:
        for trace in traces:
            yield Block(_lines(trace, width), exact=True)
    yield Block(Text(f"\n{LEGEND}", "quiet"))


def _table(traces: Sequence[Trace]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for title, columns in _COLUMNS.items():
        table.add_column(title, width=columns, overflow="fold")
    for trace, following in zip(traces, [*traces[1:], None], strict=True):
        ends = following is not None and following.sample.entry != trace.sample.entry
        table.add_row(*_row(trace), end_section=ends)
    return table


def _row(trace: Trace) -> tuple[Text, ...]:
    return (
        _sign(trace),
        Text(_SOURCES[trace.sample.entry]),
        Text(printable(_app(trace))),
        _event(trace),
        _outcome(trace),
        _recorded(trace),
        _findings(trace.result.findings if trace.result else (), ", "),
    )


def _lines(trace: Trace, width: int) -> Text:
    """The same on as few lines as it takes, broken between words only."""
    findings = trace.result.findings if trace.result else ()
    cells = (Text(printable(_app(trace))), _event(trace), _outcome(trace), _recorded(trace))
    parts = [_sign(trace), Text(f"{_SOURCES[trace.sample.entry]:<4} ")]
    for cell in (*cells, _findings(findings, "\n")):
        parts += [line for line in cell.split("\n") if line.plain not in {"", "-"}]
    return wrapped(parts, width, _INDENT)


def _sign(trace: Trace) -> Text:
    return Text("✓", "good") if trace.as_expected else Text("✗", "bad")


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
        severity, _, rule = finding.partition(" ")
        text.append(f"{severity}\N{NO-BREAK SPACE}", severity)
        text.append_text(linked_rules([rule], severity))
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
