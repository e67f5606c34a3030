"""The HTTP API that the template describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay_sandbox.deployment.template import Json, Template
from relay_sandbox.errors import SandboxError

_GATEWAY_TIMEOUT_MS = 30_000  # an HTTP API's default integration time-out


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API: `method`, `path` with {parameters}, and the function it invokes."""

    method: str
    path: str
    function: str
    timeout_seconds: float

    @property
    def key(self) -> str:
        """The route key that events contain: "POST /v1/mobile/{app_id}/events"."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Api:
    """The HTTP API. `rate` (requests per second) and `burst` limit each route; None is no limit."""

    routes: tuple[Route, ...]
    rate: float | None
    burst: float | None


def read_api(template: Template, parameters: Mapping[str, str], keys: Mapping[str, str]) -> Api:
    """Read the HTTP API of a template; `keys` maps logical ids to functions' names.

    Raises SandboxError if a route uses another payload format than 2.0.
    """
    resources = template.transformed["Resources"].values()
    bodies = [r["Properties"]["Body"] for r in resources if r["Type"] == "AWS::ApiGatewayV2::Api"]
    stages = [r["Properties"] for r in resources if r["Type"] == "AWS::ApiGatewayV2::Stage"]
    bounds = stages[0].get("DefaultRouteSettings", {}) if stages else {}
    return Api(
        routes=tuple(
            _route(template, keys, path, method, operation)
            for body in bodies
            for path, operations in body["paths"].items()
            for method, operation in operations.items()
        ),
        rate=_number(template.resolve(bounds.get("ThrottlingRateLimit"), parameters)),
        burst=_number(template.resolve(bounds.get("ThrottlingBurstLimit"), parameters)),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _route(
    template: Template, keys: Mapping[str, str], path: str, method: str, operation: Json
) -> Route:
    integration = operation["x-amazon-apigateway-integration"]
    if integration.get("payloadFormatVersion") != "2.0":
        raise SandboxError(
            f"the route {method.upper()} {path} does not say PayloadFormatVersion 2.0"
        )
    return Route(
        method="ANY" if method == "x-amazon-apigateway-any-method" else method.upper(),
        path=path,
        function=keys[template.function_behind(integration["uri"])],
        timeout_seconds=integration.get("timeoutInMillis", _GATEWAY_TIMEOUT_MS) / 1000,
    )
