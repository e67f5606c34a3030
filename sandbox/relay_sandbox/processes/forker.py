"""Functions' processes by forking: to load libraries is most of their start, and done once here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from relay_sandbox.processes.children import Child, Output

_MAX_ANSWER_BYTES = 1024


class Launch(Protocol):
    """Starts `python -m command...` in a process; `Child.start` says how."""

    async def __call__(
        self,
        *command: str,
        environment: Mapping[str, str],
        folder: Path,
        on_output: Callable[[bytes], None],
    ) -> Child:
        """Return the process, which has only just been started."""


@asynccontextmanager
async def launching(
    libraries: Sequence[str], environment: Mapping[str, str], on_output: Callable[[bytes], None]
) -> AsyncIterator[Launch]:
    """Yield what starts processes that need `libraries`, which are loaded under `environment`.

    A library that cannot be loaded is left to who needs it. `on_output` gets what is printed
    meanwhile. What forking has started ends with the block. Where this system cannot fork, as
    macOS whose own libraries do not bear it, each process loads them itself.
    """
    if not _can_fork():
        yield Child.start
        return
    forker = await Forker.start(libraries, environment, on_output)
    try:
        yield forker.fork
    finally:
        await forker.stop()


def _can_fork() -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # an old kernel, or a container's idea of one
        return False
    return True


class _Forked(NamedTuple):
    pid: int
    ended: asyncio.Future[int]


def _kill_unwanted(forked: _Forked | None) -> None:
    """Kill a process that nobody waits for any more."""
    if forked and not forked.ended.done():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(forked.pid, signal.SIGKILL)


class Forker:
    """A process with libraries loaded, which forks others; `bound_child` is its other end.

    Should it end, so do those; later ones load the libraries themselves.
    """

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._process: Child | None = None
        self._asked: deque[asyncio.Future[_Forked | None]] = deque()
        self._running: dict[int, asyncio.Future[int]] = {}

    @classmethod
    async def start(
        cls,
        libraries: Sequence[str],
        environment: Mapping[str, str],
        on_output: Callable[[bytes], None],
    ) -> Self:
        """Start one; it loads the libraries while the first request waits."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        self = cls(ours)
        with theirs:
            self._process = await Child.start(
                "--fork",
                str(theirs.fileno()),
                *libraries,
                environment=environment,
                on_output=on_output,
                keep_open=(theirs.fileno(),),
            )
        asyncio.get_running_loop().add_reader(ours, self._read)
        return self

    async def fork(
        self,
        *command: str,
        environment: Mapping[str, str],
        folder: Path,
        on_output: Callable[[bytes], None],
    ) -> Child:
        """As `Child.start`."""
        asked = {"command": command, "environment": dict(environment), "folder": str(folder)}
        output = Output(on_output)
        with output as write_end:
            answer = self._ask(json.dumps(asked).encode(), write_end)
        try:
            forked = await answer
        except asyncio.CancelledError:
            if not answer.cancelled():
                _kill_unwanted(answer.result())
            output.close()
            raise
        if forked:
            return Child(forked.pid, forked.ended, output)
        output.close()
        return await Child.start(
            *command, environment=environment, folder=folder, on_output=on_output
        )

    async def stop(self) -> None:
        """Kill it, and with it all that it forked."""
        if self._process:
            await self._process.kill()
        self._lose()

    def _ask(self, request: bytes, output: int) -> asyncio.Future[_Forked | None]:
        """Return what will be the new process; None if the forker takes no request."""
        answer: asyncio.Future[_Forked | None] = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._requests, [request], [output])
        except OSError:
            answer.set_result(None)
        else:
            self._asked.append(answer)
        return answer

    def _read(self) -> None:
        try:
            packet = self._requests.recv(_MAX_ANSWER_BYTES)
        except OSError:
            packet = b""
        if not packet:
            self._lose()
            return
        answer = json.loads(packet)
        if "ended" in answer:
            self._running.pop(answer["ended"]).set_result(answer["status"])
        else:
            self._has_forked(answer["started"])

    def _has_forked(self, pid: int) -> None:
        forked = _Forked(pid, asyncio.get_running_loop().create_future())
        self._running[pid] = forked.ended
        answer = self._asked.popleft()
        if answer.cancelled():
            _kill_unwanted(forked)
        else:
            answer.set_result(forked)

    def _lose(self) -> None:
        """The forker has ended, and with it all that it forked."""
        if self._requests.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._requests)
        self._requests.close()
        for answer in self._asked:
            if not answer.cancelled():
                answer.set_result(None)
        for ended in self._running.values():
            ended.set_result(-signal.SIGKILL)
        self._running.clear()
