"""Deployed functions, which start and discard execution environments as needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from typing import Protocol

from relay_sandbox.deployment.stack import FunctionSettings
from relay_sandbox.errors import PayloadTooLargeError, SandboxError
from relay_sandbox.lambda_runtime.execution import (
    ExecutionEnvironment,
    FunctionLog,
    Invocation,
    OnLine,
)
from relay_sandbox.lambda_runtime.runtime_api import (
    MAX_PAYLOAD_BYTES,
    FunctionError,
    PendingInvocation,
)
from relay_sandbox.processes.children import Child
from relay_sandbox.processes.forker import Launch


class Invocable(Protocol):
    """What event source mappings and the gateway need of a function."""

    async def invoke(self, event: object) -> Invocation:
        """Invoke it and wait until it ends; raises PayloadTooLargeError over 6 MB."""


class Function:
    """A deployed function, which starts and reuses execution environments as needed.

    `limit` is the maximum of concurrent invocations; further ones wait. `on_line` is told of each
    line that the function prints; `launch` starts the environments' processes.
    """

    def __init__(
        self,
        settings: FunctionSettings,
        log: FunctionLog,
        endpoint: str,
        limit: int,
        on_line: OnLine | None = None,
        launch: Launch = Child.start,
    ) -> None:
        self._on_line = on_line
        self._launch = launch
        self.settings = settings
        self.started = 0  # invocations since the start
        self.running = 0
        self._log = log
        self._endpoint = endpoint
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[ExecutionEnvironment] = []
        self._environments: set[ExecutionEnvironment] = set()
        self._retired: set[ExecutionEnvironment] = set()

    async def warm_up(self) -> None:
        """Start the first environment; raises SandboxError, with traceback, if it cannot load."""
        async with self._slots:
            environment = await self._environment()
        if isinstance(environment, FunctionError):
            raise SandboxError(f"the function {self.settings.key} cannot be loaded:\n{environment}")
        self._idle.append(environment)

    async def invoke(self, event: object) -> Invocation:
        """Invoke it with an event (any JSON value) and wait until it ends.

        If the function fails, crashes, cannot be loaded or times out, the Invocation has an error.
        Raises PayloadTooLargeError if the event is over 6 MB.
        """
        payload = json.dumps(event, ensure_ascii=False).encode()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise PayloadTooLargeError(f"Request must be smaller than {MAX_PAYLOAD_BYTES} bytes")
        self.started += 1
        self.running += 1
        try:
            async with self._slots:
                return await self._serve(payload)
        finally:
            self.running -= 1

    def kill_busy(self) -> None:
        """Kill the processes that are working: their invocations end with an error."""
        for environment in self._environments - set(self._idle):
            if environment.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(environment.pid, signal.SIGKILL)

    async def retire(self) -> None:
        """Let every later invocation run in a new process, which remembers nothing."""
        idle, self._idle = self._idle, []
        self._retired = set(self._environments)
        for environment in idle:
            await self._discard(environment)

    async def stop(self) -> None:
        """Stop all environments; invocations in progress end with an error."""
        await asyncio.gather(*(environment.stop() for environment in list(self._environments)))
        self._log.close()

    async def _serve(self, payload: bytes) -> Invocation:
        pending = PendingInvocation(payload, self.settings.arn, self.settings.timeout_seconds)
        environment = await self._environment()
        if isinstance(environment, FunctionError):
            return Invocation(pending.request_id, None, environment, str(environment))
        try:
            invocation = await environment.serve(pending)
        except BaseException:  # cancelled: the environment is still busy with this invocation
            await self._discard(environment)
            raise
        await self._put_back(environment)
        return invocation

    async def _environment(self) -> ExecutionEnvironment | FunctionError:
        while self._idle:
            environment = self._idle.pop()
            if environment.alive:
                return environment
            await self._discard(environment)
        started = await ExecutionEnvironment.start(
            self.settings, self._log, self._endpoint, self._on_line, self._launch
        )
        if isinstance(started, ExecutionEnvironment):
            self._environments.add(started)
        return started

    async def _put_back(self, environment: ExecutionEnvironment) -> None:
        if environment.alive and environment not in self._retired:
            self._idle.append(environment)
        else:
            await self._discard(environment)

    async def _discard(self, environment: ExecutionEnvironment) -> None:
        self._environments.discard(environment)
        self._retired.discard(environment)
        await environment.stop()
