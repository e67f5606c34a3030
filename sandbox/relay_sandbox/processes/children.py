"""Processes that the sandbox starts: they end with it, and what they print is kept."""

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


class Output:
    """The reading end of what a process prints; `heard` gets every piece as soon as it is there."""

    def __init__(self, on_output: Callable[[bytes], None]) -> None:
        self._on_output = on_output
        self._closed = False
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._read_end, False)

    def __enter__(self) -> int:
        """Give the end that the process writes to; it is closed here when the block ends."""
        return self._write_end

    def __exit__(self, *_: object) -> None:
        """Begin to listen; the process has its own copy of the writing end by now."""
        os.close(self._write_end)
        asyncio.get_running_loop().add_reader(self._read_end, self.drain)

    def drain(self) -> None:
        """Read all that the process has printed up to now."""
        if self._closed:
            return
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._read_end, _READ_BYTES):
                self._on_output(data)
            # An ended stream stays readable for ever; without this the loop would spin.
            asyncio.get_running_loop().remove_reader(self._read_end)

    def close(self) -> None:
        """Read what is left and stop listening."""
        if self._closed:
            return
        self.drain()
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)


class Child:
    """A running Python module in a process and a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, output: Output) -> None:
        self._process = process
        self._output = output
        self._ended = asyncio.ensure_future(process.wait())

    @classmethod
    async def start(
        cls,
        *command: str,
        environment: Mapping[str, str],
        folder: Path | None = None,
        on_output: Callable[[bytes], None],
    ) -> Self:
        """Start `python -m command...`; `heard` gets what it prints, in pieces.

        Nothing of our own environment goes to it but what `environment` holds. A session of its
        own keeps a Ctrl-C on the terminal away from it: stopping is ours to do, in order.
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
            )
        return cls(process, output)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> asyncio.Future[int]:
        """Done when the process has ended; the result is its exit status (negative: a signal)."""
        return self._ended

    def drain_output(self) -> None:
        """Hand on all that it has printed up to now."""
        self._output.drain()

    async def kill(self) -> None:
        """End it now, whatever it does; wait until it has gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended already
            os.killpg(self._process.pid, signal.SIGKILL)  # and what it has started itself
        await self._ended
        self._output.close()


async def first_of(*futures: asyncio.Future[Any], seconds: float) -> None:
    """Wait until one of the futures is done, or the time is up."""
    await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def inherited_environment() -> dict[str, str]:
    """Give the few variables of our own environment that a child may see."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
