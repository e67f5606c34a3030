"""Dead letters: their fields, and the message that redrives them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from relay.domain.kinds import App, Kind
from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, UnwritableError, loads
from relay.instants import from_milliseconds, parse_iso
from relay.messages.arrival import prepare_arrival
from relay.messages.envelope import Envelope, write_envelope
from relay.messages.notice import Notice, parse_notice, write_notice
from relay.messages.reader import parse_envelope
from relay.rules.prepare import Prepared

NOT_AN_ENVELOPE: Final = "not_an_envelope"
_KEPT: Final = frozenset({"S6", "Q3"})
"""Findings that an event keeps when it is sent again after it was rejected: they are not told by
the event itself. The others are found again, if what they are about is still there."""
CRASHED: Final = "crashed"
"""The reason shown for what SQS itself moved: the function failed on it repeatedly."""
UNCERTAIN_MONEY: Final = "uncertain_money: "
"""How the reasons of money begin that AppsFlyer may have recorded."""

_REQUIRED_FIELDS: Final = ("reason", "outcome", "dead_since")
"""The fields of every dead letter that the relay wrote."""
_MOVED_BY_SQS: Final = "DeadLetterQueueSourceArn"
"""The attribute that SQS adds to what it moves itself."""


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue."""

    message_id: str
    receipt: str
    sent_at: datetime
    """When SQS received it; for what SQS itself moved, when it received the original."""
    fields: Mapping[str, Any]
    """Everything the relay wrote: reason, outcome, status, message, findings, deadline, event ...

    Empty for what SQS itself moved: its producer wrote all of it, even a field called `reason`.
    """
    envelope: Envelope | None
    """None if there is no event to send again."""
    notice: Notice | None = None
    """The webhook of a payment provider, for dead letters of the payments queue."""
    body: str = field(default="", repr=False)

    @property
    def is_crashed(self) -> bool:
        """Whether SQS itself moved it: then it is as its producer sent it, perhaps not hashed."""
        return not self.fields

    @property
    def reason(self) -> str:
        """Why it is a dead letter."""
        if not self.is_crashed:
            return str(self.fields["reason"])
        return CRASHED if self.envelope or self.notice else NOT_AN_ENVELOPE

    @property
    def is_uncertain_money(self) -> bool:
        """Whether AppsFlyer may have recorded it, so that sending it is a person's decision."""
        return self.reason.startswith(UNCERTAIN_MONEY)

    @property
    def is_digest_only(self) -> bool:
        """Whether only size and digest are left of its event, so that it cannot be sent again."""
        return (
            not self.notice
            and not self.holds_event_to_mend
            and (self.envelope is None or "sha256" in self.fields)
        )

    @property
    def holds_event_to_mend(self) -> bool:
        """Q7: whether its event was kept although its envelope is none, or wrong.

        Sent again as it is, it would come back, or go out under another id.
        """
        is_none = self.envelope is None or self.fields.get("reason") == NOT_AN_ENVELOPE
        return is_none and isinstance(self.fields.get("event"), dict)

    @property
    def app_id(self) -> str:
        """The app, or the payment source; empty if unknown."""
        if self.notice:
            return self.notice.source
        return self.envelope.app_id if self.envelope else ""

    @property
    def event_id(self) -> str:
        """The event's id, here and after a redrive; for a webhook, its own id.

        Without an event: the id of the message that its producer sent.
        """
        if self.notice:
            return self.notice.id or self.message_id
        if self.envelope:
            return self.envelope.event_id or self.message_id
        return str(self.fields.get("message_id") or self.message_id)

    @property
    def attempts(self) -> int | None:
        """How many times it was tried; None if unknown."""
        carrier = self.notice or self.envelope
        return carrier.attempts if carrier else None

    @property
    def first_seen(self) -> datetime | None:
        """When it first came in; None without an event."""
        if self.notice:
            return self.notice.first_seen
        return (self.envelope.first_seen or self.sent_at) if self.envelope else None

    @property
    def dead_since(self) -> datetime:
        """When it became a dead letter, as exactly as is known."""
        return self._time("dead_since") or self.sent_at

    @property
    def deadline(self) -> datetime | None:
        """T11: until when AppsFlyer keeps the event's own time.

        For what SQS itself moved it is known for mobile events only. The deadline of a web event
        depends on its app's time zone.
        """
        if not self.is_crashed:
            return self._time("deadline")
        if self._prepared is None or self._prepared.kind is not Kind.MOBILE_EVENT:
            return None
        return self._prepared.deadline

    def has_missed(self, now: datetime) -> bool:
        """Whether its deadline has passed: AppsFlyer would record it at its arrival."""
        return self.deadline is not None and self.deadline < now

    @property
    def event(self) -> Any:
        """The event in the form that may be shown and stored: hashed, also if SQS moved it.

        None without an event.
        """
        if self._prepared is not None:
            return self._prepared.event
        return self.envelope.event if self.envelope else self.fields.get("event")

    @cached_property
    def _prepared(self) -> Prepared | None:
        """What SQS itself moved, prepared as the forwarder would have done it."""
        if not self.is_crashed or self.envelope is None:
            return None
        kind, came_in = self.envelope.kind, self.envelope.first_seen or self.sent_at
        app = App(self.envelope.app_id)
        return prepare_arrival(kind, app, self.envelope.event, came_in, came_in, None)

    def _time(self, name: str) -> datetime | None:
        text = self.fields.get(name)
        return parse_iso(text, needs_offset=True) if isinstance(text, str) else None


def parse_dead_letter(message: Mapping[str, Any]) -> DeadLetter:
    """Parses an SQS message with all its attributes."""
    body, attributes = message["Body"], message["Attributes"]
    content = _object(body)
    is_ours = _MOVED_BY_SQS not in attributes and all(
        isinstance(content.get(mark), str) for mark in _REQUIRED_FIELDS
    )
    return DeadLetter(
        message["MessageId"],
        message["ReceiptHandle"],
        from_milliseconds(int(attributes["SentTimestamp"])),
        content if is_ours else {},
        _envelope(body),
        _notice(body) if "provider" in content else None,
        body,
    )


def _object(body: str) -> Mapping[str, Any]:
    try:
        content = loads(body)
    except InvalidJsonError:
        return {}
    return content if isinstance(content, dict) else {}


def _envelope(body: str) -> Envelope | None:
    try:
        return parse_envelope(body)
    except NotAnEnvelopeError:
        return None


def _notice(body: str) -> Notice | None:
    try:
        return parse_notice(body)
    except NotAnEnvelopeError:
        return None


def redrive_body(dead_letter: DeadLetter) -> str | None:
    """The message that sends an event back to its queue, with its attempts set to zero.

    It has none of the fields of a dead letter. None if there is no event, or it cannot be written.
    What SQS itself moved gets the id and time of its message, as at its first attempt.
    """
    envelope = dead_letter.envelope
    if dead_letter.notice is not None:
        return write_notice(dead_letter.notice, attempts=0, held_since=None, not_before=None)
    if envelope is None or dead_letter.is_digest_only or dead_letter.holds_event_to_mend:
        return None
    try:
        return write_envelope(
            envelope,
            envelope.event,
            event_id=dead_letter.event_id,
            first_seen=dead_letter.first_seen,
            attempts=0,
            held_since=None,
            resend=dead_letter.dead_since if dead_letter.is_uncertain_money else None,
            findings=kept_findings(envelope),
        )
    except UnwritableError:
        return None


def kept_findings(envelope: Envelope, *, was_corrected: bool = False) -> list[dict[str, str]]:
    """The findings that an event keeps when it is sent again.

    All, unless it was rejected or corrected: then what they are about may be gone.
    """
    is_ready = not was_corrected and all(
        one.get("severity") != "reject" for one in envelope.findings
    )
    return [one for one in envelope.findings if is_ready or one.get("rule") in _KEPT]
