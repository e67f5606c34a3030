"""NDJSON: one line in, one line out, in the same order.

Memory is bounded: a line that is too long is skipped while it is read. All lines that were read get
their result before more input is awaited, so that a pipe never blocks.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from relay.exact_json import UnwritableError, dumps
from relay_cli.terminal.console import require_stdout, write_line
from relay_cli.terminal.files import BYTE_ORDER_MARK, open_file, read_error
from relay_cli.terminal.pipes import reader_may_leave

MAX_LINE_BYTES: Final = 1_048_576
"""SQS accepts no message above 1 MiB, so no event is longer."""
_READ_BYTES: Final = 65_536

_LINE_BREAKS: Final = re.compile(b"\xc2\x85|\xe2\x80[\xa8\xa9]")
"""Line ends in Unicode, which some readers split lines at."""

Answer = Callable[[bytes | None], bytes]
"""The result for one line; None stands for a line that was too long. Never raises."""


def answer_lines(path: Path, answer: Answer, longest: int = MAX_LINE_BYTES) -> None:
    """Writes one result for each line of a file (`-`: standard input).

    `longest`: bytes of a line. Raises `CliError` if the file cannot be read.
    """
    require_stdout()
    with reader_may_leave():
        for lines in lines_of(path, longest):
            write_line(b"".join(map(answer, lines)))


def lines_of(path: Path, longest: int = MAX_LINE_BYTES) -> Iterator[list[bytes | None]]:
    """The lines of a file (`-`: standard input) as `batches` gives them; raises `CliError`."""
    with open_file(path) as file:
        pending = batches(file.fileno(), longest=longest)
        while (lines := _next(pending, path)) is not None:
            yield lines


def batches(
    descriptor: int, read_bytes: int = _READ_BYTES, *, longest: int = MAX_LINE_BYTES
) -> Iterator[list[bytes | None]]:
    """The lines of a stream, in batches of what is available; None for a line that is too long.

    Each read takes at most `read_bytes`.
    """
    partial, skipping, first = b"", False, True
    while data := os.read(descriptor, read_bytes):
        *complete, rest = (partial + data).split(b"\n")
        lines: list[bytes | None] = [_unless_too_long(line, longest) for line in complete]
        if lines and skipping:
            lines[0], skipping = None, False
        if lines and first and lines[0] is not None:
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        first = first and not lines
        skipping = skipping or len(rest) > longest
        partial = b"" if skipping else rest
        if lines:
            yield lines
    if partial or skipping:
        yield [None if skipping else partial.removeprefix(BYTE_ORDER_MARK) if first else partial]


def _unless_too_long(line: bytes, longest: int) -> bytes | None:
    return line if len(line) <= longest else None


def encode(result: Mapping[str, Any]) -> bytes:
    """A result as a line."""
    try:
        return _LINE_BREAKS.sub(_escape, dumps(result)) + b"\n"
    except UnwritableError:
        # An id may hold a lone surrogate, which only an escape sequence can express.
        return json.dumps(dict(result)).encode() + b"\n"


def _escape(character: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(character[0].decode())


def _next(pending: Iterator[list[bytes | None]], path: Path) -> list[bytes | None] | None:
    try:
        return next(pending, None)
    except OSError as error:
        raise read_error(path, error) from error
