"""What `relay identities import` does in front of a person."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from relay.stores.identities import Identities
from relay_cli.identities.importer import Counts, Importer, reject_lines, remembering
from relay_cli.identities.importer import Progress as Done
from relay_cli.identities.report import Fingerprint, Report
from relay_cli.terminal.console import printable, stderr_console, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode

_MOST_SHOWN = 20


def import_report(
    path: Path,
    identities: Identities | None,
    *,
    into: str,
    state: Path | None,
    rejects: Path | None,
    threads: int,
    chunk_rows: int,
) -> ExitCode:
    """Imports a report, or goes on with it; without `identities` it is only read.

    `into`: which table that is. Raises `CliError`.
    """
    for given in (state, rejects):
        if given is not None and given.resolve() == path.resolve():
            raise CliError(f"{given} is the report itself: it would be written over")
    file = Fingerprint.of(path)
    state = state or path.with_name(path.name + ".import.json")
    done = Done(None, file) if identities is None else Done.of(state, file, into)
    if done.counts.rows:
        stderr_console().print(Text(f"Going on behind row {done.counts.rows:,}.", "quiet"))
    shown: list[str] = []
    with ExitStack() as stack:
        listed = stack.enter_context(_opened(rejects, done)) if rejects else None
        importer = Importer(
            remembering(identities), done, threads=threads,
            rejects=reject_lines(listed, shown, _MOST_SHOWN),
        )  # fmt: skip
        report = stack.enter_context(Report(path))
        with _bar(done.file.size) as advance:
            for _ in importer.run(report, chunk_rows):
                advance(report.position)
    done.remove()
    _say(done.counts, shown, dry=identities is None)
    return ExitCode.FAILED if done.counts.bad else ExitCode.OK


def _say(counts: Counts, shown: list[str], *, dry: bool) -> None:
    console = stdout_console()
    for line in shown:
        console.print(Text(printable(line), "warn"))
    if counts.bad > len(shown):
        console.print(Text(f"and {counts.bad - len(shown):,} more bad lines", "warn"))
    verb = "would be remembered" if dry else "remembered"
    console.print(
        f"{counts.rows:,} rows: {counts.remembered:,} {verb}, {counts.older:,} older than what is "
        f"known, {counts.without_customer:,} without a customer user id, {counts.bad:,} bad"
    )


@contextmanager
def _opened(path: Path, done: Done) -> Iterator[TextIO]:
    """The file of bad lines; where an import goes on, behind those of before."""
    goes_on = done.counts.rows > 0
    try:
        # A line at a time, so that what ends the process leaves what was said before.
        with path.open("a" if goes_on else "w", buffering=1, encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _bar(size: int) -> Iterator["_Advance"]:
    """A bar on a terminal; nothing elsewhere."""
    console = stderr_console()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        yield _Advance(bar, size)


class _Advance:
    def __init__(self, bar: Progress, size: int) -> None:
        self._bar = bar
        self._task = bar.add_task("importing", total=size)

    def __call__(self, position: int) -> None:
        self._bar.update(self._task, completed=position)
