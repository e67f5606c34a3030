"""Reads the files that `relay check` and `relay send` take, in every form of an event.

The forms: an envelope, or an array of them; a Lambda event for a forwarder (`Records`) or for
`accept` (HTTP API, payload format 2.0); an NDJSON line; a bare event, whose kind and app are
options.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relay.domain.kinds import App
from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, UnwritableError, dumps, loads
from relay.gateway.request import Problem, Request
from relay.instants import utc_now
from relay.messages.reader import parse_envelope
from relay_cli.input.event import (
    LINE_FIELDS,
    BareEvent,
    Defaults,
    InputEvent,
    InvalidInput,
    from_line,
)
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import MIB, read_bytes

Json = Mapping[str, Any]

_MAX_FILE_BYTES: Final = 16 * MIB
"""The whole file is in memory. Lambda itself passes 6 MB at most."""


_EXAMPLE_PRODUCER: Final = "producer"
"""Stands in event ids for the producer, whom only a token tells."""


@dataclass(frozen=True, slots=True)
class InputItem:
    """One item of a file, and its position in the file ("record 2")."""

    label: str
    content: InputEvent | InvalidInput


def read_items(
    path: Path, defaults: Defaults, bare_event: BareEvent | None = None
) -> list[InputItem]:
    """All items of a file (`-`: standard input), in order.

    Raises `CliError` if the file holds no events; the message never quotes its content.
    """
    items = _items(_parsed(path), defaults, bare_event, path)
    if not items:
        raise CliError(f"{path} holds no event.")
    return items


def _items(
    content: Any, defaults: Defaults, bare_event: BareEvent | None, path: Path
) -> list[InputItem]:
    if isinstance(content, list):
        return [
            InputItem(f"event {number}", _one(one, defaults, bare_event, path))
            for number, one in enumerate(content, 1)
        ]
    if not isinstance(content, dict):
        raise CliError(f"{path} holds neither an event nor an array of events.")
    if isinstance(content.get("Records"), list):
        return [
            InputItem(f"record {number}", _record(record, defaults))
            for number, record in enumerate(content["Records"], 1)
        ]
    if "routeKey" in content and "requestContext" in content:
        return _http_items(content, defaults, path)
    return [InputItem("event", _one(content, defaults, bare_event, path))]


def _parsed(path: Path) -> Any:
    raw = read_bytes(path, _MAX_FILE_BYTES, " Give one event a line, with --ndjson.")
    try:
        return loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except InvalidJsonError as error:
        hint = " A file with one object a line is read with --ndjson." if _has_lines(raw) else ""
        raise CliError(f"{path} is {error}.{hint}") from error


def _has_lines(raw: bytes) -> bool:
    first, _, second = raw.strip().partition(b"\n")
    return first.rstrip().endswith(b"}") and second.lstrip().startswith(b"{")


def _one(
    content: Any, defaults: Defaults, bare_event: BareEvent | None, path: Path
) -> InputEvent | InvalidInput:
    if isinstance(content, dict) and "event" in content:
        is_line = not LINE_FIELDS.isdisjoint(content)
        return from_line(content, defaults) if is_line else _envelope(content, defaults)
    if bare_event is None:
        raise CliError(
            f"{path} does not say which kind of event this is, and of which app. Give --kind "
            "and --app-id, or put the event into an envelope: "
            '{"app_id": ..., "kind": ..., "event": {...}}.'
        )
    app = App(bare_event.app_id, defaults.time_zone, defaults.phone_region)
    return InputEvent(app, bare_event.kind, content, defaults.arrival or utc_now())


def _envelope(content: Json, defaults: Defaults) -> InputEvent | InvalidInput:
    try:
        return _parsed_envelope(dumps(content).decode(), defaults)
    except UnwritableError as error:
        return InvalidInput.with_reason("E3", "event", str(error))


def _record(record: Any, defaults: Defaults) -> InputEvent | InvalidInput:
    body = record.get("body") if isinstance(record, dict) else None
    if not isinstance(body, str):
        return InvalidInput.with_reason("E3", "body", "is missing: an SQS record has one, as text")
    return _parsed_envelope(body, defaults)


def _parsed_envelope(body: str, defaults: Defaults) -> InputEvent | InvalidInput:
    try:
        envelope = parse_envelope(body)
    except NotAnEnvelopeError as error:
        return InvalidInput.with_reason("E3", "body", str(error))
    app = App(envelope.app_id, defaults.time_zone, defaults.phone_region)
    return InputEvent(
        app,
        envelope.kind,
        envelope.event,
        defaults.arrival or utc_now(),
        event_id=envelope.event_id,
        body=body,
    )


# HTTP API events


def _http_items(event: Json, defaults: Defaults, path: Path) -> list[InputItem]:
    # Imported here: `accept` loads Powertools, which no other form of file needs.
    from relay.accept.accept import ROUTES, with_ids, with_visitor

    try:
        request = Request.of(event)
    except (Problem, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CliError(f"{path} is no HTTP API event of payload format 2.0.") from error
    kind = ROUTES.get(request.route)
    if kind is None:
        raise CliError(f"{path} is a request to a route that takes no events.")
    try:
        request.check_content_type()
        events, key = loads(request.body), request.idempotency_key
    except (Problem, InvalidJsonError) as error:
        problem = error.detail if isinstance(error, Problem) else f"the body is {error}"
        return [InputItem("request", InvalidInput.with_reason("E3", "body", problem))]
    several = isinstance(events, list)
    app = App(request.app_id, defaults.time_zone, defaults.phone_region)
    return [
        InputItem(
            f"event {index + 1}",
            InputEvent(
                app,
                kind,
                with_visitor(kind, one, request.cookies),
                defaults.arrival or utc_now(),
                event_id=f"{key}:{index}" if key and several else key,
                accepted_id=accepted_id,
                is_http=True,
            ),
        )
        for index, one, accepted_id in with_ids(events, _EXAMPLE_PRODUCER, key)
    ]
