"""The envelope: the body of every record on our queues, and of every dead letter."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from relay.domain.findings import Finding, Severity
from relay.domain.kinds import Kind
from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, dumps, dumps_for_queue, dumps_sorted, loads
from relay.instants import iso_form, mobile_form, to_milliseconds
from relay.messages.event_ids import LONGEST_EVENT_ID
from relay.rules.leniency import is_absent
from relay.rules.names import showable
from relay.rules.money import canonical_amount
from relay.rules.payload import Content
from relay.validation import Moment, faults_of_stranger

_TIME_FIELDS: Final = {
    Kind.MOBILE_EVENT: "eventTime",
    Kind.WEB_EVENT: "timestamp",
    Kind.WEB_VISIT: "timestamp",
}

EventId = Annotated[str, Field(min_length=1, max_length=LONGEST_EVENT_ID)]


_MOST_FINDINGS: Final = 1_000
"""Several times what one event can have. Without this bound and `FailFast`, pydantic would report
each excess or invalid item."""


class Envelope(BaseModel):
    """One event on a queue.

    A producer sets `app_id`, `kind`, `event` and, against duplicates, `event_id`. It may set
    `not_before` (S3). The relay sets the other fields, when it handles the event.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    app_id: Annotated[str, Field(min_length=1, max_length=255)]
    kind: Kind
    event: Any
    event_id: EventId | None = None
    not_before: Moment | None = None
    """The event is not handled before this moment."""
    first_seen: Moment | None = None
    """When the event came in."""
    attempts: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """How often it was sent to AppsFlyer without success."""
    held_since: Moment | None = None
    source: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The payment source of the event. Its event id is unique within the source, for any app."""
    resend: Moment | None = None
    """A person decided, by a redrive, to send it though AppsFlyer may have recorded it: by a send
    up to this moment."""
    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Digest of the movement of money: a redelivery of it has the same one."""
    findings: Annotated[
        tuple[dict[str, str], ...], Field(max_length=_MOST_FINDINGS), FailFast()
    ] = ()


DEAD_LETTER_FIELDS: Final = frozenset(
    {
        "reason",
        "outcome",
        "status",
        "message",
        "deadline",
        "dead_since",
        "message_id",
        "bytes",
        "sha256",
    }
)
"""What a dead letter has besides its envelope; ignored when SQS itself redrives it."""

_KNOWN_FIELDS: Final = frozenset(Envelope.model_fields) | DEAD_LETTER_FIELDS


def parse_envelope(body: str) -> Envelope:
    """Parses a record's body; raises `NotAnEnvelopeError`, which never quotes the body."""
    try:
        content = loads(body)
    except InvalidJsonError as error:
        raise NotAnEnvelopeError(str(error)) from None
    if not isinstance(content, dict):
        message = "must be a JSON object with app_id, kind and event"
        raise NotAnEnvelopeError(message)
    if "event" not in content or not content.keys() <= _KNOWN_FIELDS:
        raise NotAnEnvelopeError(_wrong_fields(content))
    try:
        return Envelope.model_validate(content)
    except ValidationError as error:
        raise NotAnEnvelopeError(faults_of_stranger(error)) from None


def _wrong_fields(content: Mapping[str, object]) -> str:
    unknown = sorted(showable(name) for name in content.keys() - _KNOWN_FIELDS)
    missing = [name for name in ("app_id", "kind", "event") if name not in content]
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    if unknown:
        parts.append(f"unknown: {', '.join(unknown[:5])}")
    return f"not an envelope ({'; '.join(parts)})"


def write_envelope(envelope: Envelope, event: Mapping[str, Any], **changes: object) -> str:
    """An envelope as a message body, with the event in its hashed form.

    `changes` replace fields; None and empty values are left out. Raises `UnwritableError`.
    """
    fields = {**dict(envelope), **changes, "event": event}
    present = {name: value for name, value in fields.items() if value or name == "event"}
    return dumps_for_queue({name: _json_value(value) for name, value in present.items()})


def _json_value(value: object) -> object:
    return iso_form(value) if isinstance(value, datetime) else value


# What happens to an event when it comes in


def stamped(kind: Kind, event: Any, came_in: datetime) -> Any:
    """The event, with `came_in` as its time if it has none: a wait must not shift that time."""
    field = _TIME_FIELDS[kind]
    if not isinstance(event, dict):
        return event
    own_time = event.get(field)
    # A blank `timestamp` is a mistake (W7), a blank `eventTime` is absent.
    if not (is_absent(own_time) if kind is Kind.MOBILE_EVENT else own_time is None):
        return event
    return {**event, field: _stamp(kind, came_in)}


def _stamp(kind: Kind, moment: datetime) -> object:
    return mobile_form(moment) if kind is Kind.MOBILE_EVENT else to_milliseconds(moment)


def content_digest(envelope: Envelope, content: Content, first_seen: datetime) -> str:
    """A digest of what makes an event this one: app, kind, name, money, person, time (`Content`).

    It begins with its version, `2:`. Whatever else is sent may change, and the event is the same:
    devices, phone and name, other values. A time from `stamped` is left out, because it differs
    each time that the sender sends the event. A payment has its own digest, `content_sha256`.
    """
    if envelope.content_sha256 is not None:
        return envelope.content_sha256
    time = None if content.time is None else to_milliseconds(content.time)
    if time == to_milliseconds(first_seen):
        time = None
    money = [] if content.revenue is None else [canonical_amount(content.revenue), content.currency]
    person = [content.appsflyer_id, content.customer_user_id, content.email_hashed]
    text = dumps([envelope.app_id, envelope.kind, content.name, money, person, time])
    return f"2:{hashlib.sha256(text).hexdigest()}"


def former_content_digest(
    envelope: Envelope, event: Mapping[str, Any], first_seen: datetime
) -> str:
    """The digest by release 0.1, for what that release remembered: 64 hexadecimal characters.

    Of the whole event in its hashed form, without a time from `stamped`. That of a payment has not
    changed.
    """
    field = _TIME_FIELDS[envelope.kind]
    content = dict(event)
    if content.get(field) == _stamp(envelope.kind, first_seen):
        del content[field]
    text = dumps_sorted([envelope.app_id, envelope.kind, content])
    return hashlib.sha256(text).hexdigest()


def money_without_id() -> Finding:
    """S6: AppsFlyer's mobile API does not de-duplicate, so revenue needs an event id."""
    return Finding(
        "S6",
        Severity.WARN,
        "event_id",
        "is missing for an event with revenue: give each its own id, or a resend by you counts "
        "the money twice",
    )


# Dead letters


def dead_letter_of_no_envelope(body: str, message_id: str, problem: str, now: datetime) -> str:
    """The dead letter of a body that is not an envelope: id, size and digest, never the body.

    Such a body may contain anything, including personal data.
    """
    return dumps(
        {
            "reason": "not_an_envelope",
            "outcome": "rejected",
            "message": problem,
            "message_id": message_id,
            **digest_of(body),
            "dead_since": iso_form(now),
        }
    ).decode()


def digest_of(body: str) -> dict[str, object]:
    """Size and digest of a text that is not kept; they let its sender identify it."""
    raw = body.encode("utf-8", "surrogatepass")
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
