"""Reads AppsFlyer's raw-data report: a CSV file of installs, a line at a time.

Columns are found by their names in the report, in any order; others are ignored. The file is UTF-8,
with or without a byte order mark, plain or gzip. The longest accepted row bounds memory.
"""

import csv
import gzip
import hashlib
import os
import stat
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

from relay.instants import parse_iso, utc_now
from relay.stores.identities import Identity
from relay_cli.identities.ids import no_id
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import open_file, read_error

COLUMNS: Final[Mapping[str, str]] = {
    "customer_user_id": "Customer User ID",
    "appsflyer_id": "AppsFlyer ID",
    "app_id": "App ID",
    "install_time": "Install Time",
    "platform": "Platform",
}
_REQUIRED: Final = ("customer_user_id", "appsflyer_id", "app_id", "install_time")

MAX_LINE_BYTES: Final = 1024 * 1024
"""The most bytes of a line, and of a row: a quoted row may span several lines."""

_MAX_ID_LENGTH: Final = 255
_MAX_FUTURE: Final = timedelta(days=1)
"""A later install is a mistake, and would win over every true one."""

_GZIP: Final = b"\x1f\x8b"
_READ_BYTES: Final = 4 * 1024
"""Compressed bytes to read at a time, so that the compression ratio is known early."""
_UNCHECKED_BYTES: Final = 1024 * 1024
"""Bytes to read from any compressed file before its ratio is checked."""
_MAX_RATIO: Final = 200
"""Bytes per compressed byte: wide reports have up to 80, bombs up to 1,030."""
_NOT_TEXT: Final[Mapping[str, str]] = {
    "\N{REPLACEMENT CHARACTER}": "is not UTF-8",
    "\0": "holds a NUL character",
}
"""Signs that a value is not text, and the message for each."""


class Row(NamedTuple):
    """One row: an identity, or a problem, or neither if the row has no customer."""

    number: int
    """The number of its first line in the file; the header is line 1."""
    identity: Identity | None = None
    problem: str | None = None
    has_no_id: bool = False
    """Whether the problem is an id that is none."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identifies a file by its size and a digest of its beginning."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Fingerprint":
        """Raises `CliError`."""
        try:
            # A pipe or device can be read only once, and has no size.
            if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
                raise CliError(f"{path} is no plain file: save the report first")
            with path.open("rb") as file:
                beginning = file.read(1024 * 1024)
                return cls(os.fstat(file.fileno()).st_size, hashlib.sha256(beginning).hexdigest())
        except OSError as error:
            raise read_error(path, error) from error


class _Lines:
    """The lines of a report. After a broken row, its lines can be read again."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._pending = deque[str]()
        self._row: list[str] = []
        self.number = 1
        """The number of the first line of the current row."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line."""
        line = self._pending.popleft() if self._pending else next(self._lines)
        self._row.append(line)
        return line

    def next_row(self) -> None:
        """Begins a new row."""
        self.number += len(self._row)
        self._row.clear()

    def retry_rest(self) -> None:
        """Ends a broken row after its first line, and reads its other lines again."""
        self._pending.extendleft(reversed(self._row[1:]))
        del self._row[1:]


class Report:
    """A report that is being read."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = utc_now) -> None:
        self._file = open_file(path)
        self._path = path
        self._clock = clock
        self._bytes_read = 0
        self._since_row = 0
        """Bytes read since the last row ended."""

    @property
    def position(self) -> int:
        """How many bytes of the file have been read, compressed ones if it is compressed."""
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._file.close()

    def rows(self) -> Iterator[Row]:
        """Every row after the header; raises `CliError` if the file is not a report."""
        lines = _Lines(self._lines())
        reader = csv.reader(lines, strict=True)
        latest = self._clock() + _MAX_FUTURE
        columns = self._columns(self._header(reader))
        while True:
            lines.next_row()
            try:
                fields = next(reader, None)
            except csv.Error:
                lines.retry_rest()
                self._since_row = 0
                yield Row(lines.number, problem="is not CSV: a quotation mark is out of place")
                continue
            if fields is None:
                return
            if fields:
                self._since_row = 0
                yield _row(lines.number, fields, columns, latest)

    def _header(self, reader: Iterator[list[str]]) -> list[str] | None:
        try:
            return next(reader, None)
        except csv.Error as error:
            raise CliError(f"{self._path} is no CSV file: {error}") from error

    def _columns(self, header: Sequence[str] | None) -> dict[str, int]:
        """The position of each column."""
        names = [name.strip().casefold() for name in header or ()]
        if problem := _not_text(names):
            raise CliError(f"{self._path} is no report of installs: its first line {problem}")
        columns = {
            field: names.index(title.casefold())
            for field, title in COLUMNS.items()
            if title.casefold() in names
        }
        missing = [COLUMNS[field] for field in _REQUIRED if field not in columns]
        if missing:
            raise CliError(
                f"{self._path} is no report of installs: its first line has no column "
                f"{', '.join(repr(name) for name in missing)}"
            )
        return columns

    def _lines(self) -> Iterator[str]:
        stream = self._stream()
        try:
            for number, line in enumerate(_bounded(stream), 1):
                self._check(number, len(line), is_packed=stream is not self._file)
                text = line.decode("utf-8", "replace")
                yield text.removeprefix("\ufeff") if number == 1 else text
        except (OSError, EOFError, zlib.error) as error:
            raise CliError(f"{self._path} cannot be read to its end: it is damaged") from error

    def _check(self, number: int, size: int, *, is_packed: bool) -> None:
        """Stops reading what is not a report before it takes much memory or time."""
        self._bytes_read += size
        self._since_row += size
        if size > MAX_LINE_BYTES or self._since_row > MAX_LINE_BYTES:
            what = "is" if size > MAX_LINE_BYTES else "and those before it are a row"
            raise CliError(
                f"{self._path}, line {number} {what} longer than {MAX_LINE_BYTES} bytes: this is "
                "no report"
            )
        if is_packed and self._bytes_read > max(_UNCHECKED_BYTES, self.position * _MAX_RATIO):
            raise CliError(
                f"{self._path} is packed more than {_MAX_RATIO}-fold: this is no report. If it "
                "is one, unpack it first"
            )

    def _stream(self) -> IO[bytes]:
        beginning = self._file.read(len(_GZIP))
        self._file.seek(0)
        if beginning != _GZIP:
            return self._file
        return gzip.open(_SmallReads(self._file), "rb")  # type: ignore[return-value] # a GzipFile reads bytes


class _SmallReads:
    """A file that is read in small pieces."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, _READ_BYTES))

    def seek(self, column: int, /) -> object:
        return self._file.seek(column)


def _bounded(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines, cut off above the limit, so that a bomb is not unpacked."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        yield line


def _not_text(values: Collection[str]) -> str | None:
    return next(
        (problem for sign, problem in _NOT_TEXT.items() if any(sign in one for one in values)), None
    )


def _row(number: int, fields: Sequence[str], columns: Mapping[str, int], latest: datetime) -> Row:
    if any(columns[name] >= len(fields) for name in _REQUIRED):
        return Row(number, problem="has fewer columns than the first line")
    values = {
        name: fields[column].strip() if column < len(fields) else ""
        for name, column in columns.items()
    }
    if not values["customer_user_id"]:
        return Row(number)
    if problem := _not_text(values.values()):
        return Row(number, problem=problem)
    installed_at = parse_iso(values["install_time"], needs_offset=False)
    problem = _problem(values, installed_at, latest)
    if problem is not None or installed_at is None:
        return Row(number, problem=problem)
    if problem := no_id(values["customer_user_id"], values["appsflyer_id"], values["app_id"]):
        return Row(number, problem=problem, has_no_id=True)
    platform = values.get("platform", "").lower() or None
    return Row(
        number,
        Identity(
            values["app_id"], values["customer_user_id"], values["appsflyer_id"], installed_at,
            platform,
        ),
    )  # fmt: skip


def _problem(
    values: Mapping[str, str], installed_at: datetime | None, latest: datetime
) -> str | None:
    """What is wrong with a row's fields; never their values."""
    missing = [COLUMNS[name] for name in _REQUIRED if not values[name]]
    if missing:
        return f"{missing[0]} is missing"
    if len(values["appsflyer_id"]) > _MAX_ID_LENGTH or not values["appsflyer_id"].isprintable():
        return f"AppsFlyer ID is not of at most {_MAX_ID_LENGTH} printable characters"
    if installed_at is None:
        return "Install Time is not of the form yyyy-mm-dd hh:mm:ss"
    return "Install Time is more than a day in the future" if installed_at > latest else None
