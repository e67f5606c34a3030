"""Where text for people goes, and how it looks there."""

import errno
import os
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Final, NamedTuple, TextIO

from rich.console import Console, RenderableType
from rich.prompt import Confirm
from rich.theme import Theme

from relay_cli.terminal.errors import CliError

_PIPED_WIDTH: Final = 120
"""Columns when no terminal says how many there are: a log is read on a wide screen."""

_THEME: Final = Theme(
    {
        "good": "green",
        "bad": "bold red",
        "reject": "bold red",
        "warn": "yellow",
        "repair": "cyan",
        "rule": "bold",
        "quiet": "bright_black",
        "heading": "bold",
        "key": "bright_black",
    }
)


class Block(NamedTuple):
    """One part of a screen. An `exact` one is never broken into lines, so that it can be copied."""

    content: RenderableType
    exact: bool = False


class _PipeConsole(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read our output has seen enough; the command then ends quietly."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads on")


def stdout_console() -> Console:
    """Standard output."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """Standard error: progress and problems, so that they never mix with results."""
    return _console(sys.stderr)


def show(console: Console, blocks: Iterable[Block]) -> None:
    """Prints the parts of a screen one below the other."""
    for block in blocks:
        console.print(block.content, soft_wrap=block.exact)


def printable(text: str) -> str:
    """Somebody else's text, unable to steer a terminal: control characters are replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def is_interactive() -> bool:
    """Whether a person can be asked: who types, and sees what is asked."""
    streams = (sys.stdin, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def require_interactive() -> None:
    """Raises `CliError` where nobody is there to be asked."""
    if not is_interactive():
        raise CliError("nobody is there to be asked: give --yes to do it without a question")


def confirm(question: str) -> bool:
    """What a person says to a question; raises `CliError` where nobody is there."""
    require_interactive()
    return Confirm.ask(question, console=stderr_console())


def _console(stream: TextIO | None) -> Console:
    if stream is None:
        raise CliError("standard output or standard error is closed: there is nowhere to write")
    if isinstance(stream, TextIOWrapper):
        # A payload may hold what the terminal's encoding does not: shown as an escape, never fatal.
        stream.reconfigure(errors="backslashreplace")
    has_width = stream.isatty() or "COLUMNS" in os.environ
    return _PipeConsole(
        file=stream, theme=_THEME, highlight=False, width=None if has_width else _PIPED_WIDTH
    )
