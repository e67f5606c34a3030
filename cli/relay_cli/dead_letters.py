"""Dead letters: what stands in them, how they are grouped, and what is sent back. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from relay.envelopes import Envelope, parse_envelope, write_envelope
from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, UnwritableError, loads
from relay.instants import from_milliseconds, parse_iso
from relay.payments.notices import Notice, parse_notice, write_notice

NOT_AN_ENVELOPE: Final = "not_an_envelope"
CRASHED: Final = "crashed"
"""The reason that is shown for what SQS itself moved: the function failed on it time and again."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue."""

    message_id: str
    receipt: str
    sent_at: datetime
    """When SQS took it; for what SQS itself moved, when it took the original."""
    marks: Mapping[str, Any]
    """What was written on it: reason, outcome, status, message, findings, deadline ..."""
    envelope: Envelope | None
    """None where there is no event in it to send again."""
    notice: Notice | None = None
    """What a payment provider told, where it is a letter of the payments queue."""

    @property
    def reason(self) -> str:
        """Why it is here."""
        if isinstance(reason := self.marks.get("reason"), str):
            return reason
        return CRASHED if self.envelope or self.notice else NOT_AN_ENVELOPE

    @property
    def is_crashed(self) -> bool:
        """Whether SQS itself moved it: then it is as its producer sent it, perhaps not hashed."""
        return "reason" not in self.marks

    @property
    def app_id(self) -> str:
        """Whose event it is, or which payment source's; empty where nobody knows."""
        if self.notice:
            return self.notice.source
        return self.envelope.app_id if self.envelope else ""

    @property
    def event_id(self) -> str:
        """The id by which the event goes, here and when it is sent back; a webhook's own id."""
        if self.notice:
            return self.notice.id or self.message_id
        return (self.envelope.event_id if self.envelope else None) or self.message_id

    @property
    def dead_since(self) -> datetime:
        """When it came here, or the best that is known of it."""
        return self._time("dead_since") or self.sent_at

    @property
    def deadline(self) -> datetime | None:
        """T11: until when AppsFlyer keeps the event's own time."""
        return self._time("deadline")

    def _time(self, name: str) -> datetime | None:
        text = self.marks.get(name)
        return parse_iso(text, needs_offset=True) if isinstance(text, str) else None


def read_letter(message: Mapping[str, Any]) -> DeadLetter:
    """Reads a message as SQS hands it over, with all its attributes."""
    body = message["Body"]
    marks, envelope = _content(body)
    return DeadLetter(
        message["MessageId"],
        message["ReceiptHandle"],
        from_milliseconds(int(message["Attributes"]["SentTimestamp"])),
        marks,
        envelope,
        _notice(body) if "provider" in marks else None,
    )


def _notice(body: str) -> Notice | None:
    try:
        return parse_notice(body)
    except NotAnEnvelopeError:
        return None


def _content(body: str) -> tuple[Mapping[str, Any], Envelope | None]:
    try:
        content = loads(body)
    except InvalidJsonError:
        return {}, None
    marks = content if isinstance(content, dict) else {}
    try:
        return marks, parse_envelope(body)
    except NotAnEnvelopeError:
        return marks, None


def renewed(letter: DeadLetter) -> str | None:
    """The message that sends an event back to its queue, with all its attempts before it.

    What made it a dead letter is left out. None where there is no event, or it cannot be written.
    What SQS itself moved gets the id and the time of the message that brought it, as it would have
    when it was first handled.
    """
    envelope = letter.envelope
    if letter.notice is not None:
        return write_notice(letter.notice, attempts=0, held_since=None, not_before=None)
    if envelope is None:
        return None
    try:
        return write_envelope(
            envelope,
            envelope.event,
            event_id=letter.event_id,
            first_seen=envelope.first_seen or letter.sent_at,
            attempts=0,
            held_since=None,
        )
    except UnwritableError:
        return None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant; all of them where nothing is said."""

    reason: str | None = None
    app_id: str | None = None
    id: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing narrows it."""
        return self == Choice()

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant. A reason may be given without its detail (after the colon)."""
        return (
            (self.reason in (None, letter.reason, letter.reason.partition(":")[0]))
            and (self.app_id in (None, letter.app_id))
            and (self.id in (None, letter.message_id, letter.event_id))
        )


@dataclass(slots=True)
class Group:
    """Letters of one reason and one app."""

    reason: str
    app_id: str
    count: int = 0
    oldest: datetime | None = None
    next_deadline: datetime | None = None
    """The first deadline that has not passed yet."""
    passed: int = 0
    """How many deadlines have passed."""

    def add(self, letter: DeadLetter, now: datetime) -> None:
        """Counts a letter in."""
        self.count += 1
        self.oldest = min(self.oldest or letter.dead_since, letter.dead_since)
        deadline = letter.deadline
        if deadline is None:
            return
        if deadline < now:
            self.passed += 1
        else:
            self.next_deadline = min(self.next_deadline or deadline, deadline)


@dataclass(slots=True)
class Groups:
    """All groups of a queue, made letter by letter so that none has to be kept."""

    now: datetime
    _groups: dict[tuple[str, str], Group] = field(default_factory=dict)

    def add(self, letter: DeadLetter) -> None:
        """Counts a letter in."""
        key = (letter.reason, letter.app_id)
        self._groups.setdefault(key, Group(*key)).add(letter, self.now)

    def largest_first(self) -> list[Group]:
        """The groups, the largest first."""
        return sorted(self._groups.values(), key=lambda one: (-one.count, one.reason, one.app_id))
