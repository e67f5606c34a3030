"""Execution environments: one process each, running Lambda's real runtime client.

As on AWS, an environment serves one invocation at a time and is reused. One that crashes or times
out is lost, with everything that its function kept in memory.
"""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from relay_sandbox.deployment.stack import FunctionSettings
from relay_sandbox.http.server import Server
from relay_sandbox.lambda_runtime.runtime_api import (
    MAX_PAYLOAD_BYTES,
    FunctionError,
    PendingInvocation,
    RuntimeApi,
)
from relay_sandbox.local_aws import aws
from relay_sandbox.processes.children import Child, Lines, first_of, inherited_environment
from relay_sandbox.processes.forker import Launch, launching

_INIT_SECONDS = 60.0  # AWS allows 10; here the first import may compile everything
_LOG_TAIL_BYTES = 1024 * 1024

LIBRARIES = (
    "asyncio",
    "aws_lambda_powertools.metrics",
    "boto3",
    "httptools",
    "httpx",
    "orjson",
    "phonenumbers",
    "pydantic.main",
    "pydantic.types",
    "zoneinfo",
    str(Path(__file__).with_name("preload.py")),
)
"""What functions load that does not change while they run; most of it each of them needs."""

OnLine = Callable[[str, bytes], None]
"""Is told of each line that a function prints: the function's key, and the line."""


@dataclass(frozen=True)
class Invocation:
    """A finished invocation: its `result` (parsed JSON) or `error`, and its output as `log`."""

    request_id: str
    result: object
    error: FunctionError | None
    log: str


class FunctionLog:
    """A function's log: one file for all its environments; `echo` also gets every piece."""

    def __init__(self, path: Path, echo: Callable[[str], None] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._echo = echo
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append a piece of output; does nothing once closed."""
        if self._file.closed:
            return
        lines = data.replace(b"\r", b"\n")  # the runtime separates the lines of a traceback with \r
        self._file.write(lines)
        if self._echo:
            self._echo(lines.decode(errors="replace"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ExecutionEnvironment:
    """A process that runs a function, and the Runtime API that serves it."""

    def __init__(
        self, settings: FunctionSettings, log: FunctionLog, on_line: OnLine | None = None
    ) -> None:
        self._lines = Lines(lambda line: on_line(settings.key, line)) if on_line else None
        self._settings = settings
        self._log = log
        self._api = RuntimeApi()
        self._server = Server(self._api.handle, max_body_bytes=4 * MAX_PAYLOAD_BYTES)
        self._child: Child | None = None
        self._output = b""

    @classmethod
    async def start(
        cls,
        settings: FunctionSettings,
        log: FunctionLog,
        endpoint: str,
        on_line: OnLine | None = None,
        launch: Launch = Child.start,
    ) -> Self | FunctionError:
        """Start a process and load the function in it; return the error if that fails.

        `on_line` is told of each line that the function prints. `launch` starts the process.
        """
        self = cls(settings, log, on_line)
        await self._server.__aenter__()
        address = f"127.0.0.1:{self._server.port}"
        try:
            self._child = await launch(
                runtime_module(),
                settings.handler,
                environment=function_environment(settings, endpoint, address),
                folder=settings.folder,
                on_output=self._keep_output,
            )
            error = await self._wait_for_init(self._child)
        except BaseException:
            await self.stop()
            raise
        if error:
            await self.stop()
        return error or self

    @property
    def alive(self) -> bool:
        """Whether the environment can serve another invocation."""
        return self._child is not None and not self._child.ended.done()

    @property
    def pid(self) -> int:
        """The process id; only while it is alive."""
        assert self._child is not None  # noqa: S101 - see `serve`
        return self._child.pid

    async def serve(self, pending: PendingInvocation) -> Invocation:
        """Run one invocation until it ends: with a reply, a crash, or the function's time-out."""
        child = self._child
        assert child is not None  # noqa: S101 - `start` returns none without a process
        self._output = b""
        self._print_line(f"START RequestId: {pending.request_id} Version: $LATEST")
        began = time.perf_counter()
        self._api.enqueue(pending)
        await first_of(pending.reply, child.ended, seconds=pending.timeout_seconds)
        if not pending.reply.done():
            pending.complete(await self._end_without_reply(child, pending))
        child.drain_output()
        milliseconds = (time.perf_counter() - began) * 1000
        self._print_line(f"END RequestId: {pending.request_id}")
        self._print_line(f"REPORT RequestId: {pending.request_id}\tDuration: {milliseconds:.2f} ms")
        return self._invocation(pending)

    async def stop(self) -> None:
        """Kill the process, whatever it is doing."""
        if self._child:
            child, self._child = self._child, None
            await child.kill()
        await self._server.__aexit__()

    async def _wait_for_init(self, child: Child) -> FunctionError | None:
        ready = self._api.initialised
        await first_of(ready, child.ended, seconds=_INIT_SECONDS)
        if ready.done():
            return ready.result()
        child.drain_output()
        if child.ended.done():
            printed = self._output.decode(errors="replace")
            return FunctionError(
                "Runtime.ExitError", f"{_exit_text(child)} while it started", (printed,)
            )
        return FunctionError("Sandbox.Timedout", f"not loaded after {_INIT_SECONDS:.0f} seconds")

    async def _end_without_reply(self, child: Child, pending: PendingInvocation) -> FunctionError:
        """Return why there is no reply, in Lambda's words, and kill the process."""
        if child.ended.done():
            kind, text = "Runtime.ExitError", _exit_text(child)
        else:
            seconds = self._settings.timeout_seconds
            kind, text = "Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds"
        child.drain_output()
        self._print_line(f"{pending.request_id} {text}")
        await self.stop()
        return FunctionError(kind, f"RequestId: {pending.request_id} Error: {text}")

    def _invocation(self, pending: PendingInvocation) -> Invocation:
        reply = pending.reply.result()
        error = reply if isinstance(reply, FunctionError) else None
        result = json.loads(reply) if isinstance(reply, bytes) and reply else None
        return Invocation(pending.request_id, result, error, self._output.decode(errors="replace"))

    def _print_line(self, line: str) -> None:
        self._keep_output(f"{line}\n".encode())

    def _keep_output(self, data: bytes) -> None:
        self._output = (self._output + data)[-_LOG_TAIL_BYTES:]
        self._log.write(data)
        if self._lines:
            self._lines.feed(data)


def _exit_text(child: Child) -> str:
    status = child.ended.result()
    how = f"signal: {-status}" if status < 0 else f"exit status {status}"
    return f"Runtime exited with error: {how}"


def launching_functions(
    functions: Iterable[FunctionSettings], endpoint: str, on_output: Callable[[bytes], None]
) -> AbstractAsyncContextManager[Launch]:
    """Yield what starts the functions' processes, in a tenth of the time that each would take.

    A library may read a variable when it is loaded: what all functions have in common is set.
    """
    given = [function_environment(settings, endpoint, "").items() for settings in functions]
    common = dict(set(given[0]).intersection(*given)) if given else {}
    return launching(LIBRARIES, common, on_output)


def runtime_module() -> str:
    """Return the runtime client's module: AWS's own where it is installed."""
    real = importlib.util.find_spec("awslambdaric") and importlib.util.find_spec("runtime_client")
    return "awslambdaric" if real else "relay_sandbox.lambda_runtime.fallback_runtime"


def function_environment(settings: FunctionSettings, endpoint: str, address: str) -> dict[str, str]:
    """Return all variables for a function's process: Lambda's, and the function's own.

    `endpoint` is the URL of the local AWS, `address` (host:port) that of the Runtime API.
    """
    return {
        **inherited_environment(),
        **settings.environment,
        **aws.environment(endpoint, settings.key),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": settings.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{settings.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "sandbox",
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_SESSION_TOKEN": "sandbox",
        "LAMBDA_TASK_ROOT": str(settings.folder),
        "PYTHONPATH": os.pathsep.join(str(layer) for layer in settings.layers),
        "TZ": ":UTC",
        "_HANDLER": settings.handler,
    }
