"""The HTTP API on localhost: the template's routes, limits and time-outs in front of functions.

Its own responses are those of an HTTP API on AWS: 404 for an unknown route, 413 over 10 MB (or over
the 6 MB of an invocation), 429 over the throttle, 500 if the function failed, 503 if it did not
respond in time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from relay_sandbox.deployment.routes import Api, Route
from relay_sandbox.errors import PayloadTooLargeError
from relay_sandbox.gateway.events import gateway_response, http_event, http_response
from relay_sandbox.gateway.router import Router
from relay_sandbox.http.server import Connection, Request, Response
from relay_sandbox.lambda_runtime.execution import Invocation
from relay_sandbox.lambda_runtime.function import Invocable

MAX_BODY_BYTES = 10 * 1024 * 1024
OnAnswer = Callable[[str, Mapping[str, str], Request, Response], None]

_LOGGER = logging.getLogger(__name__)
_TOO_LARGE = gateway_response(413, "Request Entity Too Large")
_INTERNAL_ERROR = gateway_response(500, "Internal Server Error")


class Throttle:
    """A token bucket: `rate` requests per second on average, `burst` at once."""

    def __init__(
        self, rate: float | None, burst: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst or rate or 0.0
        self._clock = clock
        self._tokens = self._burst
        self._filled = clock()

    def allow(self) -> bool:
        """Take a token; False if none is left."""
        if self._rate is None:
            return True
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Gateway:
    """The HTTP API; `handle` serves it. `functions` are keyed by the names that routes use.

    `on_answer` is told of each answer, with the route's key and its parameters.
    """

    def __init__(
        self, api: Api, functions: Mapping[str, Invocable], on_answer: OnAnswer | None = None
    ) -> None:
        self._on_answer = on_answer
        self._functions = functions
        self._router = Router(api.routes)
        self._throttles = {route: Throttle(api.rate, api.burst) for route in api.routes}
        self._running: set[asyncio.Task[Invocation]] = set()

    async def handle(self, request: Request, _connection: Connection) -> Response:
        """Serve one request."""
        found = self._router.find(request)
        if found is None:
            return gateway_response(404, "Not Found")
        response = await self._respond(*found, request)
        if self._on_answer:
            route, parameters = found
            self._on_answer(route.key, parameters, request, response)
        return response

    async def stop(self) -> None:
        """Cancel the invocations that are still running."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _respond(
        self, route: Route, parameters: Mapping[str, str], request: Request
    ) -> Response:
        if not self._throttles[route].allow():
            return gateway_response(429, "Too Many Requests")
        if len(request.body) > MAX_BODY_BYTES:
            return _TOO_LARGE
        event = http_event(request, route.key, parameters)
        try:
            invocation = await self._invoke(route, event)
        except PayloadTooLargeError:
            return _TOO_LARGE
        except TimeoutError:
            return gateway_response(503, "Service Unavailable")
        if invocation.error:
            _LOGGER.warning("%s failed: %s; see its log", route.function, invocation.error.type)
            return _INTERNAL_ERROR
        return http_response(invocation.result, event["requestContext"]["requestId"]) or (
            _INTERNAL_ERROR
        )

    async def _invoke(self, route: Route, event: object) -> Invocation:
        # The function keeps running if the gateway, or the client, stops waiting.
        task = asyncio.ensure_future(self._functions[route.function].invoke(event))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.wait_for(asyncio.shield(task), route.timeout_seconds)
