"""Answers of the page's server: JSON, files, and errors in a sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from relay.exact_json import InvalidJsonError, dumps, loads
from relay_sandbox.http.messages import Headers, Request, Response

SECURITY: Final[Headers] = (
    (
        "content-security-policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}


class PageError(Exception):
    """A request that cannot be met; the message says what is wrong, never what was sent."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def as_json(value: object, status: int = 200) -> Response:
    """A JSON answer; it is never kept by anybody."""
    headers = (("content-type", "application/json"), ("cache-control", "no-store"), *SECURITY)
    return Response(status, headers, dumps(value))


def error(status: int, message: str) -> Response:
    """An error in a sentence."""
    return as_json({"error": message}, status)


def body_of(request: Request) -> dict[str, object]:
    """The JSON object in a request's body; raises `PageError`."""
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise PageError(415, "the body is JSON here: add Content-Type: application/json")
    try:
        value = loads(request.body or b"{}")
    except InvalidJsonError as problem:
        raise PageError(400, f"the body is {problem}") from problem
    if not isinstance(value, dict):
        raise PageError(400, "the body must be a JSON object")
    return value


def file_of(folder: Path, request: Request) -> Response | None:
    """A file of the page; None if there is none of this name."""
    parts = request.path.strip("/").split("/") if request.path != "/" else ["index.html"]
    if any(part in {"", ".", ".."} or part.startswith(".") or "%" in part for part in parts):
        return None
    path = folder.joinpath(*parts)
    kind = _TYPES.get(path.suffix)
    if kind is None or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return None
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = (("content-type", kind), ("cache-control", "no-cache"), ("etag", tag), *SECURITY)
    if request.header("if-none-match") == tag:
        return Response(304, headers)
    return Response(200, headers, content)
