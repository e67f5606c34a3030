"""The consoles that text for people goes to, and their theme."""

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
"""Columns when the output is not a terminal: logs are read on wide screens."""

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
    """One part of the output. An `exact` block is never wrapped, so that it can be copied."""

    content: RenderableType
    exact: bool = False


class _PipeConsole(Console):
    def on_broken_pipe(self) -> None:
        """Raises an error that ends the command silently: the reader closed the pipe."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads on")


def stdout_console() -> Console:
    """Standard output."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """Standard error: progress and problems, kept apart from results."""
    return _console(sys.stderr)


def show(console: Console, blocks: Iterable[Block]) -> None:
    """Prints blocks one below the other."""
    for block in blocks:
        console.print(block.content, soft_wrap=block.exact)


def require_stdout() -> None:
    """Raises `CliError` if standard output is closed."""
    if sys.stdout is None:
        raise CliError("standard output is closed: there is nowhere to write")


def write_line(line: bytes) -> None:
    """Writes a line for programs to standard output, at once; it ends with a newline already."""
    require_stdout()
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def printable(text: str) -> str:
    """Replaces control characters, so that foreign text cannot control the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def is_interactive() -> bool:
    """Whether a person can read a question and type the answer."""
    streams = (sys.stdin, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def require_interactive() -> None:
    """Raises `CliError` if no person can answer a question."""
    if not is_interactive():
        raise CliError("nobody is there to be asked: give --yes to do it without a question")


def confirm(question: str) -> bool:
    """Asks a yes-or-no question; raises `CliError` if no person can answer it."""
    require_interactive()
    return Confirm.ask(question, console=stderr_console())


def _console(stream: TextIO | None) -> Console:
    if stream is None:
        raise CliError("standard output or standard error is closed: there is nowhere to write")
    if isinstance(stream, TextIOWrapper):
        # Characters that the terminal's encoding lacks are escaped: a payload may hold them.
        stream.reconfigure(errors="backslashreplace")
    has_width = stream.isatty() or "COLUMNS" in os.environ
    return _PipeConsole(
        file=stream, theme=_THEME, highlight=False, width=None if has_width else _PIPED_WIDTH
    )
