"""Requests to AppsFlyer's endpoints, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from relay.domain.kinds import ENDPOINTS, Kind
from relay.exact_json import InvalidJsonError, UnwritableError, dumps, loads
from relay.instants import Recorded
from relay_sandbox.http.server import Request, Response

_PREFIXES: Mapping[str, Kind] = {endpoint.path: kind for kind, endpoint in ENDPOINTS.items()}


@dataclass(frozen=True, slots=True)
class Call:
    """A request to one of AppsFlyer's endpoints (E1).

    `payload` is the parsed body, with exact numbers; None if it is missing or no JSON object.
    """

    request: Request
    kind: Kind
    app_id: str
    arrived: datetime
    payload: Mapping[str, Any] | None

    @property
    def event_name(self) -> str | None:
        """The event name in the payload; None for a visit."""
        field = "eventName" if self.kind is Kind.MOBILE_EVENT else "event_name"
        name = (self.payload or {}).get(field)
        return printable(name) if isinstance(name, str) else None

    @property
    def dedup_id(self) -> str | None:
        """The `customer_dedup_id` (W11); the mobile API has none (S6)."""
        value = (self.payload or {}).get("customer_dedup_id")
        if self.kind is Kind.MOBILE_EVENT or not isinstance(value, str):
            return None
        return printable(value)


@dataclass(frozen=True, slots=True)
class Money:
    """Revenue as AppsFlyer records it: an exact decimal as text, or None, and the reason."""

    amount: str | None
    currency: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """AppsFlyer's response to a call, whether it records the event, and why."""

    response: Response
    recorded: bool
    why: str
    time: Recorded | None = None
    money: Money | None = None


def parse_path(path: str) -> tuple[Kind, str] | None:
    """The kind and the decoded app id of a path (E1, E8); None if it is no endpoint."""
    for prefix, kind in _PREFIXES.items():
        app_id = path.removeprefix(prefix)
        if app_id != path and app_id and "/" not in app_id:
            return kind, unquote(app_id)
    return None


def parse_body(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object in a body, with exact numbers; None if there is none."""
    try:
        value = loads(body)
    except InvalidJsonError:
        return None
    return value if isinstance(value, dict) else None


def parse_for_ledger(body: bytes) -> object:
    """A body for the ledger: the parsed JSON, or else its text."""
    try:
        value = loads(body)
        dumps(value)
    except (InvalidJsonError, UnwritableError):
        return body.decode("utf-8", "replace")
    return value


def printable(text: str) -> str:
    """The text, encodable as UTF-8: JSON can contain lone surrogates, which are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_json(request: Request) -> bool:
    """Whether the request's content type is JSON (E3)."""
    media_type = (request.header("content-type") or "").partition(";")[0]
    return media_type.strip().lower() == "application/json"
