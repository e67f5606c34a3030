"""Reads and writes the files that a user names: a limited size, a message for every failure."""

import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TextIO

from relay.exact_json import InvalidJsonError, loads
from relay_cli.terminal.errors import CliError, ExitCode

MIB: Final = 1024 * 1024
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def open_file(path: Path) -> BinaryIO:
    """Opens a file for reading (`-`: standard input); raises `CliError`."""
    if str(path) == "-":
        return _stdin()
    try:
        return path.open("rb")
    except OSError as error:
        raise read_error(path, error) from error


def each_file(paths: Sequence[Path], handle: Callable[[Path], None]) -> ExitCode:
    """Handles files one by one. What is wrong with one of several does not keep the others back.

    It is said on standard error, and the exit code is 2. Of a single file it raises `CliError`.
    """
    code = ExitCode.OK
    for path in paths:
        try:
            handle(path)
        except CliError as error:
            if len(paths) == 1:
                raise
            print(f"relay: {error}", file=sys.stderr)  # noqa: T201 - as the command says errors
            code = error.code
    return code


def read_bytes(path: Path, max_bytes: int, hint: str = "") -> bytes:
    """The content of a file (`-`: standard input) of at most `max_bytes`; raises `CliError`.

    `hint` says what to do about a larger file.
    """
    try:
        with open_file(path) as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise read_error(path, error) from error
    if len(content) > max_bytes:
        raise CliError(f"{path} is larger than {max_bytes // MIB} MiB.{hint}")
    return content


def read_object(path: Path, description: str) -> dict[str, Any]:
    """Reads a small JSON file with an object. Raises `CliError`, which names `description`."""
    try:
        content = loads(read_bytes(path, MIB).removeprefix(BYTE_ORDER_MARK))
    except InvalidJsonError as error:
        raise CliError(f"{path} is no {description}: it is {error}") from error
    if not isinstance(content, dict):
        raise CliError(f"{path} is no {description}: it is no JSON object")
    return content


def open_private(path: Path, mode: Literal["a", "w"]) -> TextIO:
    """Opens a file for writing that only its owner can read (0600), also one that was there.

    It is line-buffered, so that lines survive if the process is killed. Raises `OSError`.
    """
    return open(path, mode, buffering=1, encoding="utf-8", opener=_private)


def _private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # a terminal or a pipe stays as it is
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_error(path: Path, error: OSError) -> CliError:
    """The error for a file that cannot be read."""
    return CliError(f"{path} cannot be read: {error.strerror or type(error).__name__}")


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise CliError("standard input is closed: there is nothing to read")
    return sys.stdin.buffer
