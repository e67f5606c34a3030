"""`relay identities import`: AppsFlyer's report of installs, and resuming after a kill."""

from __future__ import annotations

import csv
import gzip
import io
import json
import signal
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from unittest import mock

import boto3
import pytest
from moto.dynamodb.models import DynamoDBBackend

from relay.aws.table import DynamoTable
from relay.errors import TableUnavailableError
from relay.stores.identities import Customer, Identities, Identity
from relay_cli.identities.importer import Counts, Importer, Progress
from relay_cli.identities.report import MAX_LINE_BYTES, Fingerprint, Report, Row
from relay_cli.terminal.errors import CliError
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.integration.cli.conftest import RELAY, LocalQueues, Run, environment

APP = "id123456789"
HEADER = ["Media Source", "Install Time", "App ID", "Customer User ID", "AppsFlyer ID", "Platform"]
LINES = 80
LINES_IN_FULL = 5_000
CHUNK = 20


def line(number: int, **overrides: str) -> list[str]:
    values = {
        "Media Source": "organic",
        "Install Time": "2026-10-26 08:00:00",
        "App ID": APP,
        "Customer User ID": f"user-{number}",
        "AppsFlyer ID": f"1698765432100-{number:019}",
        "Platform": "ios",
        **overrides,
    }
    return [values[name] for name in HEADER]


def text_of(lines: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([header, *lines])
    return written.getvalue()


def write(path: Path, *lines: Sequence[str]) -> Path:
    path.write_text(text_of(lines), encoding="utf-8")
    return path


def rows(path: Path) -> list[Row]:
    with Report(path) as report:
        return list(report.rows())


def imported(path: Path, table: MemoryTable, chunk_rows: int = 100) -> tuple[Counts, list[Row]]:
    rejected: list[Row] = []
    identities = Identities(table)
    progress = Progress.of(path.with_suffix(".state"), Fingerprint.of(path))
    importer = Importer(identities.remember, progress, threads=4, rejects=rejected.extend)
    with Report(path) as report:
        list(importer.run(report, chunk_rows))
    return progress.counts, rejected


# Reading


@pytest.mark.parametrize("prefix", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_report_is_read_however_it_is_written(tmp_path: Path, prefix: str, packed: bool) -> None:  # noqa: FBT001
    content = (prefix + text_of([line(1)])).encode()
    path = tmp_path / "installs"
    path.write_bytes(gzip.compress(content) if packed else content)

    (row,) = rows(path)

    assert row.identity == Identity(
        APP, "user-1", "1698765432100-0000000000000000001", datetime(2026, 10, 26, 8, tzinfo=UTC),
        "ios",
    )  # fmt: skip


def test_report_columns_may_come_in_any_order_and_case(tmp_path: Path) -> None:
    path = tmp_path / "installs.csv"
    header = [" appsflyer id", "INSTALL TIME", "customer user id ", "App Id"]
    path.write_text(text_of([["1-2", "2026-10-26 08:00:00.123", "user-1", APP]], header))

    (row,) = rows(path)

    assert row.identity is not None
    assert (row.identity.appsflyer_id, row.identity.platform) == ("1-2", None)


def test_report_without_a_needed_column_says_which(tmp_path: Path) -> None:
    path = tmp_path / "installs.csv"
    path.write_text(text_of([], ["App ID", "Install Time"]))

    with pytest.raises(CliError, match="'Customer User ID', 'AppsFlyer ID'"):
        rows(path)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"AppsFlyer ID": ""}, "AppsFlyer ID is missing"),
        ({"App ID": " "}, "App ID is missing"),
        ({"Install Time": "yesterday"}, "Install Time is not of the form yyyy-mm-dd hh:mm:ss"),
        ({"Install Time": "2999-01-01 08:00:00"}, "Install Time is more than a day in the future"),
        ({"AppsFlyer ID": "1" * 256}, "AppsFlyer ID is not of at most 255 printable characters"),
        ({"AppsFlyer ID": "1\x002"}, "holds a NUL character"),
        ({"Customer User ID": "\ufffd"}, "is not UTF-8"),
    ],
)
def test_report_bad_line_has_number_and_reason(
    tmp_path: Path, fields: dict[str, str], problem: str
) -> None:
    path = write(tmp_path / "installs.csv", line(1), line(2, **fields))

    assert rows(path)[1] == Row(3, problem=problem)


NO_IDS = [
    ({"Customer User ID": "null"}, "Customer User ID stands for nobody (G4)"),
    ({"Customer User ID": "(NULL)"}, "Customer User ID stands for nobody (G4)"),
    ({"AppsFlyer ID": "N/A"}, "AppsFlyer ID is none: digits, a hyphen, digits (M1)"),
    ({"AppsFlyer ID": "00000-00000"}, "AppsFlyer ID is none: digits, a hyphen, digits (M1)"),
    (
        {"AppsFlyer ID": "9c9a82fb-d5de-4cd1-90c3-527441c11828"},
        "AppsFlyer ID is none: digits, a hyphen, digits (M1)",
    ),
    ({"App ID": "123456789"}, "App ID is none of a mobile app (E8)"),
]


def test_report_id_that_is_none_is_refused_and_counted(tmp_path: Path) -> None:
    good = [line(0), line(1, **{"Customer User ID": "unknown"}), line(2, Platform="null")]
    path = write(tmp_path / "installs.csv", *good, *(line(9, **fields) for fields, _ in NO_IDS))

    read = rows(path)
    counts, rejected = imported(path, MemoryTable())

    assert [row.problem for row in read[:3]] == [None] * 3
    assert [(row.problem, row.has_no_id) for row in read[3:]] == [(one, True) for _, one in NO_IDS]
    assert (counts.remembered, counts.bad, counts.no_id) == (3, 6, 6)
    assert rejected == read[3:]


def test_report_quotation_mark_out_of_place_costs_its_own_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "installs.csv"
    good = [",".join(line(number)) for number in (1, 3, 5)]
    path.write_text(
        "\n".join(
            [
                ",".join(HEADER),
                good[0],
                good[0].replace("user-1", '"user"-2'),
                good[1].replace("organic", '"two\nlines"'),
                good[1].replace("user-3", '"never closed'),
                good[2],
            ]
        )
    )

    found = rows(path)

    assert [row.identity and row.identity.customer_user_id for row in found] == [
        *("user-1", None, "user-3", None, "user-5"),
    ]
    problems = [(row.number, row.problem) for row in found if row.problem]
    reason = "is not CSV: a quotation mark is out of place"
    assert problems == [(3, reason), (6, reason)]


def test_report_line_that_is_cut_off_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "installs.csv"
    path.write_text("\n".join([",".join(HEADER), "organic,2026-10-26 08:00:00,id123456789"]))

    assert rows(path) == [Row(2, problem="has fewer columns than the first line")]


def test_report_row_without_end_is_not_unpacked(tmp_path: Path) -> None:
    """A quoted field may span many lines, and a row of short fields any number of them."""
    path = tmp_path / "bomb.gz"
    field = b'","' + b"x" * 28 + b"\n"
    path.write_bytes(gzip.compress(text_of([]).encode() + b'"' + field * (MAX_LINE_BYTES // 16)))

    with pytest.raises(CliError, match="are a row longer than"):
        rows(path)


def test_report_line_without_end_is_not_unpacked(tmp_path: Path) -> None:
    """A few kilobytes that unpack to a gigabyte."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(text_of([]).encode() + b"x" * (MAX_LINE_BYTES * 3)))

    with pytest.raises(CliError, match="line 2 is longer than"):
        rows(path)


def test_report_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(text_of([line(n) for n in range(999)]).encode())[:-400])

    with pytest.raises(CliError, match="damaged"):
        rows(path)


# Importing


@pytest.mark.parametrize("turned", [False, True], ids=["older first", "newer first"])
@pytest.mark.parametrize("chunk_rows", [1, 100], ids=["chunks apart", "one chunk"])
def test_import_newer_install_wins_in_either_order(
    tmp_path: Path,
    turned: bool,  # noqa: FBT001
    chunk_rows: int,
) -> None:
    newer = {"Install Time": "2026-11-01 08:00:00", "AppsFlyer ID": "9-9"}
    lines = [line(1), line(1, **newer)]
    path = write(tmp_path / "installs.csv", *(reversed(lines) if turned else lines))
    table = MemoryTable()

    counts, _ = imported(path, table, chunk_rows)

    assert Identities(table).of_customer("user-1")[0].appsflyer_id == "9-9"
    assert counts.remembered + counts.older == 2


def test_import_counts_what_became_of_each_row(tmp_path: Path) -> None:
    path = write(
        tmp_path / "installs.csv",
        line(1),
        line(2, **{"Customer User ID": ""}),
        line(3, **{"AppsFlyer ID": ""}),
        line(4, **{"Customer User ID": "x" * 3000}),
    )

    counts, rejected = imported(path, MemoryTable())

    assert counts == Counts(rows=4, remembered=1, older=0, without_customer=1, bad=2)
    assert [row.number for row in rejected] == [4, 5]
    assert "xxx" not in str(rejected[1].problem)


def test_import_goes_on_when_the_table_answers_again(tmp_path: Path) -> None:
    path = write(tmp_path / "installs.csv", line(1), line(2))
    table, waits = MemoryTable(), []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        table.error = None

    table.error = TableUnavailableError("throttled")
    progress = Progress.of(tmp_path / "state", Fingerprint.of(path))
    importer = Importer(
        Identities(table).remember, progress, threads=1, rejects=lambda _: None, pause=pause
    )
    with Report(path) as report:
        list(importer.run(report))

    assert len(table) == 2
    assert waits == [0.5]


def test_import_table_that_stays_silent_stops_and_keeps_what_is_done(tmp_path: Path) -> None:
    path = write(tmp_path / "installs.csv", line(1), line(2))
    table = MemoryTable()
    progress = Progress.of(tmp_path / "state", Fingerprint.of(path))
    importer = Importer(
        Identities(table).remember, progress, threads=1, rejects=lambda _: None,
        pause=lambda _: None,
    )  # fmt: skip
    with Report(path) as report:
        running = importer.run(report, 1)
        next(running)
        table.error = TableUnavailableError("down")
        with pytest.raises(CliError, match="run the same command again"):
            next(running)

    assert Progress.of(tmp_path / "state", Fingerprint.of(path)).counts.rows == 1


def test_import_of_another_file_begins_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "installs.csv", line(1))
    done = Progress.of(tmp_path / "state", Fingerprint.of(path))
    done.counts.rows = 1
    done.save()
    write(path, line(2))

    assert Progress.of(tmp_path / "state", Fingerprint.of(path)).counts.rows == 0


def test_import_goes_on_from_the_state_of_an_earlier_release(tmp_path: Path) -> None:
    """Which did not count ids that are none."""
    path = write(tmp_path / "installs.csv", line(1))
    done = Progress.of(tmp_path / "state", Fingerprint.of(path))
    done.counts.rows = 1
    done.save()
    state = json.loads((tmp_path / "state").read_text())
    del state["counts"]["no_id"]
    (tmp_path / "state").write_text(json.dumps(state))

    assert Progress.of(tmp_path / "state", Fingerprint.of(path)).counts.rows == 1


def test_import_into_another_table_begins_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "installs.csv", line(1))
    done = Progress.of(tmp_path / "state", Fingerprint.of(path), "AWS one")
    done.counts.rows = 1
    done.save()

    assert Progress.of(tmp_path / "state", Fingerprint.of(path), "AWS one").counts.rows == 1
    assert Progress.of(tmp_path / "state", Fingerprint.of(path), "AWS other").counts.rows == 0


# The command itself


@pytest.fixture
def table_name(queues: LocalQueues, tmp_path: Path) -> Iterator[str]:
    """A table in the local AWS, named in the ready file."""
    name = f"identities-{tmp_path.name}"
    client = dynamodb(queues)
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    ready = json.loads(queues.ready_file.read_text())
    queues.ready_file.write_text(json.dumps({**ready, "identities_table": name}))
    yield name
    client.delete_table(TableName=name)


def dynamodb(queues: LocalQueues) -> Any:
    return boto3.client("dynamodb", endpoint_url=queues.endpoint, region_name="us-east-1")


@contextmanager
def _table_that_halts(at: int) -> Iterator[tuple[Event, Event]]:
    """Whether the local table has halted at one of its writes, and what has it go on."""
    put, left = DynamoDBBackend.put_item, iter(range(at))
    halted, goes_on = Event(), Event()

    def put_item(*args: Any, **kwargs: Any) -> Any:
        if next(left, None) is None:
            halted.set()
            assert goes_on.wait(60)
        return put(*args, **kwargs)

    with mock.patch.object(DynamoDBBackend, "put_item", put_item):
        yield halted, goes_on


def test_import_goes_on_after_a_kill(
    run: Run,
    queues: LocalQueues,
    table_name: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    count = LINES_IN_FULL if pytestconfig.getoption("--full") else LINES
    path = write(tmp_path / "installs.csv", *(line(number) for number in range(count)))
    state = tmp_path / "installs.csv.import.json"
    command = ["identities", "import", str(path), "--chunk-rows", str(CHUNK), *queues.location]
    with _table_that_halts(2 * CHUNK + CHUNK // 2) as (halted, goes_on):
        first = subprocess.Popen([RELAY, *command], cwd=tmp_path, env=environment())
        assert halted.wait(60)
        first.send_signal(signal.SIGKILL)
        first.wait()
        goes_on.set()
    done = json.loads(state.read_text())["counts"]["rows"]

    second = run(*command)

    assert second.returncode == 0, second.stderr
    assert done == 2 * CHUNK
    assert f"behind row {done:,}".encode() in second.stderr
    assert f"{count:,} rows: {count:,} remembered".encode() in second.stdout
    assert not state.exists()
    assert dynamodb(queues).scan(TableName=table_name, Select="COUNT")["Count"] == count
    some = [f"user-{number}" for number in range(0, count, 20)]
    found = Identities(DynamoTable(dynamodb(queues), table_name)).find(
        [Customer(APP, one) for one in some]
    )
    assert len(found) == len(some)
    assert all(found.values())


def test_import_dry_run_writes_nothing_and_lists_bad_lines(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "installs.csv", line(1), line(2, **{"AppsFlyer ID": ""}))
    rejects = tmp_path / "bad.txt"

    done = run("identities", "import", str(path), "--dry-run", "--rejects", str(rejects))

    assert done.returncode == 1
    assert b"1 would be remembered" in done.stdout
    assert b"line 3: AppsFlyer ID is missing" in done.stdout
    assert rejects.read_text() == "line 3: AppsFlyer ID is missing\n"
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    assert b"user-2" not in done.stdout + done.stderr


def test_import_that_goes_on_keeps_the_bad_lines_of_before(
    run: Run, queues: LocalQueues, table_name: str, tmp_path: Path
) -> None:
    bad = {"AppsFlyer ID": ""}
    path = write(tmp_path / "installs.csv", line(1, **bad), line(2), line(3, **bad))
    file, rejects = Fingerprint.of(path), tmp_path / "bad.txt"
    into = f"{queues.endpoint} {table_name}"
    done = Progress.of(tmp_path / "installs.csv.import.json", file, into)
    done.counts = Counts(rows=1, bad=1)
    done.save()
    rejects.write_text("line 2: AppsFlyer ID is missing\n")
    rejects.chmod(0o644)

    run("identities", "import", str(path), "--rejects", str(rejects), *queues.location)

    listed = rejects.read_text().splitlines()
    assert listed == [f"line {number}: AppsFlyer ID is missing" for number in (2, 4)]
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600


def test_import_may_list_bad_lines_where_no_file_is(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "installs.csv", line(1, **{"AppsFlyer ID": ""}))
    mode = Path("/dev/null").stat().st_mode

    done = run("identities", "import", str(path), "--dry-run", "--rejects", "/dev/null")

    assert done.returncode == 1
    assert Path("/dev/null").stat().st_mode == mode


def test_import_dry_run_does_not_count_as_an_import(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "installs.csv", *(line(number) for number in range(9)))
    state = tmp_path / "state.json"
    state.write_text("{}")

    run("identities", "import", str(path), "--dry-run", "--state", str(state), "--chunk-rows", "1")

    assert state.read_text() == "{}"


def test_import_without_a_table_says_how_to_name_one(run: Run, tmp_path: Path) -> None:
    done = run("identities", "import", str(write(tmp_path / "installs.csv", line(1))))

    assert done.returncode == 2
    assert b"--stack NAME" in done.stderr


def test_get_shows_a_customers_ids_the_latest_install_first(
    run: Run, queues: LocalQueues, table_name: str, tmp_path: Path
) -> None:
    later = {"App ID": "com.example.shop", "Install Time": "2026-10-27 08:00:00"}
    write(tmp_path / "installs.csv", line(1), line(1, **later, **{"AppsFlyer ID": "1-2"}))
    imported_ = run("identities", "import", "installs.csv", "--json", *queues.location)

    shown = run("identities", "get", "user-1", *queues.location).stdout.decode()
    told = run("identities", "get", "user-1", "--json", *queues.location).stdout.splitlines()
    unknown = run("identities", "get", "user-9", *queues.location)

    assert json.loads(imported_.stdout)["remembered"] == 2
    assert shown.index("com.example.shop") < shown.index(APP)
    assert json.loads(told[0]) == {
        "app_id": "com.example.shop",
        "customer_user_id": "user-1",
        "appsflyer_id": "1-2",
        "installed_at": "2026-10-27T08:00:00.000Z",
        "platform": "ios",
    }
    assert len(told) == 2
    assert (unknown.returncode, unknown.stdout) == (1, b"")
    assert b"user-9" not in unknown.stderr
