"""Locks on files, so that two sandboxes in one folder leave each other's files alone.

A lock ends with its process, however that ends. Where there are none (Windows), everything is free.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
from pathlib import Path
from typing import IO, Any, Self

_NAME = "sandbox.lock"


class Lock:
    """A lock that is held until `release`, or until nobody knows of it any more."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self.path = path
        self._file = file

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Take the lock of this name; None if another process, or sandbox, holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = path.open("a", encoding="utf-8")
            if not _locked(file):
                file.close()
                return None
            if _is_there(path, file):
                return cls(path, file)
            file.close()  # its owner has removed it just now

    def release(self) -> None:
        """Let go, and remove the file."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._file.close()


def _locked(file: IO[str]) -> bool:
    try:
        fcntl: Any = importlib.import_module("fcntl")
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_there(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def take_folder(folder: Path) -> tuple[Path, Lock]:
    """Take this folder, or, where another sandbox has it, the first free one within it: `2`."""
    for number in itertools.count(1):
        path = folder if number == 1 else folder / str(number)
        if (lock := Lock.take(path / _NAME)) is not None:
            return path, lock
    raise AssertionError  # pragma: no cover - there are enough numbers
