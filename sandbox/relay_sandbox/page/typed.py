"""What somebody has typed or pasted: an event, in any of the forms that events have. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from relay.domain.kinds import Kind
from relay.exact_json import InvalidJsonError, loads
from relay.instants import parse_iso
from relay.messages.envelope import Envelope
from relay_sandbox.page.answers import PageError

Form = Literal["event", "envelope", "array", "lines", "records"]
_KINDS: Final = tuple(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Where a text stops being JSON; lines and columns are counted from 1."""

    message: str
    line: int | None = None
    column: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The mistake for the page."""
        return {"message": self.message, "line": self.line, "column": self.column}


@dataclass(frozen=True, slots=True)
class Typed:
    """One event, and where it stands in what was typed (`path`)."""

    form: Form
    count: int
    path: tuple[str | int, ...]
    kind: Kind
    app_id: str
    event: Any
    event_id: str | None
    document: Any

    def envelope(self) -> Envelope:
        """The envelope that brings it; raises `PageError`."""
        try:
            return Envelope(
                app_id=self.app_id, kind=self.kind, event=self.event, event_id=self.event_id
            )
        except ValueError as error:
            raise PageError(400, "app_id has 1 to 255 characters, event_id 1 to 512") from error


def read_typed(asked: Mapping[str, Any]) -> Typed | Mistake:
    """The first event of `{"text", "kind", "app_id", "event_id"}`; raises `PageError`."""
    text, kind, app_id = asked.get("text"), asked.get("kind"), asked.get("app_id")
    if not isinstance(text, str):
        raise PageError(400, "text must be a string")
    if kind not in _KINDS:
        raise PageError(400, f"kind must be one of {', '.join(_KINDS)}")
    if not isinstance(app_id, str) or not app_id:
        raise PageError(400, "app_id must be a string")
    event_id = asked.get("event_id")
    if event_id is not None and not isinstance(event_id, str):
        raise PageError(400, "event_id must be a string")
    document, is_lines = _document(text)
    if isinstance(document, Mistake):
        return document
    form, count, path, content = _first(document, is_lines=is_lines)
    if not (isinstance(content, dict) and _is_envelope(content)):
        return Typed(form, count, path, Kind(kind), app_id, content, event_id or None, document)
    own_kind, own_app = content.get("kind", kind), content.get("app_id", app_id)
    own_id = content.get("event_id")
    return Typed(
        "envelope" if form == "event" else form,
        count,
        (*path, "event"),
        Kind(own_kind) if own_kind in _KINDS else Kind(kind),
        own_app if isinstance(own_app, str) and own_app else app_id,
        content.get("event"),
        own_id if isinstance(own_id, str) and own_id else event_id or None,
        document,
    )


def _document(text: str) -> tuple[Any, bool]:
    """What the text holds, and whether it is one object a line."""
    try:
        return loads(text), False
    except InvalidJsonError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            if len(lines) > 1:
                return [loads(line) for line in lines], True
        except InvalidJsonError:
            pass
        return _mistake(text, str(error)), False


def _mistake(text: str, message: str) -> Mistake:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return Mistake(f"This is no JSON: {error.msg}.", error.lineno, error.colno)
    except (ValueError, RecursionError):
        pass
    return Mistake(f"This is {message}.")


def _first(document: Any, *, is_lines: bool) -> tuple[Form, int, tuple[str | int, ...], Any]:
    if isinstance(document, list):
        if not document:
            return "array", 0, (), None
        return ("lines" if is_lines else "array"), len(document), (0,), document[0]
    if isinstance(document, dict) and isinstance(records := document.get("Records"), list):
        first = records[0] if records else None
        body = first.get("body") if isinstance(first, dict) else None
        try:
            return "records", len(records), (), loads(body) if isinstance(body, str) else None
        except InvalidJsonError:
            return "records", len(records), (), None
    return "event", 1, (), document


def _is_envelope(content: Mapping[str, Any]) -> bool:
    return "event" in content and not content.keys().isdisjoint({"app_id", "kind", "event_id"})


def arrival_of(asked: Mapping[str, Any]) -> Any:
    """The moment that `arrival` means, None for now; raises `PageError`."""
    arrival = asked.get("arrival")
    if arrival in {None, ""}:
        return None
    moment = parse_iso(arrival, needs_offset=True) if isinstance(arrival, str) else None
    if moment is None:
        raise PageError(400, "arrival must be an ISO 8601 time with an offset, or absent for now")
    return moment
