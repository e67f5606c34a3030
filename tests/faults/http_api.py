"""The HTTP API in this process: the sandbox's gateway with the real use cases behind, as WSGI."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from relay_cli.payments.signing import sign
from relay_sandbox.deployment.routes import Api, Route
from relay_sandbox.gateway.gateway import Gateway
from relay_sandbox.http.server import Connection, Request
from relay_sandbox.lambda_runtime.execution import Invocation
from tests.support.builders import NOW, Json
from tests.support.harnesses import AcceptHarness, InstallsHarness
from tests.support.openapi import ROUTES
from tests.support.payments_harness import SECRETS, PaymentsHarness

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import StartResponse, WSGIEnvironment

NO_WIRE = cast("Connection", None)


class InProcess:
    """A function whose handler is called here."""

    def __init__(self, handle: "Callable[[Json], Json]") -> None:
        self._handle = handle

    async def invoke(self, event: object) -> Invocation:
        return Invocation("1", self._handle(cast("Json", event)), None, "")


class HttpApi:
    """A WSGI application. Webhooks are signed on the way, as their providers would sign them."""

    def __init__(self) -> None:
        self.accept, self.installs, self.payments = (
            AcceptHarness(),
            InstallsHarness(),
            PaymentsHarness(),
        )
        functions = {
            "events": InProcess(self.accept.accept.handle),
            "health": InProcess(self.accept.accept.handle),
            "installs": InProcess(self.installs.installs.handle),
            "payments": InProcess(self.payments.receiver.handle),
        }
        routes = tuple(
            Route(method, path, function=operation["tags"][0], timeout_seconds=60.0)
            for route, operation in ROUTES.items()
            for method, _, path in [route.partition(" ")]
        )
        self._gateway = Gateway(Api(routes, None, None), functions)
        self._runner = asyncio.Runner()

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        answer = self._runner.run(self._gateway.handle(self._request(environ), NO_WIRE))
        start(f"{answer.status} Status", list(answer.headers))
        return [answer.body]

    def close(self) -> None:
        self._runner.close()

    def forget(self) -> None:
        """Empties the queues; what is sent in a long run would fill the memory."""
        for harness in (self.accept, self.payments):
            harness.sqs.queues.clear()
            harness.sqs.calls.clear()
        for ssm in (self.accept.ssm, self.installs.ssm, self.payments.ssm):
            ssm.calls.clear()

    def _request(self, environ: Any) -> Request:
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        target = environ["REQUEST_URI"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers |= self._signature(target, body)
        return Request(
            environ["REQUEST_METHOD"],
            target,
            tuple(headers.items()),
            body,
            ("192.0.2.1", 443),
            NOW,
        )

    def _signature(self, target: str, body: bytes) -> dict[str, str]:
        _, _, rest = target.partition("/v1/payments/")
        provider = rest.partition("/")[0]
        if provider not in SECRETS or provider == "adyen":  # which signs within the body
            return {}
        return sign(provider, body, SECRETS[provider], self.payments.clock.now).headers
