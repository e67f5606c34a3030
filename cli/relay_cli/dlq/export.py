"""Dead letters into a file: one JSON object a line, in the form in which they may be kept."""

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
    """A letter as a line: what stands in it, and by which queue and id it is found again. Pure."""
    found_by = {"queue": queue, "letter_id": dead_letter.message_id}
    try:
        return dumps({**found_by, **_content(dead_letter)}) + b"\n"
    except UnwritableError:
        # Text that no queue of the relay's would take: its sender can tell by the digest.
        return (
            json.dumps({**found_by, **_known(dead_letter), **digest_of(dead_letter.body)}).encode()
            + b"\n"
        )


def _content(dead_letter: DeadLetter) -> dict[str, Any]:
    """The letter as the relay wrote it; what SQS itself moved, as the relay would keep it."""
    if not dead_letter.is_crashed:
        return dict(dead_letter.fields)
    if dead_letter.notice is not None:
        return {**_known(dead_letter), **loads(write_notice(dead_letter.notice))}
    if dead_letter.envelope is not None:
        return {**_known(dead_letter), **loads(_hashed(dead_letter.envelope, dead_letter))}
    return {**_known(dead_letter), **digest_of(dead_letter.body)}


def _known(dead_letter: DeadLetter) -> dict[str, Any]:
    return {"reason": dead_letter.reason, "message_id": dead_letter.message_id}


def _hashed(envelope: Envelope, dead_letter: DeadLetter) -> str:
    return write_envelope(
        envelope,
        dead_letter.event,
        event_id=dead_letter.event_id,
        first_seen=dead_letter.first_seen,
        findings=(),  # a producer's own, and so perhaps anything
        deadline=iso_form(dead_letter.deadline) if dead_letter.deadline else None,
    )


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file for its owner's eyes only (0600), that is there when all went well or not at all.

    With `force` it takes the place of an older one. Raises `CliError`.
    """
    _check_place(path, force=force)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".relay-", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)  # somebody may delete the letters next
            _put_in_place(draft, path, force=force)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error


def _check_place(path: Path, *, force: bool) -> None:
    if str(path) == "-":
        raise CliError("letters go into a file that only you can read: give its name")
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing is there, or writing will say what is wrong
    if not stat.S_ISREG(mode):
        raise CliError(f"{path} is no plain file: it cannot be replaced")
    if not force:
        raise _exists(path)


def _put_in_place(draft: Path, path: Path, *, force: bool) -> None:
    if not force:
        path.touch(mode=0o600, exist_ok=False)  # nobody else's, made meanwhile
    draft.replace(path)


def _exists(path: Path) -> CliError:
    return CliError(f"{path} is there already: give another name, or --force to replace it")
