"""Run a sandbox until a signal stops it: the work of `relay sandbox`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from relay_sandbox.errors import SandboxError
from relay_sandbox.locks import Lock
from relay_sandbox.sandbox import Sandbox, SandboxOptions

WhenUp = Callable[[Sandbox], Awaitable[None]]


def run_sandbox(
    options: SandboxOptions, ready_file: Path | None = None, *, when_up: WhenUp | None = None
) -> None:
    """Run a sandbox until SIGTERM or SIGINT (Ctrl-C), then stop it cleanly and return.

    Once everything is up, `Sandbox.ready` is written to `ready_file` as one JSON object. The file
    is complete from the moment it exists, and is removed when the sandbox stops. Then `when_up` is
    awaited with the sandbox; an exception of it ends the sandbox and is raised here. Raises
    SandboxError if a part does not start, if the ready file cannot be written, or if it is that of
    another sandbox, which is up.
    """
    if ready_file is None:
        asyncio.run(_run(options, None, when_up))
        return
    with _write_errors(ready_file):  # fail now, not after everything has started
        lock = Lock.take(ready_file.with_name(f".{ready_file.name}.lock"))
        if lock is None:
            raise SandboxError(_is_up_already(ready_file))
        ready_file.unlink(missing_ok=True)  # left by an earlier sandbox that was killed
    try:
        asyncio.run(_run(options, ready_file, when_up))
    finally:
        lock.release()


def _is_up_already(ready_file: Path) -> str:
    try:
        page = json.loads(ready_file.read_text(encoding="utf-8"))["page"]
    except (OSError, ValueError, KeyError, TypeError):
        where = "is starting"
    else:
        where = f"is up at {page}"
    return (
        f"another sandbox {where}, and has the ready file {ready_file}. Use that one, stop it, or "
        "run a second one with another --ready-file"
    )


async def _run(options: SandboxOptions, ready_file: Path | None, when_up: WhenUp | None) -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(_stay_up(options, ready_file, when_up))
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    stopping = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    # Cancel only once: a second Ctrl-C must not interrupt the clean stop of the first.
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _stay_up(
    options: SandboxOptions, ready_file: Path | None, when_up: WhenUp | None
) -> None:
    async with Sandbox(options) as sandbox:
        with _published(ready_file, sandbox.ready):
            if when_up:
                await when_up(sandbox)
            await asyncio.Event().wait()


@contextlib.contextmanager
def _published(ready_file: Path | None, ready: dict[str, Any]) -> Any:
    if ready_file is None:
        yield
        return
    with _write_errors(ready_file):
        write_atomically(ready_file, json.dumps(ready, indent=2) + "\n")
    try:
        yield
    finally:
        ready_file.unlink(missing_ok=True)


@contextlib.contextmanager
def _write_errors(ready_file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SandboxError(
            f"the ready file {ready_file} cannot be written: {error.strerror}"
        ) from error


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that readers see all of it or nothing; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # new, and 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
