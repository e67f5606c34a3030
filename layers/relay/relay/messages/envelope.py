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
from relay.rules.fields import is_absent, showable
from relay.validation import Moment, faults_of_stranger

_TIME_FIELDS: Final = {
    Kind.MOBILE_EVENT: "eventTime",
    Kind.WEB_EVENT: "timestamp",
    Kind.WEB_VISIT: "timestamp",
}

EventId = Annotated[str, Field(min_length=1, max_length=256)]


_MOST_FINDINGS: Final = 1_000
"""Several times what one event can have. More would be told of one by one, if it were not for a
bound and for stopping at the first that is none."""


class Envelope(BaseModel):
    """One event on a queue.

    A producer gives `app_id`, `kind`, `event` and, to be safe from duplicates, `event_id`. The
    other fields are ours: they travel with an event that has been handled before.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    app_id: Annotated[str, Field(min_length=1, max_length=255)]
    kind: Kind
    event: Any
    event_id: EventId | None = None
    not_before: Moment | None = None
    """It is not handled before this moment."""
    first_seen: Moment | None = None
    """When it came in."""
    attempts: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """How many times it has been sent to AppsFlyer without success."""
    held_since: Moment | None = None
    source: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The payment source that it comes from: its event id is unique there, whatever the app."""
    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Digest of the movement of money: a retelling of it has the same one."""
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
"""What a dead letter carries besides its envelope; ignored when SQS itself moves it back."""

_KNOWN_FIELDS: Final = frozenset(Envelope.model_fields) | DEAD_LETTER_FIELDS


def parse_envelope(body: str) -> Envelope:
    """Reads a record's body; raises `NotAnEnvelopeError`, which never quotes it."""
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
    strangers = sorted(showable(name) for name in content.keys() - _KNOWN_FIELDS)
    missing = [name for name in ("app_id", "kind", "event") if name not in content]
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    if strangers:
        parts.append(f"unknown: {', '.join(strangers[:5])}")
    return f"not an envelope ({'; '.join(parts)})"


def write_envelope(envelope: Envelope, event: Mapping[str, Any], **changes: object) -> str:
    """An envelope as a message body, with the event in its hashed form.

    `changes` replace fields; what is None or empty is left out. Raises `UnwritableError`.
    """
    fields = {**dict(envelope), **changes, "event": event}
    given = {name: value for name, value in fields.items() if value or name == "event"}
    return dumps_for_queue({name: _written(value) for name, value in given.items()})


def _written(value: object) -> object:
    return iso_form(value) if isinstance(value, datetime) else value


# What is done to an event at the door


def stamped(kind: Kind, event: Any, came_in: datetime) -> Any:
    """The event with a time of its own: our waiting must not become AppsFlyer's arrival time."""
    field = _TIME_FIELDS[kind]
    if not isinstance(event, dict):
        return event
    given = event.get(field)
    # A blank `timestamp` is a slip (W7), a blank `eventTime` an absent text.
    if not (is_absent(given) if kind is Kind.MOBILE_EVENT else given is None):
        return event
    return {**event, field: _stamp(kind, came_in)}


def _stamp(kind: Kind, moment: datetime) -> object:
    return mobile_form(moment) if kind is Kind.MOBILE_EVENT else to_milliseconds(moment)


def content_digest(envelope: Envelope, event: Mapping[str, Any], first_seen: datetime) -> str:
    """A digest of what was handed in: the same event handed in again has the same one.

    `event`: in its hashed form. A time that we stamped is left out, for it is another one each
    time; so are the fields of ours around the event. A payment brings a digest of its own.
    """
    if envelope.content_sha256 is not None:
        return envelope.content_sha256
    field = _TIME_FIELDS[envelope.kind]
    given = dict(event)
    if given.get(field) == _stamp(envelope.kind, first_seen):
        del given[field]
    text = dumps_sorted([envelope.app_id, envelope.kind, given])
    return hashlib.sha256(text).hexdigest()


def money_without_id() -> Finding:
    """S6: mobile has no de-duplication of its own, so revenue wants an event id."""
    return Finding(
        "S6",
        Severity.WARN,
        "event_id",
        "is missing for an event with revenue: give each its own id, or a resend by you counts "
        "the money twice",
    )


# Dead letters


def dead_letter_of_no_envelope(body: str, message_id: str, problem: str, now: datetime) -> str:
    """What is kept of a body that is no envelope: id, size and digest, for it may hold anything."""
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
    """What stands for a text that is not kept: its sender can tell by it which one it was."""
    raw = body.encode("utf-8", "surrogatepass")
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
