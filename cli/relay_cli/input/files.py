"""Reads the files that `relay check` and `relay send` take, in every form of an event.

The forms: an envelope, alone or in the wrappers that a forwarder opens (SNS, EventBridge), or an
array of them; what Lambda hands to a function for SQS or SNS (`Records`), what SQS itself answers
(`Messages`), and a request (`requests`); an NDJSON line; a bare event, whose kind and app are
options. Each is read as the functions read it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from relay.domain.kinds import App
from relay.exact_json import InvalidJsonError, UnwritableError, dumps
from relay.instants import from_milliseconds
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
from relay_cli.input.items import InputItem
from relay_cli.input.letters import envelope_of
from relay_cli.input.requests import is_request, request_items
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import MIB, read_bytes

Json = Mapping[str, Any]

_MAX_FILE_BYTES: Final = 16 * MIB
"""The whole file is in memory. Lambda itself passes 6 MB at most."""


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
            for item in items_of(one, f"event {number}", defaults, bare_event, path)
        ]
    if isinstance(content, dict) and (records := _records(content)) is not None:
        return [
            item
            for number, record in enumerate(records, 1)
            for item in _record(record, f"record {number}", defaults)
        ]
    if isinstance(content, dict) and is_request(content):
        return request_items(content, defaults, bare_event, path)
    if not isinstance(content, dict | str):
        raise CliError(f"{path} holds neither an event nor an array of events.")
    return items_of(content, "event", defaults, bare_event, path)


def _records(content: Json) -> list[Any] | None:
    """The records of what SQS or SNS hands to Lambda, and not what S3 or a stream hands on."""
    messages = content.get("Messages")
    if isinstance(messages, list) and any("Body" in one for one in _objects(messages)):
        return [_as_record(one) for one in messages]
    records = content.get("Records")
    if not isinstance(records, list):
        return None
    is_ours = any("body" in one or "Sns" in one for one in _objects(records))
    return records if is_ours or not records else None


def _objects(values: Sequence[Any]) -> Iterator[Json]:
    return (one for one in values if isinstance(one, dict))


def _as_record(message: Any) -> Any:
    """What `aws sqs receive-message` shows, in the form in which Lambda gets it."""
    if not isinstance(message, dict):
        return message
    names = {"Body": "body", "MessageId": "messageId", "Attributes": "attributes"}
    return {names[name]: value for name, value in message.items() if name in names}


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


def items_of(
    content: Any, label: str, defaults: Defaults, bare_event: BareEvent | None, path: Path
) -> list[InputItem]:
    """What one value holds: an event in some form, or an array of envelopes on one queue.

    Raises `CliError` if it is a bare event and `bare_event` does not say which.
    """
    content = envelope_of(content)
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
    return [InputItem(label, InputEvent(app, bare_event.kind, content, defaults.now()))]


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
    now = defaults.now()
    return _Message(body, label, defaults, now).items(read_content(content, now))


def _record(record: Any, label: str, defaults: Defaults) -> list[InputItem]:
    fields: Json = record if isinstance(record, dict) else {}
    if isinstance(fields.get("Sns"), dict):
        return _message(_notification(fields["Sns"]), label, defaults)
    body, message_id = fields.get("body"), fields.get("messageId")
    if not isinstance(body, str):
        missing = InvalidInput.with_reason("E3", "body", "is missing: an SQS record has one")
        return [InputItem(label, missing)]
    came_in = _sent_at(fields)
    now, given_id = defaults.now(came_in), message_id if isinstance(message_id, str) else None
    message = _Message(body, label, defaults, now, came_in, given_id)
    return message.items(read_body(body, now, given_id))


def _notification(sns: Json) -> Json:
    """What SNS hands to Lambda, as a subscribed queue gets it: some tools leave the type out."""
    return {"Type": "Notification", **sns}


def _sent_at(record: Json) -> datetime | None:
    """When SQS took the message, if its record says so."""
    attributes = record.get("attributes")
    text = attributes.get("SentTimestamp") if isinstance(attributes, dict) else None
    if not isinstance(text, str | int) or not str(text).isdecimal() or len(str(text)) > _LONGEST:
        return None
    return from_milliseconds(int(text))


_LONGEST: Final = 14
"""Digits of a moment in milliseconds until the year 5138."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A message on a queue, and what is known of its coming."""

    body: str
    label: str
    defaults: Defaults
    now: datetime
    came_in: datetime | None = None
    message_id: str | None = None

    def items(self, items: Sequence[Item]) -> list[InputItem]:
        """What it holds, as the forwarders read it."""
        return [InputItem(self._label_of(item), self._input(item)) for item in items]

    def _label_of(self, item: Item) -> str:
        place = item.position
        return self.label if place is None else f"{self.label}, element {place}"

    def _input(self, item: Item) -> InputEvent | InvalidInput:
        if item.fault is not None:
            return InvalidInput((item.fault.finding, *item.findings))
        envelope = item.envelope
        return InputEvent(
            App(envelope.app_id, self.defaults.time_zone, self.defaults.phone_region),
            envelope.kind,
            envelope.event,
            self.now,
            event_id=envelope.event_id,
            body=self.body if item.position is None else None,
            came_in=envelope.first_seen or self.came_in,
            entry_id=envelope.event_id or self.message_id,
            found=item.findings,
            has_own_id=item.has_own_id,
        )
