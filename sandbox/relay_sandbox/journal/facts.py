"""What single facts say, and what is read from them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, TypeGuard

from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, loads
from relay.instants import iso_form
from relay.messages.envelope import Envelope
from relay.messages.notice import Notice, parse_notice
from relay.messages.reader import read_body
from relay_sandbox.journal.reading import payload_object, shown, shown_id, without_emails
from relay_sandbox.journal.trace import Sure, Trace

QueueName = Literal["mobile", "web", "payments"]
Content = Envelope | Notice | None
"""What a message holds; None if it is nothing that the relay reads."""
Lookup = tuple[str, str, str]
"""By which an event, or a webhook, is known while its messages change."""

_TIME_FIELDS: Final = frozenset({"eventTime", "timestamp", "customer_dedup_id"})
_PERHAPS: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT})
_SURELY_NOT: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Role(NamedTuple):
    """What a queue is for."""

    name: QueueName
    is_dead: bool


@dataclass(frozen=True, slots=True)
class Waits:
    """What waiting is like in production: by the template's own settings, in seconds."""

    retry_schedule: tuple[float, ...] = ()
    hold: float | None = None

    def after_try(self, number: int) -> float | None:
        """The longest wait after a try that failed; the first is number 1."""
        return self.retry_schedule[number - 1] if 0 < number <= len(self.retry_schedule) else None


class Body(NamedTuple):
    """What a message holds, and what there is to say of how it holds it."""

    content: Content
    findings: tuple[dict[str, str], ...] = ()


def read_message(role: Role, body: str, now: datetime) -> Body:
    """Read a message's body as the function does that gets it."""
    if role.name == "payments":
        try:
            return Body(parse_notice(body))
        except NotAnEnvelopeError:
            return Body(None)
    items = read_body(body, now)
    if len(items) != 1 or items[0].fault is not None or items[0].position is not None:
        return Body(None)
    item = items[0]
    found = tuple(finding.as_dict() for finding in item.findings)
    envelope = item.envelope
    return Body(
        envelope if item.has_own_id else envelope.model_copy(update={"event_id": None}), found
    )


def is_event(content: Content) -> TypeGuard[Envelope]:
    """Whether a message holds an event."""
    return isinstance(content, Envelope)


def lookup_of(content: Content) -> Lookup | None:
    """By which an event, or a webhook, is known while its messages change."""
    if isinstance(content, Notice):
        parts = (content.id or "", content.type or "", content.sha256, iso_form(content.first_seen))
        return (f"notices {content.source}", content.provider, " ".join(parts))
    if content is None or content.event_id is None:
        return None
    scope = f"source {content.source}" if content.source else f"app {content.app_id}"
    return (scope, content.kind.value, content.event_id)


def texts_of(content: object) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping | list | tuple):
        for one in content.values() if isinstance(content, Mapping) else content:
            yield from texts_of(one)


def is_later(not_before: datetime | None, now: datetime, delay: float) -> bool:
    """Whether a message is not to be handled before a moment to come."""
    return not_before is not None and delay > 0 and not_before > now


def dedup_id_of(trace: Trace) -> str | None:
    """The id by which AppsFlyer tells a web event from others (W11)."""
    own = payload_object(trace.event or "").get("customer_dedup_id")
    if isinstance(own, str):
        return shown_id(own)
    if trace.event_id is not None:
        return trace.event_id
    return trace.message_ids[0] if trace.message_ids else None


def likeness(trace: Trace, payload: Mapping[str, Any]) -> int:
    """How many fields of a payload are those of an event; its time may have been stamped."""
    own = payload_object(trace.payload or "")
    same = sum(1 for name, value in payload.items() if name in own and own[name] == value)
    return same - len((own.keys() ^ payload.keys()) - _TIME_FIELDS)


def sure_of(status: int | None, *, recorded: bool) -> Sure:
    """Whether AppsFlyer has recorded the event, as far as its sender can know (E16)."""
    if status is None:
        return "perhaps"
    if 200 <= status < 300:  # noqa: PLR2004
        return "surely" if recorded else "no"
    is_doubtful = status in _PERHAPS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return "perhaps" if is_doubtful and status not in _SURELY_NOT else "no"


def findings_of(content: object) -> tuple[dict[str, str], ...]:
    """Findings of an answer, an envelope or a dead letter, as they may be kept."""
    found = []
    for one in content if isinstance(content, list | tuple) else ():
        if isinstance(one, Mapping):
            parts = {name: str(one.get(name, "")) for name in ("rule", "severity", "field")}
            found.append({**parts, "message": without_emails(str(one.get("message", "")))})
    return tuple(found)


def events_of(body: bytes) -> list[Any]:
    """The events in a request's body."""
    try:
        value = loads(body)
    except InvalidJsonError:
        return []
    return value if isinstance(value, list) else [value]


def text_of(value: object) -> str | None:
    """A text as it may be kept; None if it is none."""
    return shown(value) if isinstance(value, str) else None


def kind_word(trace: Trace) -> str:
    """What it is, for a sentence."""
    return trace.kind.replace("_", " ")
