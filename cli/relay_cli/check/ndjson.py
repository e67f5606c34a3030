"""`relay check --ndjson`: one line in, one line out, in the same order.

Memory is bounded: a line that is too long is skipped while it is read. All lines that were read get
their result before more input is awaited, so that a pipe never blocks.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from relay.domain.findings import Finding
from relay.exact_json import (
    DoubledObject,
    InvalidJsonError,
    NameTwiceError,
    UnwritableError,
    dumps,
    loads_once,
)
from relay.instants import iso_form
from relay.rules.prepare import Prepared
from relay_cli.input.event import Defaults, InputEvent, InvalidInput, from_line
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import open_file, read_error

MAX_LINE_BYTES: Final = 1_048_576
"""SQS accepts no message above 1 MiB, so no event is longer."""
_READ_BYTES: Final = 65_536
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_LINE_BREAKS: Final = re.compile(b"\xc2\x85|\xe2\x80[\xa8\xa9]")
"""Line ends in Unicode, which some readers split lines at."""

_TOO_LONG: Final = InvalidInput.with_reason(
    "E3", "line", f"is longer than {MAX_LINE_BYTES:,} bytes: no queue would take it"
)
_NOT_AN_OBJECT: Final = InvalidInput.with_reason(
    "E3", "line", "must be a JSON object: kind, app_id, event"
)
_BLANK: Final = InvalidInput.with_reason(
    "E3", "line", "is blank: one JSON object is expected on each"
)
_BAD_ID: Final = Finding(
    *InvalidInput.with_reason("E3", "id", "must be text or a number").findings[0]
)
_NAME_TWICE: Final = InvalidInput.with_reason(
    "E3", "line", "holds a name twice, and which value is meant cannot be told: send it once"
)
_UNCHECKED: Final = InvalidInput.with_reason(
    "E3", "line", "could not be checked: this is a fault of relay's own, please report it"
)


def check_stream(path: Path, defaults: Defaults) -> None:
    """Checks each line of a file (`-`: standard input) and writes one result per line.

    Raises `CliError` if the file cannot be read.
    """
    # A reader that stops early is no error (SIGPIPE does not exist on Windows).
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if sys.stdout is None:
        raise CliError("standard output is closed: there is nowhere to write")
    with open_file(path) as file:
        pending = batches(file.fileno())
        while (lines := _next(pending, path)) is not None:
            sys.stdout.buffer.write(b"".join(answer(line, defaults) for line in lines))
            sys.stdout.buffer.flush()


def answer(line: bytes | None, defaults: Defaults) -> bytes:
    """The result for one line; None stands for a line that was too long. Never raises."""
    identity: object = None
    try:
        identity, parsed = _parse(line, defaults)
        return _encode(identity, _describe(parsed))
    except Exception:  # noqa: BLE001 - one line must not fail the others; the error's text is never shown
        return _encode(identity, _describe(_UNCHECKED))


def batches(descriptor: int, read_bytes: int = _READ_BYTES) -> Iterator[list[bytes | None]]:
    """The lines of a stream, in batches of what is available; None for a line that is too long.

    Each read takes at most `read_bytes`.
    """
    partial, skipping, first = b"", False, True
    while data := os.read(descriptor, read_bytes):
        *complete, rest = (partial + data).split(b"\n")
        lines: list[bytes | None] = [_unless_too_long(line) for line in complete]
        if lines and skipping:
            lines[0], skipping = None, False
        if lines and first and lines[0] is not None:
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        first = first and not lines
        skipping = skipping or len(rest) > MAX_LINE_BYTES
        partial = b"" if skipping else rest
        if lines:
            yield lines
    if partial or skipping:
        yield [None if skipping else partial.removeprefix(_BYTE_ORDER_MARK) if first else partial]


def _unless_too_long(line: bytes) -> bytes | None:
    return line if len(line) <= MAX_LINE_BYTES else None


def _parse(line: bytes | None, defaults: Defaults) -> tuple[object, InputEvent | InvalidInput]:
    """The line's id and its event."""
    if line is None:
        return None, _TOO_LONG
    if not line.strip():
        return None, _BLANK
    try:
        content = loads_once(line)
    except NameTwiceError as error:
        content = error.rest
        if not isinstance(content, DoubledObject) or content.own:
            return None, _NAME_TWICE
    except InvalidJsonError as error:
        return None, InvalidInput.with_reason("E3", "line", f"is {error}")
    if not isinstance(content, dict):
        return None, _NOT_AN_OBJECT
    parsed = from_line(content, defaults)
    identity = content.get("id")
    if _is_id(identity):
        return identity, parsed
    findings = parsed.findings if isinstance(parsed, InvalidInput) else ()
    return None, InvalidInput((*findings, _BAD_ID))


def _is_id(value: object) -> bool:
    if isinstance(value, Decimal):
        with suppress(UnwritableError):
            return bool(dumps(value))
        return False
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _describe(parsed: InputEvent | InvalidInput) -> dict[str, Any]:
    if isinstance(parsed, InvalidInput):
        return _rejected(parsed.findings)
    prepared = parsed.prepare()
    body = None if prepared.body is None else prepared.body.decode()
    return {
        "verdict": prepared.verdict,
        "url": None if body is None else prepared.url,
        "body": body,
        "findings": [finding.as_dict() for finding in prepared.findings],
        "recorded": _recorded_time(prepared),
        "deadline": iso_form(prepared.deadline) if prepared.deadline else None,
    }


def _rejected(findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        "verdict": "reject",
        "url": None,
        "body": None,
        "findings": [finding.as_dict() for finding in findings],
        "recorded": None,
        "deadline": None,
    }


def _recorded_time(prepared: Prepared) -> dict[str, str] | None:
    recorded = prepared.recorded
    if recorded is None:
        return None
    return {
        "time": iso_form(recorded.time),
        "source": recorded.source,
        "rule": recorded.rule,
    }


def _encode(identity: object, description: dict[str, Any]) -> bytes:
    result = {"id": identity, **description}
    try:
        return _LINE_BREAKS.sub(_escape, dumps(result)) + b"\n"
    except UnwritableError:
        # An id may hold a lone surrogate, which only an escape sequence can express.
        return json.dumps(result).encode() + b"\n"


def _escape(character: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(character[0].decode())


def _next(pending: Iterator[list[bytes | None]], path: Path) -> list[bytes | None] | None:
    try:
        return next(pending, None)
    except OSError as error:
        raise read_error(path, error) from error
