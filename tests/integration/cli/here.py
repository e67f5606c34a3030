"""Runs `relay ...` in the process of the tests, as what is started by that name does.

It has arguments, input, output, folder and environment of its own, down to the descriptors that
its children get, and ends with an exit code; a signal reaches it as well. What only a process has,
such as a limit of memory, a closed stream, or an end by SIGKILL, is for `warm.py`, and for tests
that start one, as the blocks of the README and each example of the help do.
"""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

import typer.main

from relay_cli.main import app

_tree = cache(typer.main.get_command)
"""All commands with their options; a process makes them once, too."""


def run(
    arguments: Sequence[str],
    *,
    stdin: bytes | int = b"",
    stdout: int | None = None,
    cwd: Path,
    env: Mapping[str, str],
) -> subprocess.CompletedProcess[bytes]:
    """Runs it to its end. A number is the descriptor that it reads from, or writes to."""
    with contextlib.ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        if isinstance(stdin, bytes):
            given.write(stdin)
            given.seek(0)
        streams = (
            given.fileno() if isinstance(stdin, bytes) else stdin,
            out.fileno() if stdout is None else stdout,
            err.fileno(),
        )
        with contextlib.chdir(cwd):
            code = _exit_code(arguments, env, streams)
        return subprocess.CompletedProcess(["relay", *arguments], code, _text(out), _text(err))


def run_for_one_line(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Runs it for a reader who has had enough after a line, as `head -1`."""
    reads, writes = os.pipe()

    def reader() -> None:
        with os.fdopen(reads, "rb") as lines:
            lines.readline()

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        return run(arguments, stdout=writes, cwd=cwd, env=env)
    finally:
        os.close(writes)
        thread.join()


def in_terminal(
    arguments: Sequence[str], *, env: Mapping[str, str], shows: str, then: Callable[[int], object]
) -> tuple[int, str]:
    """Runs it in a terminal; once that shows a text, calls `then` with the end that people have.

    Returns exit code and output.
    """
    controller, terminal = pty.openpty()
    shown: list[str] = []

    def person() -> None:
        is_waiting = True
        while piece := _read(controller):
            shown.append(piece)
            if is_waiting and shows in "".join(shown):
                is_waiting = False
                then(controller)

    thread = threading.Thread(target=person)
    thread.start()
    try:
        code = _exit_code(arguments, env, (terminal, terminal, terminal))
    finally:
        os.close(terminal)
        thread.join()
        os.close(controller)
    return code, "".join(shown)


def _read(controller: int) -> str:
    try:
        return os.read(controller, 65_536).decode(errors="replace")
    except OSError:  # nobody has the terminal any more
        return ""


def interrupt(number: signal.Signals) -> None:
    """What Ctrl-C and `kill` do to a command that runs here.

    To one that listens only: else it would end the tests. Who waits for its end sees it go on.
    """
    if signal.getsignal(number) not in {signal.SIG_DFL, signal.default_int_handler}:
        os.kill(os.getpid(), number)


def _exit_code(
    arguments: Sequence[str], env: Mapping[str, str], streams: tuple[int, int, int]
) -> int:
    with _told(arguments, env), _in_place(streams):
        try:
            app()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    return 0


def _text(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


@contextlib.contextmanager
def _told(arguments: Sequence[str], env: Mapping[str, str]) -> Iterator[None]:
    with (
        mock.patch.object(sys, "argv", ["relay", *arguments]),
        mock.patch.object(typer.main, "get_command", _tree),
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(tempfile, "tempdir", None),  # which TMPDIR says once
    ):
        yield


@contextlib.contextmanager
def _in_place(streams: tuple[int, int, int]) -> Iterator[None]:
    """Descriptors as standard input, output and error, for Python and for what it starts."""
    with contextlib.ExitStack() as stack:
        for number, descriptor in enumerate(streams):
            stack.enter_context(_descriptor(number, descriptor))
        # As Python opens them, and as `warm_server.py` does.
        line_by_line = 1 if os.isatty(1) else -1
        opened: dict[str, Any] = {
            "stdin": open(0, closefd=False),  # noqa: SIM115 - there is nothing to close
            "stdout": open(1, "w", buffering=line_by_line, closefd=False),  # noqa: SIM115
            "stderr": open(2, "w", buffering=1, errors="backslashreplace", closefd=False),  # noqa: SIM115
        }
        stack.enter_context(mock.patch.multiple(sys, **opened))
        yield


@contextlib.contextmanager
def _descriptor(number: int, other: int) -> Iterator[None]:
    before = os.dup(number)
    os.dup2(other, number)
    try:
        yield
    finally:
        os.dup2(before, number)
        os.close(before)
