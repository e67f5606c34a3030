"""Runs `relay identities import`, with its progress and its summary."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.text import Text

from relay.stores.identities import Identities
from relay_cli.identities.importer import Counts, Importer, Progress, reject_writer, remember_in
from relay_cli.identities.report import Fingerprint, Report
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import printable, stderr_console, stdout_console, write_line
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.files import open_private

_MAX_SHOWN = 20


def import_report(
    path: Path,
    identities: Identities | None,
    *,
    into: str,
    state: Path | None,
    rejects: Path | None,
    threads: int,
    chunk_rows: int,
    as_json: bool = False,
) -> ExitCode:
    """Imports a report, or resumes the import; without `identities` it only reads the report.

    `into`: a description of the table. Raises `CliError`.
    """
    for other in (state, rejects):
        if other is not None and other.resolve() == path.resolve():
            raise CliError(f"{other} is the report itself: it would be written over")
    file = Fingerprint.of(path)
    state = state or path.with_name(path.name + ".import.json")
    progress = Progress(None, file) if identities is None else Progress.of(state, file, into)
    if progress.counts.rows:
        stderr_console().print(Text(f"Going on behind row {progress.counts.rows:,}.", "quiet"))
    shown: list[str] = []
    with ExitStack() as stack:
        reject_file = stack.enter_context(_open_rejects(rejects, progress)) if rejects else None
        importer = Importer(
            remember_in(identities), progress, threads=threads,
            rejects=reject_writer(reject_file, shown, _MAX_SHOWN),
        )  # fmt: skip
        report = stack.enter_context(Report(path))
        with _bar(progress.file.size) as advance:
            for _ in importer.run(report, chunk_rows):
                advance(report.position)
    progress.remove()
    if as_json:
        write_line(encode({**asdict(progress.counts), "bad_lines": shown}))
    else:
        _report(progress.counts, shown, dry=identities is None)
    return ExitCode.FAILED if progress.counts.bad else ExitCode.OK


def _report(counts: Counts, shown: list[str], *, dry: bool) -> None:
    console = stdout_console()
    for line in shown:
        console.print(Text(printable(line), "warn"))
    if counts.bad > len(shown):
        console.print(Text(f"and {counts.bad - len(shown):,} more bad lines", "warn"))
    verb = "would be remembered" if dry else "remembered"
    no_ids = f", {counts.no_id:,} of them with an id that is none" if counts.no_id else ""
    console.print(
        f"{counts.rows:,} rows: {counts.remembered:,} {verb}, {counts.older:,} older than what is "
        f"known, {counts.without_customer:,} without a customer user id, {counts.bad:,} bad{no_ids}"
    )


@contextmanager
def _open_rejects(path: Path, progress: Progress) -> Iterator[TextIO]:
    """The file of bad lines; a resumed import appends to it."""
    is_resumed = progress.counts.rows > 0
    try:
        with open_private(path, "a" if is_resumed else "w") as file:
            yield file
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _bar(size: int) -> Iterator["_Advance"]:
    """A progress bar on a terminal; nothing elsewhere."""
    console = stderr_console()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
               TimeRemainingColumn())  # fmt: skip
    with ProgressBar(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        yield _Advance(bar, size)


class _Advance:
    def __init__(self, bar: ProgressBar, size: int) -> None:
        self._bar = bar
        self._task = bar.add_task("importing", total=size)

    def __call__(self, position: int) -> None:
        self._bar.update(self._task, completed=position)
