"""Invalid files for `relay identities import`, in a process with little memory."""

import gzip
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from relay_cli.identities.importer import Counts, Progress
from relay_cli.identities.report import Fingerprint, Report
from relay_cli.terminal.errors import CliError
from tests.integration.cli.conftest import Run

MIB = 1024 * 1024
HEADER = b"Install Time,App ID,Customer User ID,AppsFlyer ID\n"
ROW = b"2026-10-26 08:00:00,id123456789,ada@example.com,1698765432100-1234567\n"
GOOD = HEADER + ROW

MEMORY_MIB = 48
"""Of each of these imports: less than what it would unpack or collect."""

Import = Callable[[], subprocess.CompletedProcess[bytes]]


@pytest.fixture
def imported(run: Run) -> Import:
    """Reads `report` with little memory."""
    command = ("identities", "import", "report", "--dry-run", "--threads", "1")
    return lambda: run(*command, memory_mib=MEMORY_MIB)


def is_refused(done: subprocess.CompletedProcess[bytes], why: bytes) -> None:
    """It exited with 2 and one sentence, which holds nothing of the report's content."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(b"relay: report")
    assert done.stderr.count(b"\n") == 1
    assert why in done.stderr
    assert b"ada@example.com" not in done.stderr


def _written(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)


# Bombs: a megabyte that unpacks to one gigabyte


def _bomb(path: Path, piece: bytes) -> None:
    """The header and 1 GiB of `piece`, compressed. A gzip file may have many members."""
    member = gzip.compress(piece * (8 * MIB // len(piece)))
    _written(path, iter([gzip.compress(HEADER), *repeat(member, 128)]))


@pytest.mark.parametrize(
    ("piece", "why"),
    [
        (b"\0", b"line 2 is longer than 1048576 bytes"),
        (b"\r\n", b"are a row longer than 1048576 bytes"),
        (b"," * 63 + b"\n", b"packed more than 200-fold"),
        (ROW, b"packed more than 200-fold"),
    ],
    ids=["zeros", "blank lines", "empty rows", "one row again and again"],
)
def test_import_of_a_bomb_ends_before_it_is_unpacked(
    imported: Import, tmp_path: Path, piece: bytes, why: bytes
) -> None:
    _bomb(tmp_path / "report", piece)

    is_refused(imported(), why)


def test_import_of_zeros_without_a_header_ends_before_they_are_unpacked(
    imported: Import, tmp_path: Path
) -> None:
    _written(tmp_path / "report", repeat(gzip.compress(bytes(8 * MIB)), 128))

    is_refused(imported(), b"line 1 is longer than")


def test_import_of_a_report_that_packs_well_is_read(imported: Import, tmp_path: Path) -> None:
    """Eighty columns, nearly all of them empty, as in AppsFlyer's raw data."""
    wide = b"".join(
        b"2026-10-26 08:00:00,id123456789,user-%d,1698765432100-%07d%s\n" % (n, n, b"," * 400)
        for n in range(5_000)
    )
    assert len(wide) > 2 * MIB
    (tmp_path / "report").write_bytes(gzip.compress(HEADER + wide))

    done = imported()

    assert done.returncode == 0, done.stderr
    assert b"5,000 would be remembered" in done.stdout


# Endless fields and rows


def _field_of_one_line(path: Path) -> None:
    _written(path, iter([HEADER, *repeat(b"x" * MIB, 100), b"\n"]))


def _quoted_field_of_many_lines(path: Path) -> None:
    _written(path, iter([HEADER, b'"', *repeat(b"x" * 16_383 + b"\n", 6 * 1024), b'"\n']))


def _row_of_many_lines(path: Path) -> None:
    _written(path, iter([HEADER, *repeat(b'a,"\n",' * 1024, 20 * 1024)]))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_field_of_one_line, b"line 2 is longer than"),
        (_row_of_many_lines, b"are a row longer than"),
    ],
    ids=["100 MiB field", "row over many lines"],
)
def test_import_of_a_row_without_end_takes_no_more_memory(
    imported: Import, tmp_path: Path, make: Callable[[Path], None], why: bytes
) -> None:
    make(tmp_path / "report")

    is_refused(imported(), why)


def test_import_of_a_field_without_end_lists_its_lines_and_takes_no_more_memory(
    imported: Import, tmp_path: Path
) -> None:
    """A quotation mark that is never closed: each line after it may be a row."""
    _quoted_field_of_many_lines(tmp_path / "report")

    done = imported()

    assert done.returncode == 1, done.stderr
    assert b"6,145 bad" in done.stdout


# Damaged files, and files of other kinds


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", b"no column 'Customer User ID'"),
        (b"\x1f\x8b", b"damaged"),
        (b"\x1f\x8b" + bytes(range(256)) * 8, b"damaged"),
        (gzip.compress(GOOD * 100)[:-9], b"damaged"),
        (GOOD.decode().encode("utf-16"), b"its first line is not UTF-8"),
        (b"{" + b"[" * 100_000, b"no column"),
    ],
    ids=["empty", "gzip without a body", "gzip in name", "cut off", "UTF-16", "JSON"],
)
def test_import_of_what_is_no_report_says_so(
    run: Run, tmp_path: Path, content: bytes, why: bytes
) -> None:
    (tmp_path / "report").write_bytes(content)

    is_refused(run("identities", "import", "report", "--dry-run"), why)


@pytest.mark.parametrize("place", range(20, 400, 20))
def test_report_with_one_byte_changed_in_its_packed_form_is_damaged(
    tmp_path: Path, place: int
) -> None:
    rows = (b"2026-10-26 08:00:00,id1,%s,1-2\n" % os.urandom(8).hex().encode() for _ in range(99))
    packed = bytearray(gzip.compress(HEADER + b"".join(rows)))
    packed[place] ^= 0x55
    path = tmp_path / "report"
    path.write_bytes(packed)

    with pytest.raises(CliError, match=r"damaged|no report|no CSV"), Report(path) as report:
        list(report.rows())


@pytest.mark.parametrize(
    ("name", "why"),
    [("é".encode("latin-1"), b"is not UTF-8"), (b"ada\0lovelace", b"holds a NUL character")],
    ids=["Latin-1", "NUL"],
)
def test_import_of_a_row_that_is_no_text_is_a_finding(
    run: Run, tmp_path: Path, name: bytes, why: bytes
) -> None:
    (tmp_path / "report").write_bytes(GOOD + ROW.replace(b"ada", name))

    done = run("identities", "import", "report", "--dry-run")

    assert done.returncode == 1
    assert b"line 3: " + why in done.stdout
    assert b"1 would be remembered" in done.stdout


@pytest.mark.parametrize("kind", ["missing", "folder", "loop of links", "pipe"])
def test_import_of_what_is_no_file_says_so(run: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "report"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop of links":
        path.symlink_to(path)
    elif kind == "pipe":
        os.mkfifo(path)  # without a writer, opening it would block forever

    is_refused(run("identities", "import", "report", "--dry-run"), b"")


# The state file and the file of rejected lines


@pytest.mark.parametrize("option", ["--state", "--rejects"])
def test_import_does_not_write_over_its_own_report(run: Run, tmp_path: Path, option: str) -> None:
    (tmp_path / "report").write_bytes(GOOD)

    done = run("identities", "import", "report", "--dry-run", option, "./report")

    is_refused(done, b"written over")
    assert (tmp_path / "report").read_bytes() == GOOD


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"dear diary",
        b"[" * 200_000,
        b"[]",
        b'{"counts": 5}',
        json.dumps(
            {"file": {}, "counts": {**dict.fromkeys(Counts.__slots__, 0), "rows": -1}}
        ).encode(),
        json.dumps({"file": {}, "counts": dict.fromkeys(Counts.__slots__, "1")}).encode(),
    ],
    ids=["empty", "text", "nested deeply", "array", "other object", "negative", "texts"],
)
def test_import_does_not_write_over_a_file_that_is_no_state(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "report").write_bytes(GOOD)
    state = tmp_path / "state"
    state.write_bytes(content)

    with pytest.raises(CliError, match="state of an import"):
        Progress.of(state, Fingerprint.of(tmp_path / "report"))

    assert state.read_bytes() == content
