"""A runtime client for systems other than Linux, where AWS's own (`awslambdaric`) does not run.

It uses the same Runtime API:
`python -m relay_sandbox.lambda_runtime.fallback_runtime app.lambda_handler`.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ROOT = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context object that functions can use here."""

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: int
    function_name: str
    function_version: str
    memory_limit_in_mb: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left for this invocation; 0 if none are."""
        return max(0, self.deadline_ms - int(time.time() * 1000))


class _Api:
    """A client of the Runtime API."""

    def __init__(self, address: str) -> None:
        self._address = address

    def call(self, method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._address)
        connection.request(method, _ROOT + path, body, {"content-type": "application/json"})
        return connection.getresponse()

    def report(self, path: str, error: BaseException) -> None:
        print("".join(traceback.format_exception(error)), flush=True)
        body = {
            "errorType": type(error).__name__,
            "errorMessage": str(error),
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
        self.call("POST", path, json.dumps(body).encode())


def run(handler: str, address: str) -> None:
    """Load the handler and serve invocations until the process is killed."""
    api = _Api(address)
    try:
        module, _, name = handler.rpartition(".")
        function = getattr(importlib.import_module(module), name)
    except Exception as error:  # noqa: BLE001 - importing a module may raise anything
        api.report("init/error", error)
        sys.exit(1)
    while True:
        _serve_one(api, function)


def _serve_one(api: _Api, function: Callable[[Any, Context], object]) -> None:
    invocation = api.call("GET", "invocation/next")
    request_id = invocation.headers["lambda-runtime-aws-request-id"]
    context = Context(
        aws_request_id=request_id,
        invoked_function_arn=invocation.headers["lambda-runtime-invoked-function-arn"],
        deadline_ms=int(invocation.headers["lambda-runtime-deadline-ms"]),
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        function_version=os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
    )
    try:
        result = json.dumps(function(json.loads(invocation.read()), context)).encode()
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is its result
        api.report(f"invocation/{request_id}/error", error)
    else:
        sys.stdout.flush()  # the output belongs to this invocation's log
        api.call("POST", f"invocation/{request_id}/response", result)


if __name__ == "__main__":
    run(sys.argv[1], os.environ["AWS_LAMBDA_RUNTIME_API"])
