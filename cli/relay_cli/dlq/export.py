"""Exports dead letters to a file: one JSON object a line, in the form that may be stored."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from relay.exact_json import UnwritableError, dumps, loads
from relay.instants import iso_form
from relay.messages.envelope import Envelope, digest_of, write_envelope
from relay.messages.notice import write_notice
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.terminal.errors import CliError


def line_of(dead_letter: DeadLetter, queue: str) -> bytes:
    """A dead letter as a line: its content, plus its queue and message id. Pure."""
    source = {"queue": queue, "letter_id": dead_letter.message_id}
    try:
        return dumps({**source, **content_of(dead_letter)}) + b"\n"
    except UnwritableError:
        # Text that no queue of the relay accepts. The digest tells its sender which event it is.
        return (
            json.dumps({**source, **_identity(dead_letter), **digest_of(dead_letter.body)}).encode()
            + b"\n"
        )


def content_of(dead_letter: DeadLetter) -> dict[str, Any]:
    """What the relay wrote; for what SQS itself moved, what the relay would write."""
    if not dead_letter.is_crashed:
        return dict(dead_letter.fields)
    if dead_letter.notice is not None:
        return {**_identity(dead_letter), **loads(write_notice(dead_letter.notice))}
    if dead_letter.envelope is not None:
        return {**_identity(dead_letter), **loads(_hashed(dead_letter.envelope, dead_letter))}
    return {**_identity(dead_letter), **digest_of(dead_letter.body)}


def _identity(dead_letter: DeadLetter) -> dict[str, Any]:
    return {"reason": dead_letter.reason, "message_id": dead_letter.message_id}


def _hashed(envelope: Envelope, dead_letter: DeadLetter) -> str:
    return write_envelope(
        envelope,
        dead_letter.event,
        event_id=dead_letter.event_id,
        first_seen=dead_letter.first_seen,
        findings=(),  # written by the producer, so they may hold anything
        deadline=iso_form(dead_letter.deadline) if dead_letter.deadline else None,
    )


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A new file, readable by its owner only (0600), complete or not there at all.

    With `force` it replaces an older file. Raises `CliError`.
    """
    _check_target(path, force=force)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".relay-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)  # the user may delete the dead letters next
            _move_into_place(temporary, path, force=force)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error


def _check_target(path: Path, *, force: bool) -> None:
    if str(path) == "-":
        raise CliError("letters go into a file that only you can read: give its name")
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # it does not exist, or writing will report the problem
    if not stat.S_ISREG(mode):
        raise CliError(f"{path} is no plain file: it cannot be replaced")
    if not force:
        raise _exists(path)


def _move_into_place(temporary: Path, path: Path, *, force: bool) -> None:
    if not force:
        path.touch(
            mode=0o600, exist_ok=False
        )  # fails if another program has created the file meanwhile
    temporary.replace(path)


def _exists(path: Path) -> CliError:
    return CliError(f"{path} is there already: give another name, or --force to replace it")
