"""Lets a person correct an event in an editor."""

import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from relay.exact_json import (
    InvalidJsonError,
    UnwritableError,
    dumps,
    dumps_sorted,
    loads_once,
)
from relay_cli.terminal.console import is_interactive
from relay_cli.terminal.errors import CliError

_USUAL: Final = ("nano", "vi")
_INDENT: Final = "  "


class Draft:
    """An event as text, in a file that only its owner can read, until it is discarded."""

    def __init__(self, event: Any, name: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="relay-edit-"))
        self.path = self._folder / name
        self._original = dumps_sorted(event)
        self.write(f"{indented(event)}\n".encode())

    def write(self, text: bytes) -> None:
        """Puts another text into it."""
        self.path.touch(mode=0o600)
        self.path.write_bytes(text)

    @property
    def was_changed(self) -> bool:
        """Whether it holds anything but the event as it was, in whatever layout."""
        try:
            return dumps_sorted(loads_once(self.read())) != self._original
        except (CliError, InvalidJsonError, UnwritableError):
            return self.path.exists()

    def edit(self, editor: Sequence[str]) -> None:
        """Opens it in an editor and waits; raises `CliError` if the editor fails."""
        try:
            process = subprocess.Popen([*editor, str(self.path)])  # noqa: S603 - the user's own editor
        except OSError as error:
            raise CliError(f"{editor[0]} cannot be started: {error.strerror}") from error
        code = _wait(process)
        if code:
            raise CliError(f"{editor[0]} ended with {code}")

    def read(self) -> bytes:
        """Its content; raises `CliError`."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise CliError(f"{self.path} cannot be read: {error.strerror}") from error

    def discard(self) -> None:
        """Deletes it, with what the editor left beside it."""
        shutil.rmtree(self._folder, ignore_errors=True)


def find_editor(environment: Mapping[str, str]) -> list[str]:
    """The program and its arguments: of `VISUAL` or `EDITOR`, or a usual one on a terminal."""
    for name in ("VISUAL", "EDITOR"):
        if text := environment.get(name, "").strip():
            with suppress(ValueError):
                return shlex.split(text)
            raise CliError(f"{name} is no command: a quotation mark is left open")
    found = [one for one in _USUAL if shutil.which(one)] if is_interactive() else []
    if not found:
        raise CliError("which editor? Set EDITOR, as in EDITOR=nano")
    return found[:1]


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Waits for the editor. Ctrl-C is the editor's."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def indented(value: Any, edge: str = "") -> str:
    """JSON for people, with numbers to the digit. Raises `UnwritableError`."""
    inner = edge + _INDENT
    if isinstance(value, dict) and value:
        parts = [f"{dumps(name).decode()}: {indented(item, inner)}" for name, item in value.items()]
        return _block("{", parts, "}", edge)
    if isinstance(value, list) and value:
        return _block("[", [indented(item, inner) for item in value], "]", edge)
    return dumps(value).decode()


def _block(opening: str, parts: list[str], closing: str, edge: str) -> str:
    lines = f",\n{edge}{_INDENT}".join(parts)
    return f"{opening}\n{edge}{_INDENT}{lines}\n{edge}{closing}"
