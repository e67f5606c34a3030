"""Requests and responses of API Gateway's HTTP API (payload format 2.0).

Errors are `application/problem+json` (RFC 9457).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Self, TypedDict
from urllib.parse import unquote

from relay.exact_json import dumps
from relay.instants import from_milliseconds, is_epoch_seconds
from relay.rules.leniency import is_placeholder, trim

JSON: Final = "application/json"
TEXT: Final = "text/plain"
PROBLEM_JSON: Final = "application/problem+json"

LONGEST_SECONDS: Final = 29.0
"""What template.yaml gives the functions behind the API, which waits a second longer."""

LONGEST_KEY: Final = 256
"""Characters of an `Idempotency-Key` (X6)."""

_YES: Final = frozenset({"true", "1", "yes", ""})
"""Of `preview` (X3): without a value too."""
_NO: Final = frozenset({"false", "0", "no"})


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response with a JSON body, or with plain text if `content` is a text."""

    status: HTTPStatus
    content: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON

    def to_lambda(self) -> dict[str, Any]:
        """The response in the form that Lambda returns to API Gateway."""
        is_text = isinstance(self.content, str)
        content_type = TEXT if is_text else self.content_type
        return {
            "statusCode": int(self.status),
            "headers": {"content-type": content_type, **self.headers},
            "body": self.content if is_text else dumps(self.content).decode(),
            "isBase64Encoded": False,
        }


class ProblemContent(TypedDict):
    """A request that was not met, and why (RFC 9457)."""

    type: Annotated[str, "Always `about:blank`: the status says which sort of problem it is"]
    title: Annotated[str, "The status in words"]
    status: Annotated[int, "The status of the answer"]
    detail: Annotated[str, "What to do, in a sentence. Never quotes what was sent"]


class Problem(Exception):  # noqa: N818 - the name that RFC 9457 gives it
    """A request that is refused; `detail` tells the caller what to do, and quotes nothing."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = members or {}

    def response(self) -> Response:
        """The problem as a response."""
        content: ProblemContent = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        return Response(self.status, {**content, **self.members}, self.headers, PROBLEM_JSON)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    route: str
    """Method and path template that API Gateway matched."""
    path: Mapping[str, str]
    """The path parameters."""
    headers: Mapping[str, str]
    query: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes
    came_in: datetime

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Reads an event of payload format 2.0; raises `Problem`."""
        return cls(
            route=event["routeKey"],
            path=event.get("pathParameters") or {},
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            query=event.get("queryStringParameters") or {},
            cookies=_cookies(event),
            body=_body(event),
            came_in=_moment(int(event["requestContext"]["timeEpoch"])),
        )

    @property
    def app_id(self) -> str:
        """The app id in the path, or an empty text."""
        return self.path.get("app_id", "")

    @property
    def bearer_token(self) -> str | None:
        """The token of `Authorization: Bearer`."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    @property
    def idempotency_key(self) -> str | None:
        """`Idempotency-Key` (X6): the sender's id for the request; raises `Problem`.

        A pair of quotes around it is no part of it. API Gateway joins two headers with a comma.
        """
        key = _unquoted(trim(self.headers.get("idempotency-key", "")))
        if len(key) > LONGEST_KEY or not key.isprintable():
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                f"Idempotency-Key must be at most {LONGEST_KEY} printable characters",
            )
        return None if not key or is_placeholder(key) else key

    @property
    def has_placeholder_key(self) -> bool:
        """Whether `Idempotency-Key` is a text that stands for nothing (G4)."""
        return is_placeholder(_unquoted(trim(self.headers.get("idempotency-key", ""))))

    @property
    def is_preview(self) -> bool:
        """`?preview` (X3): say what would be sent, and queue nothing; raises `Problem`."""
        value = self.query.get("preview", "no").lower()
        if value not in _YES | _NO:
            raise Problem(HTTPStatus.BAD_REQUEST, "preview must be true or false, and stand once")
        return value in _YES

    def check_content_type(self) -> None:
        """Raises `Problem` unless `Content-Type` is JSON."""
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != JSON:
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as Content-Type: application/json"
            )


def _unquoted(key: str) -> str:
    """The key within its quotes; raises `Problem` if there are two."""
    quoted = len(key) > 1 and key[0] == key[-1] == '"'
    inner = key[1:-1] if quoted else key
    if "," in inner and (not quoted or '"' in inner):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "Idempotency-Key must stand once: two come joined by a comma, so a key with one must "
            "be in double quotes",
        )
    return trim(inner) if quoted else inner


def _moment(epoch: int) -> datetime:
    """API Gateway sends milliseconds, `sam local start-api` seconds."""
    return from_milliseconds(epoch * 1000 if is_epoch_seconds(epoch) else epoch)


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            return base64.b64decode(body, validate=True)
        return str(body).encode()
    except ValueError as error:  # neither base64 nor Unicode text
        raise Problem(HTTPStatus.BAD_REQUEST, "the body cannot be read") from error


def _cookies(event: Mapping[str, Any]) -> dict[str, str]:
    """The visitor's cookies; payload format 2.0 removes them from the headers."""
    pairs = (cookie.partition("=") for cookie in event.get("cookies") or [])
    return {name.strip(): unquote(value.strip().strip('"')) for name, _, value in pairs}
