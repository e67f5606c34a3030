"""What the lines of a stack's logs say, for people. Pure."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from rich.text import Text

from relay_cli.clients.logs import LogLine
from relay_cli.terminal.console import printable
from relay_cli.watch.lines import SIGNS, wrapped

_INDENT: Final = 11
_FATAL: Final = ("Task timed out", "Runtime exited", "OutOfMemory", "Runtime.ImportModuleError")
_OWN: Final = frozenset(
    {"level", "location", "message", "timestamp", "service", "xray_trace_id", "surface"}
)
_UNTOLD: Final = frozenset({"certificate authorities", "batch"})
_NOT_DELIVERED: Final = "event not delivered"
_STYLES: Final = {"ERROR": "bad", "CRITICAL": "bad", "WARNING": "warn"}


class Told(NamedTuple):
    """A line that says something: `fields` are those of the relay's own lines."""

    at: datetime
    function: str
    message: str
    fields: dict[str, Any]
    level: str

    def as_json(self) -> dict[str, Any]:
        """`{"at", "function", "message", "level", ...}` with the line's own fields."""
        head = {"at": iso(self.at), "function": self.function, "message": self.message}
        return {**head, "level": self.level, **self.fields}


def read(line: LogLine) -> Told | None:
    """What a line says; None of what is no news: metrics, Lambda's own reports, empty batches."""
    at = datetime.fromtimestamp(line.at / 1000, UTC)
    content = _object(line.text)
    if content is None:
        is_fatal = any(sign in line.text for sign in _FATAL)
        return Told(at, line.function, line.text, {}, "ERROR") if is_fatal else None
    message = content.get("message")
    if "_aws" in content or not isinstance(message, str):
        return None
    fields = {name: one for name, one in content.items() if name not in _OWN and one is not None}
    told = Told(at, line.function, message, fields, str(content.get("level", "INFO")))
    return told if _is_news(told) else None


def log_line(told: Told, width: int) -> Text:
    """The line for a terminal of `width` columns."""
    return wrapped(list(_parts(told)), width, _INDENT)


def iso(moment: datetime) -> str:
    """A moment in UTC, in milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_news(told: Told) -> bool:
    if told.message not in _UNTOLD:
        return True
    return told.message == "batch" and any(_counts(told.fields))


def _parts(told: Told) -> Iterator[Text]:
    outcome = str(told.fields.get("outcome", ""))
    is_event = told.message == _NOT_DELIVERED
    sign, style = SIGNS.get(outcome, ("·", _STYLES.get(told.level, "quiet")))
    yield Text(f"{told.at:%H:%M:%S} ", "quiet")
    yield Text(sign, style)
    yield Text(told.function)
    if told.message == "batch":
        yield from (Text(f"{count:,} {name}") for name, count in _counts(told.fields))
        yield from _findings(told.fields)
        return
    yield Text(outcome if is_event else printable(told.message), style)
    hidden = {"outcome", "findings"} if is_event else {"findings"}
    for name, value in told.fields.items():
        if name not in hidden and value not in ("", False):
            yield Text.assemble((f"{name} ", "quiet"), printable(str(value)))


def _counts(fields: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, count in fields.items():
        if isinstance(count, int) and not isinstance(count, bool) and count:
            yield name, count


def _findings(fields: Mapping[str, Any]) -> Iterator[Text]:
    findings = fields.get("findings")
    if isinstance(findings, dict) and findings:
        yield Text("findings " + ", ".join(f"{n} {rule}" for rule, n in findings.items()), "quiet")


def _object(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
