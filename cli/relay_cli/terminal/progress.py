"""Progress of long work: on standard error, and only if that is a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from relay_cli.terminal.console import stderr_console

Advance = Callable[[int], None]
"""Receives how much more is done."""


@contextmanager
def bar(name: str, total: int) -> Iterator[Advance]:
    """How much of a known amount is done."""
    with _shown(name, total, BarColumn(), MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def counter(name: str) -> Iterator[Advance]:
    """How much is done, where nobody knows how much there is."""
    with _shown(name, None, TextColumn("{task.completed:,.0f}"), TimeElapsedColumn()) as advance:
        yield advance


@contextmanager
def _shown(name: str, total: int | None, *columns: ProgressColumn) -> Iterator[Advance]:
    console = stderr_console()
    with Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(name, total=total)
        yield lambda number: progress.advance(task, number)
