"""Requests as Lambda hands them to a function, whatever stands in front of it.

An HTTP API with payload format 2.0 stands in front of `accept`. A REST API, an HTTP API with format
1.0, an Application Load Balancer and a function URL hand in the same request in other forms, which
are brought into that of `accept`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from relay.domain.kinds import App, Kind
from relay.gateway.request import Problem, Request
from relay.instants import to_milliseconds
from relay_cli.input.event import BareEvent, Defaults, InputEvent, InvalidInput
from relay_cli.input.items import InputItem
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.findings_view import parse_findings

Json = Mapping[str, Any]

_EXAMPLE_PRODUCER: Final = "producer"
"""Stands in event ids for the producer, whom only a token tells."""
_PATH: Final = re.compile(r"/v1/(?P<surface>mobile|web)/(?P<app>[^/]+)/(?P<what>events|visits)/?\Z")
_ANY_ROUTE: Final = re.compile(r"\$default|.*\{proxy\+?\}")


def is_request(content: Json) -> bool:
    """Whether it is a request in one of these forms."""
    has_method = "routeKey" in content or "httpMethod" in content
    return has_method and isinstance(content.get("requestContext"), dict)


def request_items(
    event: Json, defaults: Defaults, bare_event: BareEvent | None, path: Path
) -> list[InputItem]:
    """The events of a request, as `accept` reads them. Raises `CliError`.

    `bare_event` says what the body of a request to another route holds.
    """
    # Imported here: `accept` loads Powertools, which no other form of file needs.
    from relay.accept.accept import ROUTES

    request = _request(event, defaults, path)
    kind, app_id = ROUTES.get(request.route), request.app_id
    if kind is None:
        if bare_event is None:
            raise CliError(
                f"{path} is a request to a route that takes no events. Give --kind and --app-id to "
                "check what its body holds."
            )
        kind, app_id = bare_event.kind, bare_event.app_id
    try:
        return _read(request, kind, app_id, defaults)
    except Problem as problem:
        return [InputItem("request", _refused(problem))]


def _read(request: Request, kind: Kind, app_id: str, defaults: Defaults) -> list[InputItem]:
    """Raises `Problem`."""
    from relay.accept.accept import PLACEHOLDER_KEY, with_ids, with_visitor
    from relay.accept.bodies import envelope_finding, is_envelope, read_events

    events, key = read_events(request), request.idempotency_key
    several = isinstance(events, list)
    app = App(app_id, defaults.time_zone, defaults.phone_region)
    return [
        InputItem(
            f"event {index + 1}",
            InvalidInput((envelope_finding(),))
            if is_envelope(one)
            else InputEvent(
                app,
                kind,
                with_visitor(kind, one, request.cookies),
                defaults.now(request.came_in),
                event_id=f"{key}:{index}" if key and several else key,
                came_in=request.came_in,
                entry_id=entry_id,
                is_http=True,
                found=(PLACEHOLDER_KEY,) if request.has_placeholder_key else (),
                has_own_id=key is not None,
            ),
        )
        for index, one, entry_id in with_ids(events, _EXAMPLE_PRODUCER, key)
    ]


def _refused(problem: Problem) -> InvalidInput:
    findings = tuple(parse_findings(problem.members.get("findings")))
    if findings:
        return InvalidInput(findings)
    return InvalidInput.with_reason("E3", "body", problem.detail)


# Into the form of the HTTP API


def _request(event: Json, defaults: Defaults, path: Path) -> Request:
    try:
        return Request.of(_as_http_api(event, defaults.now()))
    except (Problem, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CliError(
            f"{path} is no request of an HTTP API, a REST API or a load balancer in the form that "
            "Lambda gets."
        ) from error


def _as_http_api(event: Json, now: datetime) -> Json:
    """The request in payload format 2.0; `now` is its time, where it has none."""
    if "routeKey" in event and not _ANY_ROUTE.fullmatch(event["routeKey"]):
        return event
    context = event["requestContext"]
    if "rawPath" in event:
        return {**event, **_route(context["http"]["method"], event["rawPath"], {})}
    headers = _headers(event)
    return {
        **_route(event["httpMethod"], event["path"], event.get("pathParameters") or {}),
        "headers": headers,
        "cookies": headers.get("cookie", "").split(";"),
        "queryStringParameters": event.get("queryStringParameters"),
        "requestContext": {"timeEpoch": context.get("requestTimeEpoch") or to_milliseconds(now)},
        "body": event.get("body"),
        "isBase64Encoded": event.get("isBase64Encoded"),
    }


def _route(method: str, path: str, parameters: Json) -> Json:
    """By the path, which may begin with a stage or a base path."""
    found = _PATH.search(path)
    if found is None:
        return {"routeKey": f"{method} {path}", "pathParameters": parameters}
    app_id = parameters.get("app_id") or unquote(found["app"])
    template = f"/v1/{found['surface']}/{{app_id}}/{found['what']}"
    return {"routeKey": f"{method} {template}", "pathParameters": {"app_id": app_id}}


def _headers(event: Json) -> dict[str, str]:
    """Several values of one name are joined, as the HTTP API joins them."""
    several: Mapping[str, Sequence[str]] = event.get("multiValueHeaders") or {}
    return {
        **{name.lower(): value for name, value in (event.get("headers") or {}).items()},
        **{name.lower(): ",".join(values) for name, values in several.items()},
    }
