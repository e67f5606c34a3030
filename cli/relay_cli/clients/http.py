"""One HTTP request, and its response whatever the status."""

import functools
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from relay_cli.terminal.errors import CliError

_MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
_TIMEOUT_SECONDS: Final = 35  # the API times out after 30
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Host names of this machine."""


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    """With names in lower case."""

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is not one."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Returns redirects as responses, so that a token is never sent to another address."""

    def redirect_request(self, *_: Any) -> None:
        """Follows nothing."""


@functools.cache
def _opener(*, is_local: bool) -> urllib.request.OpenerDirector:
    """Cached, because loading the CA certificates takes longer than a request."""
    if is_local:
        return urllib.request.build_opener(
            _NoRedirect,
            urllib.request.ProxyHandler({}),  # no proxy can reach this machine
        )
    return urllib.request.build_opener(_NoRedirect)


def split_url(url: str, description: str) -> SplitResult:
    """The parts of a URL. Raises `CliError`, which names `description`."""
    try:
        return urlsplit(url)
    except ValueError as error:
        raise CliError(f"this is no address of {description}: {url}") from error


def call(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    seconds: float = _TIMEOUT_SECONDS,
) -> Response:
    """Sends one request; raises `CliError` if there is no response within `seconds`."""
    parts = split_url(url, "an HTTP API")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CliError(f"{url} is no address of an HTTP API: it begins with https://")
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310
    opener = _opener(is_local=parts.hostname in LOOPBACK)
    try:
        with opener.open(request, timeout=seconds) as response:
            body = response.read(_MAX_RESPONSE_BYTES)
            return Response(response.status, body, _headers(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(_MAX_RESPONSE_BYTES)
            return Response(error.code, body, _headers(error.headers))
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise CliError(f"{parts.scheme}://{parts.netloc} gave no answer: {reason}") from error


def _headers(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
