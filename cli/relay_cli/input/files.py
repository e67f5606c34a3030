"""Reads the files that `relay check` and `relay send` take, in every form of an event.

The forms: an envelope, alone or in the wrappers that a forwarder opens, or an array of them; a
Lambda event for a forwarder (`Records`) or for `accept` (HTTP API, payload format 2.0); an NDJSON
line; a bare event, whose kind and app are options. Each is read as the functions read it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from relay.domain.kinds import App
from relay.exact_json import InvalidJsonError, UnwritableError, dumps
from relay.gateway.request import Problem, Request
from relay.instants import utc_now
from relay.messages.items import Item
from relay.messages.reader import read_body, read_content
from relay.messages.wrappers import name_of_unopened, opened, parsed
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
            item
            for number, one in enumerate(content, 1)
            for item in _one(one, f"event {number}", defaults, bare_event, path)
        ]
    if isinstance(content, dict) and _is_sqs_event(content):
        return [
            item
            for number, record in enumerate(content["Records"], 1)
            for item in _record(record, f"record {number}", defaults)
        ]
    if isinstance(content, dict) and "routeKey" in content and "requestContext" in content:
        return _http_items(content, defaults, path)
    if not isinstance(content, dict | str):
        raise CliError(f"{path} holds neither an event nor an array of events.")
    return _one(content, "event", defaults, bare_event, path)


def _is_sqs_event(content: Json) -> bool:
    """Whether it is what Lambda hands to a forwarder, and not what S3 or a stream hands on."""
    records = content.get("Records")
    return isinstance(records, list) and (
        not records or any(isinstance(one, dict) and "body" in one for one in records)
    )


def _parsed(path: Path) -> Any:
    raw = read_bytes(path, _MAX_FILE_BYTES, " Give one event a line, with --ndjson.")
    try:
        return parsed(raw.removeprefix(b"\xef\xbb\xbf"))
    except InvalidJsonError as error:
        hint = " A file with one object a line is read with --ndjson." if _has_lines(raw) else ""
        raise CliError(f"{path} is {error}.{hint}") from error


def _has_lines(raw: bytes) -> bool:
    first, _, second = raw.strip().partition(b"\n")
    return first.rstrip().endswith(b"}") and second.lstrip().startswith(b"{")


def _one(
    content: Any, label: str, defaults: Defaults, bare_event: BareEvent | None, path: Path
) -> list[InputItem]:
    if isinstance(content, dict) and "event" in content and not LINE_FIELDS.isdisjoint(content):
        return [InputItem(label, from_line(content, defaults))]
    if _is_message(content):
        return _message(content, label, defaults)
    if bare_event is None:
        raise CliError(
            f"{path} does not say which kind of event this is, and of which app. Give --kind "
            "and --app-id, or put the event into an envelope: "
            '{"app_id": ..., "kind": ..., "event": {...}}.'
        )
    app = App(bare_event.app_id, defaults.time_zone, defaults.phone_region)
    arrival = defaults.arrival or utc_now()
    return [InputItem(label, InputEvent(app, bare_event.kind, content, arrival))]


def _is_message(content: Any) -> bool:
    """Whether it is what stands on a queue: an envelope, or something around one."""
    if isinstance(content, dict) and "event" in content:
        return True
    return bool(opened(content).findings) or name_of_unopened(content) is not None


def _message(content: Any, label: str, defaults: Defaults) -> list[InputItem]:
    try:
        body = dumps(content).decode()
    except UnwritableError as error:
        return [InputItem(label, InvalidInput.with_reason("E3", "event", str(error)))]
    now = defaults.arrival or utc_now()
    return _inputs(read_content(content, now), body, label, defaults, now)


def _record(record: Any, label: str, defaults: Defaults) -> list[InputItem]:
    body = record.get("body") if isinstance(record, dict) else None
    if not isinstance(body, str):
        missing = InvalidInput.with_reason("E3", "body", "is missing: an SQS record has one")
        return [InputItem(label, missing)]
    now, message_id = defaults.arrival or utc_now(), record.get("messageId")
    given_id = message_id if isinstance(message_id, str) else None
    return _inputs(read_body(body, now, given_id), body, label, defaults, now)


def _inputs(
    items: Sequence[Item], body: str, label: str, defaults: Defaults, now: datetime
) -> list[InputItem]:
    """What a message holds, as the forwarders read it."""
    return [
        InputItem(
            label if item.position is None else f"{label}, element {item.position}",
            _input(item, body, defaults, now),
        )
        for item in items
    ]


def _input(item: Item, body: str, defaults: Defaults, now: datetime) -> InputEvent | InvalidInput:
    if item.fault is not None:
        return InvalidInput((item.fault.finding, *item.findings))
    envelope = item.envelope
    return InputEvent(
        App(envelope.app_id, defaults.time_zone, defaults.phone_region),
        envelope.kind,
        envelope.event,
        now,
        event_id=envelope.event_id,
        body=body if item.position is None else None,
        found=item.findings,
        has_own_id=item.has_own_id,
    )


# HTTP API events


def _http_items(event: Json, defaults: Defaults, path: Path) -> list[InputItem]:
    # Imported here: `accept` loads Powertools, which no other form of file needs.
    from relay.accept.accept import PLACEHOLDER_KEY, ROUTES, with_ids, with_visitor
    from relay.accept.bodies import envelope_finding, is_envelope, read_events

    try:
        request = Request.of(event)
    except (Problem, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CliError(f"{path} is no HTTP API event of payload format 2.0.") from error
    kind = ROUTES.get(request.route)
    if kind is None:
        raise CliError(f"{path} is a request to a route that takes no events.")
    try:
        events, key = read_events(request), request.idempotency_key
    except Problem as problem:
        return [InputItem("request", InvalidInput.with_reason("E3", "body", problem.detail))]
    several = isinstance(events, list)
    app = App(request.app_id, defaults.time_zone, defaults.phone_region)
    return [
        InputItem(
            f"event {index + 1}",
            InvalidInput((envelope_finding(),))
            if is_envelope(one)
            else InputEvent(
                app,
                kind,
                with_visitor(kind, one, request.cookies),
                defaults.arrival or utc_now(),
                event_id=f"{key}:{index}" if key and several else key,
                accepted_id=accepted_id if key else None,
                is_http=True,
                found=(PLACEHOLDER_KEY,) if request.has_placeholder_key else (),
                has_own_id=key is not None,
            ),
        )
        for index, one, accepted_id in with_ids(events, _EXAMPLE_PRODUCER, key)
    ]
