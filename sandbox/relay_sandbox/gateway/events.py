"""Convert HTTP requests to an HTTP API's events, and functions' results to HTTP responses.

Payload format 2.0. Where AWS's documentation is silent, this follows what others have observed on
AWS: `rawPath` is percent-decoded, and a body is text only if its content type is text/* or
application/json, xml or javascript; everything else, even a form or no type at all, is base64.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from relay_sandbox.http.server import Headers, Request, Response
from relay_sandbox.local_aws.aws import ACCOUNT

Json = dict[str, Any]

API_ID = "sandbox"
_TEXT_TYPES = {"application/json", "application/xml", "application/javascript"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_event(request: Request, route_key: str, path_parameters: Mapping[str, str]) -> Json:
    """Make the event for a request that matched a route. Absent parts are left out."""
    path = unquote(request.path)
    optional: Json = {
        "cookies": list(_cookies(request)),
        "queryStringParameters": _joined(request.parameters, ","),
        "pathParameters": dict(path_parameters),
    }
    return {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": request.query,
        **{name: value for name, value in optional.items() if value},
        "headers": _headers(request),
        "requestContext": _context(request, route_key, path),
        **_body(request),
    }


def http_response(result: object, request_id: str) -> Response | None:
    """Convert a function's result as an HTTP API does; None if it is invalid (status 500).

    An object with `statusCode` is the whole response. Anything else is the body of a 200: a string
    as it is, other values as JSON.
    """
    own = (("apigw-requestid", request_id),)
    if not isinstance(result, Mapping) or "statusCode" not in result:
        body = result if isinstance(result, str) else json.dumps(result)
        return Response(200, (("content-type", "application/json"), *own), body.encode())
    try:
        body_bytes = _decoded(result.get("body"), is_base64=bool(result.get("isBase64Encoded")))
        return Response(int(result["statusCode"]), (*_response_headers(result), *own), body_bytes)
    except (ValueError, TypeError, AttributeError):
        return None


def gateway_response(status: int, text: str) -> Response:
    """Make a response of the gateway itself: `{"message": "Not Found"}`."""
    return Response.json(status, {"message": text})


def _cookies(request: Request) -> Iterator[str]:
    for name, value in request.headers:
        if name == "cookie":
            yield from (part.strip() for part in value.split(";") if part.strip())


def _headers(request: Request) -> dict[str, str]:
    sent = [(name, value) for name, value in request.headers if name != "cookie"]
    added = [
        ("x-forwarded-for", request.peer[0]),
        ("x-forwarded-port", str(_port(request))),
        ("x-forwarded-proto", "http"),
    ]
    return _joined([*sent, *added], ",")


def _joined(pairs: Any, separator: str) -> dict[str, str]:
    together: dict[str, list[str]] = {}
    for name, value in pairs:
        together.setdefault(name, []).append(value)
    return {name: separator.join(values) for name, values in together.items()}


def _port(request: Request) -> str:
    return (request.header("host") or "").partition(":")[2] or "80"


def _context(request: Request, route_key: str, path: str) -> Json:
    arrived = request.arrived
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": (request.header("host") or "").partition(":")[0],
        "domainPrefix": API_ID,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.peer[0],
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route_key,
        "stage": "$default",
        # Not strftime: its month names depend on the user's locale.
        "time": f"{arrived:%d}/{_MONTHS[arrived.month - 1]}/{arrived:%Y:%H:%M:%S +0000}",
        "timeEpoch": int(arrived.timestamp() * 1000),
    }


def _body(request: Request) -> Json:
    if not request.body:
        return {"isBase64Encoded": False}
    if _is_text(request):
        try:
            return {"body": request.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


def _is_text(request: Request) -> bool:
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT_TYPES


def _decoded(body: object, *, is_base64: bool) -> bytes:
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError("the body is not a string")
    return base64.b64decode(body, validate=True) if is_base64 else body.encode()


def _response_headers(result: Mapping[str, Any]) -> Headers:
    headers = {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    headers.setdefault("content-type", "text/plain; charset=utf-8")
    cookies = [("set-cookie", str(cookie)) for cookie in result.get("cookies") or ()]
    return (*headers.items(), *cookies)
