"""Runs `relay ...` in the process of the tests, as what is started by that name does.

It has arguments, input, output, folder and environment of its own, down to the descriptors that
its children get, and ends with an exit code; a signal reaches it as well. What only a process has,
such as a limit of memory, a terminal, or an end by SIGKILL, is for `warm.py`, and for tests that
start one, as the blocks of the README and each example of the help do.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

import typer.main

from relay_cli.main import app

_tree = cache(typer.main.get_command)
"""All commands with their options; a process makes them once, too."""


def run(
    arguments: Sequence[str], *, stdin: bytes, cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Runs it to its end."""
    with contextlib.ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        with _in_place(given, out, err), contextlib.chdir(cwd), _told(arguments, env):
            code = _exit_code()
        return subprocess.CompletedProcess(["relay", *arguments], code, _text(out), _text(err))


def interrupt(number: signal.Signals) -> None:
    """What Ctrl-C and `kill` do, for a command that runs here; if it listens, for it ends all."""
    if signal.getsignal(number) not in {signal.SIG_DFL, signal.default_int_handler}:
        os.kill(os.getpid(), number)


def _exit_code() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        return 0
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()


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
def _in_place(*files: BinaryIO) -> Iterator[None]:
    """The files as standard input, output and error, for Python and for what it starts."""
    with contextlib.ExitStack() as stack:
        for number, file in enumerate(files):
            stack.enter_context(_descriptor(number, file))
        # As Python opens them where there is no terminal.
        streams: dict[str, Any] = {
            "stdin": open(0, closefd=False),  # noqa: SIM115 - there is nothing to close
            "stdout": open(1, "w", closefd=False),  # noqa: SIM115
            "stderr": open(2, "w", buffering=1, errors="backslashreplace", closefd=False),  # noqa: SIM115
        }
        stack.enter_context(mock.patch.multiple(sys, **streams))
        yield


@contextlib.contextmanager
def _descriptor(number: int, file: BinaryIO) -> Iterator[None]:
    before = os.dup(number)
    os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        os.dup2(before, number)
        os.close(before)
