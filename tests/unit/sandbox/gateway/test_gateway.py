"""The gateway routes, limits and responds like an HTTP API, whatever the function does."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from relay_sandbox.deployment.routes import Api, Route
from relay_sandbox.errors import PayloadTooLargeError
from relay_sandbox.gateway.gateway import MAX_BODY_BYTES, Gateway, Throttle
from relay_sandbox.http.server import Connection, Request, Response
from relay_sandbox.lambda_runtime.execution import Invocation
from relay_sandbox.lambda_runtime.runtime_api import FunctionError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NO_CONNECTION = cast("Connection", None)


class StubFunction:
    """A function in this process; `handler` makes its result from the event, or raises."""

    def __init__(self, handler: Callable[[Any], object]) -> None:
        self._handler = handler

    async def invoke(self, event: object) -> Invocation:
        result = self._handler(event)
        if isinstance(result, FunctionError):
            return Invocation("1", None, result, "")
        return Invocation("1", result, None, "")


class HangingFunction:
    """A function that never returns."""

    async def invoke(self, event: object) -> Invocation:
        never: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()
        return await never


def too_large(event: Any) -> object:
    raise PayloadTooLargeError


def gateway(
    handler: Callable[[Any], object] = lambda event: event,
    *paths: str,
    rate: float | None = None,
    burst: float | None = None,
) -> Gateway:
    routes = tuple(
        Route(method, path, function="accept", timeout_seconds=5.0)
        for method, path in (key.split(" ") for key in paths or ("POST /v1/{app_id}/events",))
    )
    return Gateway(Api(routes, rate, burst), {"accept": StubFunction(handler)})


async def call(
    on: Gateway, method: str = "POST", target: str = "/v1/id1/events", body: bytes = b""
) -> Response:
    request = Request(method, target, (), body, ("127.0.0.1", 1), NOW)
    return await on.handle(request, NO_CONNECTION)


async def test_gateway_matching_route_hands_decoded_path_parameters_to_the_function() -> None:
    response = await call(gateway(), target="/v1/com.example%2Eshop/events")

    assert json.loads(response.body)["pathParameters"] == {"app_id": "com.example.shop"}


async def test_gateway_route_with_two_parameters_hands_over_both() -> None:
    on = gateway(lambda event: event["pathParameters"], "POST /v1/payments/{provider}/{source}")

    response = await call(on, target="/v1/payments/stripe/stripe-sandbox")

    assert json.loads(response.body) == {"provider": "stripe", "source": "stripe-sandbox"}


async def test_gateway_one_path_goes_by_its_method_and_keeps_its_query() -> None:
    path = "/v1/appsflyer/installs/{app_id}"
    on = gateway(lambda event: event, f"POST {path}", f"GET {path}")

    got = json.loads((await call(on, "GET", "/v1/appsflyer/installs/id1?token=a%2Bb&os=17")).body)
    posted = json.loads((await call(on, "POST", "/v1/appsflyer/installs/id1")).body)

    assert (got["routeKey"], posted["routeKey"]) == (f"GET {path}", f"POST {path}")
    assert got["queryStringParameters"] == {"token": "a+b", "os": "17"}
    assert got["pathParameters"] == {"app_id": "id1"}


@pytest.mark.parametrize(
    "body",
    [
        rb'{"amount": 1.10, "name": "J\u00f6rg"}' + b"\r\n\t ",
        '{"name": "J\u00f6rg \U0001f4b6"}'.encode(),
        b'\xef\xbb\xbf{"with": "a mark"}',
        b'{"not": "UTF-8: \xff\xfe\xed\xa0\x80"}',
        b'{"nothing": "\x00"}  ',
    ],
    ids=["white space", "UTF-8", "byte order mark", "not UTF-8", "zero byte"],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream"])
async def test_gateway_body_reaches_the_function_byte_for_byte(
    body: bytes, content_type: str
) -> None:
    """A webhook's signature covers exactly these bytes."""
    events = []

    def keep(event: Any) -> None:
        invoked_with = json.dumps(event, ensure_ascii=False).encode()  # as `Function.invoke` does
        events.append(json.loads(invoked_with))

    headers = (("content-type", content_type),)
    request = Request("POST", "/v1/id1/events", headers, body, ("127.0.0.1", 1), NOW)
    await gateway(keep).handle(request, NO_CONNECTION)

    (event,) = events
    given = event["body"]
    assert (base64.b64decode(given) if event["isBase64Encoded"] else given.encode()) == body


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/id1/events"),
        ("POST", "/v1/id1/events/"),
        ("POST", "/v1//events"),
        ("POST", "/v1/id1"),
        ("POST", "/"),
    ],
)
async def test_gateway_unknown_route_is_404(method: str, target: str) -> None:
    response = await call(gateway(), method, target)

    assert (response.status, response.body) == (404, b'{"message": "Not Found"}')


async def test_gateway_prefers_the_more_specific_route() -> None:
    on = gateway(lambda event: event["routeKey"], "ANY /{all+}", "GET /v1/{x}", "GET /v1/health")

    bodies = [(await call(on, "GET", f"/v1/{x}")).body for x in ("health", "other", "a/b")]

    assert bodies == [b"GET /v1/health", b"GET /v1/{x}", b"ANY /{all+}"]


async def test_gateway_greedy_parameter_takes_the_rest_of_the_path() -> None:
    on = gateway(lambda event: event["pathParameters"], "ANY /v1/{proxy+}")

    response = await call(on, "PUT", "/v1/a/b%20c/d")

    assert json.loads(response.body) == {"proxy": "a/b c/d"}


async def test_gateway_failed_function_is_500_without_the_reason() -> None:
    response = await call(gateway(lambda _: FunctionError("KeyError", "secret")))

    assert (response.status, response.body) == (500, b'{"message": "Internal Server Error"}')


async def test_gateway_response_that_is_invalid_is_500() -> None:
    response = await call(gateway(lambda _: {"statusCode": "many"}))

    assert response.status == 500


async def test_gateway_body_over_10_mb_is_413() -> None:
    response = await call(gateway(), body=b"x" * (MAX_BODY_BYTES + 1))

    assert (response.status, response.body) == (413, b'{"message": "Request Entity Too Large"}')


async def test_gateway_event_over_what_lambda_takes_is_413() -> None:
    assert (await call(gateway(too_large))).status == 413


async def test_gateway_function_that_does_not_return_in_time_is_503_and_keeps_running() -> None:
    route = Route("GET", "/slow", "slow", timeout_seconds=0.01)
    on = Gateway(Api((route,), None, None), {"slow": HangingFunction()})

    response = await call(on, "GET", "/slow")
    await on.stop()

    assert (response.status, response.body) == (503, b'{"message": "Service Unavailable"}')


async def test_gateway_over_the_throttle_is_429() -> None:
    on = gateway(lambda _: "ok", rate=0.001, burst=2)

    statuses = [(await call(on)).status for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_throttle_refills_at_its_rate_up_to_its_burst() -> None:
    now = 100.0
    throttle = Throttle(rate=2, burst=3, clock=lambda: now)

    at_once = [throttle.allow() for _ in range(4)]
    now += 0.5
    after_half_a_second = [throttle.allow() for _ in range(2)]
    now += 60
    after_a_minute = [throttle.allow() for _ in range(4)]

    assert at_once == [True, True, True, False]
    assert after_half_a_second == [True, False]
    assert after_a_minute == [True, True, True, False]


def test_throttle_without_a_rate_admits_everything() -> None:
    throttle = Throttle(None, None)

    assert all(throttle.allow() for _ in range(1000))
