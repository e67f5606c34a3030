"""The Runtime API serves one runtime: it hands out invocations, takes replies, rejects the rest."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import cast

import pytest

from relay_sandbox.http.server import Connection, Request, Response
from relay_sandbox.lambda_runtime.runtime_api import (
    MAX_PAYLOAD_BYTES,
    FunctionError,
    PendingInvocation,
    RuntimeApi,
)

ROOT = "/2018-06-01/runtime/"
NO_CONNECTION = cast("Connection", None)


async def call(api: RuntimeApi, method: str, path: str, body: bytes = b"") -> Response:
    now = datetime.now(UTC)
    return await api.handle(Request(method, ROOT + path, (), body, ("", 0), now), NO_CONNECTION)


async def enqueued(api: RuntimeApi) -> tuple[PendingInvocation, Response]:
    pending = PendingInvocation(b'{"a": 1}', "arn:aws:lambda:x", timeout_seconds=30)
    api.enqueue(pending)
    return pending, await call(api, "GET", "invocation/next")


async def test_next_gives_payload_id_arn_and_a_deadline_that_counts_from_now() -> None:
    pending, response = await enqueued(RuntimeApi())

    headers = dict(response.headers)
    assert response.body == b'{"a": 1}'
    assert headers["lambda-runtime-aws-request-id"] == pending.request_id
    assert headers["lambda-runtime-invoked-function-arn"] == "arn:aws:lambda:x"
    left = int(headers["lambda-runtime-deadline-ms"]) / 1000 - time.time()
    assert 0 < left <= 30


async def test_next_waits_for_an_invocation() -> None:
    api = RuntimeApi()
    waiting = asyncio.ensure_future(call(api, "GET", "invocation/next"))
    await asyncio.wait({waiting}, timeout=0.01)
    assert not waiting.done()

    api.enqueue(PendingInvocation(b"{}", "arn", 1))

    assert (await waiting).status == 200


async def test_first_next_means_that_the_function_is_loaded() -> None:
    api = RuntimeApi()

    await enqueued(api)

    assert await api.initialised is None


async def test_response_completes_the_invocation() -> None:
    api = RuntimeApi()
    pending, _ = await enqueued(api)

    response = await call(
        api, "POST", f"invocation/{pending.request_id}/response", b'{"done": true}'
    )

    assert response.status == 202
    assert await pending.reply == b'{"done": true}'


async def test_error_completes_the_invocation_with_type_message_and_trace() -> None:
    api = RuntimeApi()
    pending, _ = await enqueued(api)
    report = {"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": ["line\n"]}

    await call(api, "POST", f"invocation/{pending.request_id}/error", json.dumps(report).encode())

    assert await pending.reply == FunctionError("KeyError", "'x'", ("line\n",))


async def test_error_report_that_cannot_be_read_is_still_an_error() -> None:
    api = RuntimeApi()
    pending, _ = await enqueued(api)

    await call(api, "POST", f"invocation/{pending.request_id}/error", b"it broke")

    assert await pending.reply == FunctionError("Runtime.Unknown", "it broke")


async def test_init_error_means_that_the_function_cannot_be_loaded() -> None:
    api = RuntimeApi()
    report = b'{"errorType": "ImportError", "errorMessage": "no", "stackTrace": null}'

    response = await call(api, "POST", "init/error", report)

    assert response.status == 202
    assert await api.initialised == FunctionError("ImportError", "no")


async def test_response_over_6_mb_fails_the_invocation_as_on_aws() -> None:
    api = RuntimeApi()
    pending, _ = await enqueued(api)

    body = b"x" * (MAX_PAYLOAD_BYTES + 1)
    response = await call(api, "POST", f"invocation/{pending.request_id}/response", body)

    assert response.status == 413
    reply = await pending.reply
    assert isinstance(reply, FunctionError)
    assert reply.type == "Function.ResponseSizeTooLarge"


async def test_response_to_another_invocation_is_refused() -> None:
    api = RuntimeApi()
    pending, _ = await enqueued(api)

    response = await call(api, "POST", "invocation/another/response", b"{}")

    assert response.status == 400
    assert not pending.reply.done()


@pytest.mark.parametrize(("method", "path"), [("GET", "init/error"), ("POST", "exit")])
async def test_call_that_the_api_does_not_have_is_404(method: str, path: str) -> None:
    assert (await call(RuntimeApi(), method, path)).status == 404
