"""The body of a request for events: JSON in UTF-8, plain or gzip (X1, X2, X4, X5). Pure."""

import zlib
from http import HTTPStatus
from typing import Any, Final

from relay.domain.findings import Finding, Severity
from relay.exact_json import InvalidJsonError, TooManyValuesError
from relay.gateway.request import Problem, Request
from relay.messages.items import SENDERS_FIELDS
from relay.messages.wrappers import parsed

MAX_BODY_BYTES: Final = 5 * 1024 * 1024
"""Of a body, and of what a body in gzip becomes. Lambda accepts 6 MB an invocation, and the body
arrives wrapped and escaped."""
MAX_EVENTS: Final = 500
MAX_VALUES: Final = 250_000
"""Names and values in a body: 500 for each of the most events. They bound the memory it takes."""

_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_FIRST_BYTES, _MOST_BYTES = 512, 65_536
_MARKS_OF_AN_EVENT: Final = ("appsflyer_id", "eventName", "event_name", "user_id")


def read_events(request: Request) -> Any:
    """The body's one event, or its list of events; raises `Problem`."""
    request.check_content_type()
    content = _content(request)
    if isinstance(content, dict) and is_envelope(content):
        raise _refused("X4", "event", ENVELOPE)
    if isinstance(content, dict) and _is_wrapped_array(content):
        raise _refused("X5", "body", _WRAPPED_ARRAY)
    if not isinstance(content, list | dict) or not content:
        raise Problem(HTTPStatus.BAD_REQUEST, "send one event as an object, or an array of events")
    if len(content) > MAX_EVENTS and isinstance(content, list):
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the array holds {len(content)} events; at most {MAX_EVENTS} are taken",
        )
    return content


def is_envelope(content: object) -> bool:
    """X4: an object for a queue, which says what the path says here."""
    if not isinstance(content, dict) or content.get("event") is None:
        return False
    if content.get("app_id") is not None or content.get("kind") is not None:
        return True
    return isinstance(content["event"], dict) and content.keys() <= _SENDERS


def envelope_finding() -> Finding:
    """X4, for one element of an array."""
    return Finding("X4", Severity.REJECT, "event", ENVELOPE)


def _is_wrapped_array(content: dict[str, Any]) -> bool:
    return any(isinstance(content.get(name), list) for name in ("events", "batch")) and not any(
        name in content for name in _MARKS_OF_AN_EVENT
    )


def _refused(rule: str, field: str, sentence: str) -> Problem:
    finding = Finding(rule, Severity.REJECT, field, sentence)
    members = {"findings": [finding.as_dict()]}
    return Problem(HTTPStatus.BAD_REQUEST, f"{sentence}; nothing was queued", members=members)


def _content(request: Request) -> Any:
    body = _plain(request.body).removeprefix(_BYTE_ORDER_MARK)
    try:
        return parsed(body, MAX_VALUES)
    except TooManyValuesError as error:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body holds more than {MAX_VALUES} names and values: send fewer events at once",
        ) from error
    except InvalidJsonError as error:
        if not _content_codings(request) <= _CODINGS:
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "the body's Content-Encoding is not taken: send it plain, or as gzip",
            ) from error
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is {error}") from error


def _content_codings(request: Request) -> set[str]:
    header = request.headers.get("content-encoding", "")
    return {coding.strip().lower() for coding in header.split(",")} - {""}


# gzip


def _plain(body: bytes) -> bytes:
    """The body, inflated if its first bytes say gzip: what a header says may be out of date."""
    if len(body) > MAX_BODY_BYTES:
        raise _too_large(f"is {len(body)} bytes")
    return _inflated(body) if body.startswith(_GZIP) else body


def _inflated(body: bytes) -> bytes:
    """What all members of a gzip file hold together; raises `Problem`.

    Never more than the bound is inflated, and no member costs more than its own bytes.
    """
    parts: list[bytes] = []
    room, position = MAX_BODY_BYTES, 0
    while position < len(body):
        inflating, size = zlib.decompressobj(wbits=31), _FIRST_BYTES
        while not inflating.eof:
            piece = body[position : position + size]
            if not piece:
                raise _broken("ends too early")
            part = _inflated_piece(inflating, piece, room)
            room -= len(part)
            if room < 0:
                raise _too_large("inflates to more")
            parts.append(part)
            position += len(piece)
            size = min(4 * size, _MOST_BYTES)
        position -= len(inflating.unused_data)
    return b"".join(parts)


def _inflated_piece(inflating: "zlib._Decompress", data: bytes, room: int) -> bytes:
    try:
        return inflating.decompress(data, room + 1)
    except zlib.error as error:
        raise _broken("is broken, or something follows it") from error


def _broken(what: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"the body begins as gzip, and {what}")


def _too_large(what: str) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body {what}; at most {MAX_BODY_BYTES} bytes are taken",
    )


_CODINGS: Final = frozenset({"gzip", "x-gzip", "identity"})
_SENDERS: Final = frozenset(SENDERS_FIELDS)
ENVELOPE: Final = (
    "is an envelope for a queue: over HTTP send the event alone, its app and kind are in the path"
)
_WRAPPED_ARRAY: Final = "the array of events is within an object: send the array itself"
