"""Match requests to the routes of the HTTP API."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from relay_sandbox.deployment.routes import Route
from relay_sandbox.http.server import Request


class Router:
    """Finds the route for a request; the most specific one wins."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = sorted(routes, key=_precedence)

    def find(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        """Return the route and the path parameters, percent-decoded; None when no route matches."""
        for route in self._routes:
            parameters = _match(route, request)
            if parameters is not None:
                return route, parameters
        return None


def _precedence(route: Route) -> tuple[bool, int]:
    """Sort key: the most specific route comes first."""
    return "+}" in route.path, route.path.count("{")


def _match(route: Route, request: Request) -> dict[str, str] | None:
    if route.method not in ("ANY", request.method):
        return None
    wanted, given = route.path.split("/"), request.path.split("/")
    if wanted[-1].endswith("+}") and len(given) >= len(wanted):  # {proxy+} takes all the rest
        given[len(wanted) - 1 :] = ["/".join(given[len(wanted) - 1 :])]
    if len(wanted) != len(given):
        return None
    parameters = {}
    for pattern, segment in zip(wanted, given, strict=True):
        if pattern.startswith("{") and segment:
            parameters[pattern.strip("{+}")] = unquote(segment)
        elif pattern != unquote(segment):
            return None
    return parameters
