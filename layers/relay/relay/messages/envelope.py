"""The envelope: the body of every record on our queues, and of every dead letter."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, FailFast, Field

from relay.domain.findings import Finding, Severity
from relay.domain.kinds import Kind
from relay.exact_json import (
    UnwritableError,
    dumps,
    dumps_for_queue,
    dumps_sorted,
    dumps_with_room,
)
from relay.instants import iso_form, mobile_form, to_milliseconds
from relay.messages.event_ids import LONGEST_EVENT_ID
from relay.rules.leniency import is_blank
from relay.rules.money import canonical_amount
from relay.rules.payload import Content
from relay.validation import Moment

TIME_FIELDS: Final = {
    Kind.MOBILE_EVENT: "eventTime",
    Kind.WEB_EVENT: "timestamp",
    Kind.WEB_VISIT: "timestamp",
}

LONGEST_APP_ID: Final = 255

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

    app_id: Annotated[str, Field(min_length=1, max_length=LONGEST_APP_ID)]
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
    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None
    """The payment source of the event. Its event id is unique within the source, for any app."""
    resend: Moment | None = None
    """A person decided, by a redrive, to send it though AppsFlyer may have recorded it: by a send
    up to this moment."""
    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of a payment: digest of the movement of money, a redelivery of it has the same one. Of any
    other event: its digest by release 0.1 (`former_content_digest`), taken before it was repaired;
    a forwarder of that release takes it for its own."""
    findings: Annotated[
        tuple[dict[str, str], ...], Field(max_length=_MOST_FINDINGS), FailFast()
    ] = ()

    @property
    def is_payment(self) -> bool:
        """Whether it is a movement of money of a payment source."""
        return self.source is not None and self.content_sha256 is not None


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


def stamped(kind: Kind, event: Mapping[str, Any], came_in: datetime) -> Mapping[str, Any]:
    """The event, with `came_in` as its time if it has none: a wait must not shift that time."""
    field = TIME_FIELDS[kind]
    own_time = event.get(field)
    # A blank `timestamp` is a mistake (W7), a blank `eventTime` is absent.
    if own_time is not None and not (kind is Kind.MOBILE_EVENT and is_blank(own_time)):
        return event
    return {**event, field: _stamp(kind, came_in)}


def _stamp(kind: Kind, moment: datetime) -> object:
    return mobile_form(moment) if kind is Kind.MOBILE_EVENT else to_milliseconds(moment)


def content_digest(envelope: Envelope, content: Content, first_seen: datetime) -> str:
    """A digest of what makes an event this one: app, kind, name, money, person, time (`Content`).

    It begins with its version, `3:`, that of the event as it is sent (Q8). Whatever else is sent
    may change, and the event is the same: devices, phone and name, other values. A time from
    `stamped` is left out, because it differs each time that the sender sends the event. A payment
    has its own digest, `content_sha256`.
    """
    if envelope.is_payment:
        return envelope.content_sha256 or ""
    return f"3:{_digest(envelope, content, first_seen)}"


def second_content_digests(
    envelope: Envelope, content: Content, first_seen: datetime, repaired: Collection[str]
) -> frozenset[str]:
    """The digests of version 2 that the same event may have had: as its sender wrote it.

    `repaired`: the rules under which it was repaired. A currency that was filled (M5), or a time
    that could not be read (M6), was none then.
    """
    currencies = {content.currency, *({None} if "M5" in repaired else ())}
    times = {content.time, *({None} if "M6" in repaired else ())}
    return frozenset(
        f"2:{_digest(envelope, content._replace(currency=currency, time=time), first_seen)}"
        for currency in currencies
        for time in times
    )


def _digest(envelope: Envelope, content: Content, first_seen: datetime) -> str:
    time = None if content.time is None else to_milliseconds(content.time)
    if time == to_milliseconds(first_seen):
        time = None
    money = [] if content.revenue is None else [canonical_amount(content.revenue), content.currency]
    person = [content.appsflyer_id, content.customer_user_id, content.email_hashed]
    text = dumps([envelope.app_id, envelope.kind, content.name, money, person, time])
    return hashlib.sha256(text).hexdigest()


def former_content_digest(
    envelope: Envelope, event: Mapping[str, Any], first_seen: datetime
) -> str:
    """The digest by release 0.1, for what that release remembered: 64 hexadecimal characters.

    Of the whole event in its hashed form and not repaired, without a time from `stamped`. That of a
    payment has not changed.
    """
    field = TIME_FIELDS[envelope.kind]
    content = dict(stamped(envelope.kind, event, first_seen))
    if content.get(field) == _stamp(envelope.kind, first_seen):
        del content[field]
    try:
        text = dumps_sorted([envelope.app_id, envelope.kind, content])
    except UnwritableError:  # of which that release kept the other fields
        rest = {name: value for name, value in content.items() if _is_writable({name: value})}
        text = dumps_sorted([envelope.app_id, envelope.kind, rest])
    return hashlib.sha256(text).hexdigest()


def _is_writable(value: object) -> bool:
    try:
        dumps_with_room(value)
    except UnwritableError:
        return False
    return True


KEY_OVER_HTTP: Final = "Idempotency-Key"
"""What an event id is called over HTTP."""


def money_without_id(field: str = "event_id") -> Finding:
    """S6: AppsFlyer's mobile API does not de-duplicate, so revenue needs an event id.

    `field` is what the sender calls it.
    """
    return Finding(
        "S6",
        Severity.WARN,
        field,
        "is missing for an event with revenue: give each its own id, or a resend by you counts "
        "the money twice",
    )


# Dead letters


def dead_letter_of_no_envelope(
    digest: Mapping[str, object], message_id: str, problem: str, now: datetime
) -> str:
    """The dead letter of a body that is not an envelope: id, size and digest, never the body.

    Such a body may contain anything, including personal data. `digest` is its `digest_of`.
    """
    return dumps(
        {
            "reason": "not_an_envelope",
            "outcome": "rejected",
            "message": problem,
            "message_id": message_id,
            **digest,
            "dead_since": iso_form(now),
        }
    ).decode()


def digest_of(body: str) -> dict[str, object]:
    """Size and digest of a text that is not kept; they let its sender identify it."""
    raw = body.encode("utf-8", "surrogatepass")
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
