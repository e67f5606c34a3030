"""A million installs through the code of `relay identities import`: how long, in how much memory.

    python -m bench.identities_import [LINES]

The table is the one in memory that passes the same contract tests as DynamoDB's (moto takes about
180 conditional writes a second). Then the same again, killed in the middle and gone on with.
"""

import csv
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from relay.stores.identities import Identities
from relay_cli.identities.importer import Importer, Progress
from relay_cli.identities.report import Fingerprint, Report
from relay_sandbox.local_aws.memory_table import MemoryTable

LINES = 1_000_000
COLUMNS = 80
_USED = ("Install Time", "App ID", "Customer User ID", "AppsFlyer ID", "Platform")


def main(lines: int) -> None:
    """Writes the report, and imports it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "installs.csv"
        _write(path, lines)
        print(f"{lines:,} lines of {COLUMNS} columns, {path.stat().st_size / 1e6:.0f} MB")
        subprocess.run([*_CHILD, str(path)], check=True)
        print("again, killed after the first quarter:")
        _killed(path, lines // 4)
        subprocess.run([*_CHILD, str(path)], check=True)


_CHILD = [sys.executable, "-m", "bench.identities_import", "--import"]


def _killed(path: Path, rows: int) -> None:
    child = subprocess.Popen([*_CHILD, str(path)], stdout=subprocess.DEVNULL)
    while _progress(path).counts.rows < rows:
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()


def _progress(path: Path) -> Progress:
    return Progress.of(path.with_suffix(".state"), Fingerprint.of(path))


def _import(path: Path) -> None:
    identities, began = Identities(MemoryTable()), time.perf_counter()
    progress = _progress(path)
    behind = progress.counts.rows
    importer = Importer(identities.remember, progress, threads=4, rejects=lambda _: None)
    with Report(path) as report:
        for _ in importer.run(report):
            pass
    progress.remove()
    seconds = time.perf_counter() - began
    done = progress.counts.rows - behind
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  from row {behind:,}: {done:,} rows in {seconds:.0f} s, {done / seconds:,.0f} a second, "
        f"peak {peak:.0f} MiB; {progress.counts.remembered:,} remembered in all"
    )


def _write(path: Path, lines: int) -> None:
    others = [f"Column {number}" for number in range(COLUMNS - len(_USED))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_USED, *others])
        writer.writerows(_rows(lines, len(others)))


def _rows(lines: int, others: int) -> Iterator[list[str]]:
    rest = ["some value" if number % 3 == 0 else "" for number in range(others)]
    for number in range(lines):
        moment = f"2026-10-{number % 28 + 1:02} 08:{number % 60:02}:00"
        customer = f"customer-{number * 7_919 % lines:012}"
        yield [moment, "id123456789", customer, f"1698765432100-{number:019}", "ios", *rest]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--import"]:
        _import(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
