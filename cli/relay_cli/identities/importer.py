"""`relay identities import`: imports a report in chunks, and resumes after a stop."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from relay.errors import TableUnavailableError
from relay.stores.identities import Identities, Identity, UnusableIdError
from relay_cli.identities.report import Fingerprint, Report, Row
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import read_object

CHUNK_ROWS: Final = 5_000
_RETRY_DELAYS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each retry of a failed write."""

Remember = Callable[[Identity], bool]
Pause = Callable[[float], None]


@dataclass(slots=True)
class Counts:
    """What happened to the rows so far."""

    rows: int = 0
    remembered: int = 0
    older: int = 0
    """A newer install of the customer was already known."""
    without_customer: int = 0
    bad: int = 0
    no_id: int = 0
    """How many of the bad ones have an id that is none."""


@dataclass(slots=True)
class Progress:
    """How far an import has come, in a small file beside the report.

    The file is replaced as a whole after each chunk, so that it is valid whenever the process ends.
    """

    path: Path | None
    """None: nothing is written, because a dry run imports nothing."""
    file: Fingerprint
    into: str = ""
    """The table."""
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def of(cls, path: Path, file: Fingerprint, into: str = "") -> "Progress":
        """The progress of an earlier run of the same file into the same table, or a new one.

        Raises `CliError` if the path holds another file, which would be overwritten.
        """
        if not path.exists():
            return cls(path, file, into)
        content = read_object(path, "state of an import")
        counts = content.get("counts")
        if not (isinstance(counts, dict) and _REQUIRED <= counts.keys() <= _NAMES):
            raise CliError(f"{path} is no state of an import: say with --state where it is")
        if not all(type(count) is int and count >= 0 for count in counts.values()):
            raise CliError(f"{path} is a damaged state of an import: remove it to begin anew")
        is_of_this = (content.get("file"), content.get("into")) == (asdict(file), into)
        return cls(path, file, into, Counts(**counts) if is_of_this else Counts())

    def save(self) -> None:
        """Writes the file; raises `CliError`."""
        if self.path is None:
            return
        content = {"file": asdict(self.file), "into": self.into, "counts": asdict(self.counts)}
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            fresh.write_text(json.dumps(content), encoding="utf-8")
            os.replace(fresh, self.path)  # noqa: PTH105 - one call, one rename
        except OSError as error:
            raise CliError(
                f"{self.path} cannot be written: {error.strerror}. Say with --state where"
            ) from error

    def remove(self) -> None:
        """Deletes the file after a complete import."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


_NAMES: Final = frozenset(asdict(Counts()))
_REQUIRED: Final = _NAMES - {"no_id"}
"""Of the counts in a file that an earlier release left."""


class Importer:
    """Imports a report into a table. `rejects` receives the bad rows of each chunk."""

    def __init__(
        self,
        remember: Remember,
        progress: Progress,
        *,
        threads: int,
        rejects: Callable[[Sequence[Row]], None],
        pause: Pause = time.sleep,
    ) -> None:
        self._remember = remember
        self._progress = progress
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="import")
        self._rejects = rejects
        self._pause = pause

    def run(self, report: Report, chunk_rows: int = CHUNK_ROWS) -> Iterator[Counts]:
        """Imports the rest of a report; yields the counts after each chunk.

        Raises `CliError` if the file is not a report, or if the table stays unavailable.
        """
        rows = islice(report.rows(), self._progress.counts.rows, None)
        try:
            while chunk := list(islice(rows, chunk_rows)):
                self._import(chunk)
                self._progress.save()
                yield self._progress.counts
        finally:
            self._threads.shutdown()

    def _import(self, chunk: Sequence[Row]) -> None:
        counts = self._progress.counts
        newest, superseded = _newest(row.identity for row in chunk if row.identity is not None)
        outcomes = list(self._threads.map(self._write, newest))
        unusable = dict(one for one, _ in outcomes if one is not None)
        rejected = [row for row in chunk if row.problem is not None]
        numbers = {row.identity: row.number for row in chunk if row.identity is not None}
        rejected += [Row(numbers[one], problem=error) for one, error in unusable.items()]
        self._rejects(sorted(rejected))
        counts.remembered += sum(one is None and done for one, done in outcomes)
        counts.older += superseded + sum(one is None and not done for one, done in outcomes)
        counts.bad += len(rejected)
        counts.no_id += sum(row.has_no_id for row in rejected)
        counts.without_customer += sum(
            row.identity is None and row.problem is None for row in chunk
        )
        counts.rows += len(chunk)

    def _write(self, identity: Identity) -> tuple[tuple[Identity, str] | None, bool]:
        """A rejected identity and why, or None; and whether the table stored the identity."""
        for wait in (*_RETRY_DELAYS, None):
            try:
                return None, self._remember(identity)
            except UnusableIdError as error:
                return (identity, str(error)), False
            except TableUnavailableError as error:
                if wait is None:
                    raise CliError(
                        f"the table does not answer ({error}). What is imported stays: run the "
                        "same command again to go on"
                    ) from error
                self._pause(wait)
        raise AssertionError  # pragma: no cover - the last wait is None


def _newest(identities: Iterable[Identity]) -> tuple[list[Identity], int]:
    """The latest install of each customer in each app, and how many others there were."""
    newest: dict[tuple[str, str], Identity] = {}
    superseded = 0
    for identity in identities:
        key = (identity.app_id, identity.customer_user_id)
        known = newest.get(key)
        superseded += known is not None
        if known is None or known.installed_at <= identity.installed_at:
            newest[key] = identity
    return list(newest.values()), superseded


def remember_in(identities: Identities | None) -> Remember:
    """Writes to the table; without one, does nothing (a dry run)."""
    return (lambda _: True) if identities is None else identities.remember


def reject_writer(
    file: TextIO | None, shown: list[str], limit: int
) -> Callable[[Sequence[Row]], None]:
    """A function that writes bad rows to the file, if there is one, and keeps the first to show.

    The file gets them before the chunk is recorded as done. An import that is killed may list some
    twice, but never omits one.
    """

    def write(rows: Sequence[Row]) -> None:
        lines = [f"line {row.number}: {row.problem}" for row in rows]
        shown.extend(lines[: max(0, limit - len(shown))])
        if file is not None:
            file.writelines(line + "\n" for line in lines)
            file.flush()

    return write
