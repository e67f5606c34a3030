"""Child processes: they end with the sandbox, and their output is collected."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

_LAUNCHER = Path(__file__).with_name("bound_child.py")
_READ_BYTES = 64 * 1024


class Lines:
    """Puts pieces of output together to lines; `on_line` gets each, without its end."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take a piece."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line)


class Output:
    """Reads the output of a process; `on_output` gets every piece as soon as it arrives."""

    def __init__(self, on_output: Callable[[bytes], None]) -> None:
        self._on_output = on_output
        self._closed = False
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._read_end, False)

    def __enter__(self) -> int:
        """Return the write end for the process; our copy is closed when the block ends."""
        return self._write_end

    def __exit__(self, *_: object) -> None:
        """Start reading; by now the process has its own copy of the write end."""
        os.close(self._write_end)
        asyncio.get_running_loop().add_reader(self._read_end, self.drain)

    def drain(self) -> None:
        """Read everything that the process has printed so far."""
        if self._closed:
            return
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._read_end, _READ_BYTES):
                self._on_output(data)
            # A closed stream stays readable forever; without this the loop would spin.
            asyncio.get_running_loop().remove_reader(self._read_end)

    def close(self) -> None:
        """Read the rest and stop reading."""
        if self._closed:
            return
        self.drain()
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)


class Child:
    """A Python module that runs in its own process and session."""

    def __init__(self, pid: int, ended: asyncio.Future[int], output: Output) -> None:
        self._pid = pid
        self._output = output
        self._ended = ended

    @classmethod
    async def start(
        cls,
        *command: str,
        environment: Mapping[str, str],
        folder: Path | None = None,
        on_output: Callable[[bytes], None],
        keep_open: tuple[int, ...] = (),
    ) -> Self:
        """Start `python -m command...`; `on_output` gets its output in pieces.

        It only sees the variables of `environment`, and the descriptors of `keep_open`. It runs in
        its own session, so that Ctrl-C on the terminal does not reach it: the sandbox stops its
        processes itself, in order.
        """
        output = Output(on_output)
        with output as write_end:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                str(_LAUNCHER),
                str(os.getpid()),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
                pass_fds=keep_open,
            )
        return cls(process.pid, asyncio.ensure_future(process.wait()), output)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._pid

    @property
    def ended(self) -> asyncio.Future[int]:
        """Done when the process has ended; its result is the exit status (negative: a signal)."""
        return self._ended

    def drain_output(self) -> None:
        """Pass on everything that it has printed so far."""
        self._output.drain()

    async def kill(self) -> None:
        """Kill it and wait until it has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it may have ended already
            os.killpg(self._pid, signal.SIGKILL)  # and its own children
        await self._ended
        self._output.close()


async def first_of(*futures: asyncio.Future[Any], seconds: float) -> None:
    """Wait until one of the futures is done, or the time-out has passed."""
    await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def inherited_environment() -> dict[str, str]:
    """Return the few variables of our environment that a child process may see."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
