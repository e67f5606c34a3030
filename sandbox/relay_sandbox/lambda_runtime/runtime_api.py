"""Lambda's Runtime API for one execution environment.

The runtime in the environment requests its next invocation (and waits), posts a response or an
error, and repeats. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from relay_sandbox.http.server import Connection, Request, Response

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024  # limit for an event, and for a result
_ROOT = "/2018-06-01/runtime/"
_ACCEPTED = Response.json(202, {"status": "OK"})


@dataclass(frozen=True)
class FunctionError:
    """Why a function returned no result; `type` and `message` in Lambda's words."""

    type: str
    message: str
    stack_trace: tuple[str, ...] = ()

    @classmethod
    def from_body(cls, body: bytes) -> FunctionError:
        """Parse the runtime's error report; an unreadable report becomes an error too."""
        try:
            report: Any = json.loads(body)
            trace = tuple(str(line) for line in report.get("stackTrace") or ())
            return cls(str(report["errorType"]), str(report["errorMessage"]), trace)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls("Runtime.Unknown", body.decode(errors="replace"))

    def __str__(self) -> str:
        """Format it like a traceback: the stack first, then type and message."""
        return "".join([*self.stack_trace, f"{self.type}: {self.message}"])


@dataclass(frozen=True)
class PendingInvocation:
    """An invocation for the runtime; `reply` becomes the result's JSON or an error."""

    payload: bytes
    function_arn: str
    timeout_seconds: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    reply: asyncio.Future[bytes | FunctionError] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def to_response(self) -> Response:
        """Make the response that hands it to the runtime; its deadline counts from now."""
        deadline_ms = int((time.time() + self.timeout_seconds) * 1000)
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0"
        headers = (
            ("content-type", "application/json"),
            ("lambda-runtime-aws-request-id", self.request_id),
            ("lambda-runtime-deadline-ms", str(deadline_ms)),
            ("lambda-runtime-invoked-function-arn", self.function_arn),
            ("lambda-runtime-trace-id", trace),
        )
        return Response(200, headers, self.payload)

    def complete(self, reply: bytes | FunctionError) -> None:
        """Set the reply, unless one is set already."""
        if not self.reply.done():
            self.reply.set_result(reply)


class RuntimeApi:
    """The Runtime API of an execution environment; `handle` serves its requests."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[PendingInvocation] = asyncio.Queue()
        self._current: PendingInvocation | None = None
        # Done when the function is loaded (None) or failed to load.
        self.initialised: asyncio.Future[FunctionError | None] = (
            asyncio.get_running_loop().create_future()
        )

    def enqueue(self, pending: PendingInvocation) -> None:
        """Queue an invocation for the runtime."""
        self._waiting.put_nowait(pending)

    async def handle(self, request: Request, _connection: Connection) -> Response:
        """Serve a request of the runtime."""
        match request.method, request.path.removeprefix(_ROOT).split("/"):
            case "GET", ["invocation", "next"]:
                return await self._next()
            case "POST", ["invocation", request_id, "response"]:
                return self._complete(request_id, request.body)
            case "POST", ["invocation", request_id, "error"]:
                return self._complete(request_id, FunctionError.from_body(request.body))
            case "POST", ["init", "error"]:
                self._initialise(FunctionError.from_body(request.body))
                return _ACCEPTED
            case _:
                return Response.json(404, {"errorType": "NotFound", "errorMessage": "no such call"})

    async def _next(self) -> Response:
        self._initialise(None)
        self._current = await self._waiting.get()
        return self._current.to_response()

    def _initialise(self, error: FunctionError | None) -> None:
        if not self.initialised.done():
            self.initialised.set_result(error)

    def _complete(self, request_id: str, reply: bytes | FunctionError) -> Response:
        pending = self._current
        if pending is None or pending.request_id != request_id:
            return _error_response(400, "InvalidRequestID", "this invocation is not under way")
        if isinstance(reply, bytes) and len(reply) > MAX_PAYLOAD_BYTES:
            text = f"Response payload size exceeded maximum allowed ({MAX_PAYLOAD_BYTES} bytes)."
            pending.complete(FunctionError("Function.ResponseSizeTooLarge", text))
            return _error_response(413, "RequestEntityTooLarge", text)
        pending.complete(reply)
        return _ACCEPTED


def _error_response(status: int, kind: str, text: str) -> Response:
    return Response.json(status, {"errorType": kind, "errorMessage": text})
