"""A line of an export, corrected or not, and the message that replaces its dead letter. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from relay.domain.findings import Finding, Severity
from relay.domain.kinds import App, Kind, Surface
from relay.errors import NotAnEnvelopeError
from relay.exact_json import UnwritableError, dumps, dumps_sorted
from relay.instants import parse_iso
from relay.messages.arrival import prepare_arrival
from relay.messages.envelope import Envelope, write_envelope
from relay.messages.items import SENDERS_FIELDS
from relay.messages.notice import parse_notice, write_notice
from relay.messages.reader import read_content
from relay_cli.dlq.dead_letter import UNCERTAIN_MONEY, DeadLetter, kept_findings, redrive_body
from relay_cli.dlq.export import content_of
from relay_cli.dlq.prospects import ID_CONFLICT, breaks_a_rule, fails_again

PAYMENTS: Final = "payments"
_OF_AN_EXPORT: Final = frozenset({"queue", "letter_id"})
"""What `relay dlq export` puts beside what the relay wrote."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is to replace a dead letter."""

    place: str
    """Where it stands, such as `line 3`."""
    queue: str
    letter_id: str
    content: Mapping[str, Any] = field(repr=False)
    """The letter's own fields, as `relay dlq export` writes them."""

    @property
    def reason(self) -> str:
        """Why it was a dead letter."""
        return str(self.content.get("reason", ""))

    @property
    def app_id(self) -> str:
        """The app, or the payment source."""
        return str(self.content.get("source" if self.is_webhook else "app_id") or "")

    @property
    def event_id(self) -> str:
        """The event's id, as far as the line tells it."""
        return str(self.content.get("id" if self.is_webhook else "event_id") or self.letter_id)

    @property
    def decided_at(self) -> datetime | None:
        """Until when AppsFlyer may have recorded it, where sending it is a person's decision."""
        text = self.content.get("dead_since")
        if not (isinstance(text, str) and self.reason.startswith(UNCERTAIN_MONEY)):
            return None
        return parse_iso(text, needs_offset=True)

    @property
    def is_webhook(self) -> bool:
        """Whether it is one of a payment provider, and no event."""
        return "provider" in self.content

    def is_of(self, dead_letter: DeadLetter) -> bool:
        """Whether a letter is of the same event, by app and event id.

        An event that was sent back and came back has another letter than at its export. Of an
        `id_conflict` the id does not tell which event is meant.
        """
        return ID_CONFLICT not in (self.reason, dead_letter.reason) and (
            (self.app_id, self.event_id) == (dead_letter.app_id, dead_letter.event_id)
        )


class Replacement(NamedTuple):
    """The message for a queue, or why there is none."""

    body: str | None = None
    surface: str = ""
    """The queue: `mobile`, `web` or `payments`."""
    group: str = ""
    problem: str = ""
    """Why nothing is sent; the letter stays."""
    findings: tuple[Finding, ...] = ()
    """What breaks a rule."""


def read_correction(content: object, place: str) -> Correction | None:
    """The correction in one value of a file; None if it is no line of an export."""
    if not isinstance(content, dict):
        return None
    queue, letter_id = content.get("queue"), content.get("letter_id")
    if not (isinstance(queue, str) and isinstance(letter_id, str) and letter_id):
        return None
    own = {name: value for name, value in content.items() if name not in _OF_AN_EXPORT}
    return Correction(place, queue, letter_id, own)


def replacement(
    correction: Correction, dead_letter: DeadLetter | None, now: datetime, *, anyway: bool = False
) -> Replacement:
    """What is sent in place of a letter; None stands for one that is no longer there.

    A letter that is not corrected is sent as a redrive would send it; where that fails again, only
    with `anyway`. A corrected event is checked, hashed and stamped as at the HTTP API, and keeps
    its id.
    """
    if correction.is_webhook:
        return _webhook(correction, dead_letter)
    if "event" not in correction.content or _is_digest_only(correction.content):
        return Replacement(problem=_NO_EVENT)
    if dead_letter is None:
        return _corrected(correction, now)
    if not _is_corrected(correction, dead_letter):
        return _as_it_is(correction, dead_letter, now, anyway=anyway)
    if dead_letter.reason == ID_CONFLICT and correction.event_id == dead_letter.event_id:
        return Replacement(problem=_SAME_ID)
    return _corrected(correction, now)


def _as_it_is(
    correction: Correction, dead_letter: DeadLetter, now: datetime, *, anyway: bool
) -> Replacement:
    body, envelope = redrive_body(dead_letter), dead_letter.envelope
    if body is None or envelope is None:
        return Replacement(problem=_NOT_MENDED)
    is_routed = dead_letter.reason in _ROUTED  # here it goes to the queue of its kind
    fails = breaks_a_rule(dead_letter, now) if is_routed else fails_again(dead_letter, now)
    if fails and not anyway:
        checked = _corrected(correction, now)
        return checked if checked.body is None else Replacement(problem=_UNCHANGED)
    return Replacement(body, _surface(envelope), dead_letter.app_id)


def _is_digest_only(content: Mapping[str, Any]) -> bool:
    return "sha256" in content and not content["event"]


def _is_corrected(correction: Correction, dead_letter: DeadLetter) -> bool:
    """Whether anything of it that is a sender's differs from what an export says."""
    was = content_of(dead_letter)
    return any(
        _digest(correction.content.get(name)) != _digest(was.get(name)) for name in SENDERS_FIELDS
    )


def _digest(value: object) -> bytes:
    try:
        return dumps_sorted(value)
    except UnwritableError:
        return b""


def _corrected(correction: Correction, now: datetime) -> Replacement:
    items = read_content(dict(correction.content), now)
    faults = [one.fault.finding for one in items if one.fault is not None]
    if faults or len(items) != 1:
        return Replacement(problem=_NO_ENVELOPE, findings=tuple(faults))
    envelope = items[0].envelope
    event_id = envelope.event_id or correction.letter_id
    came_in = envelope.first_seen or now
    prepared = prepare_arrival(
        envelope.kind, App(envelope.app_id), envelope.event, came_in, now, event_id
    )
    if prepared.body is None:
        found = [one for one in prepared.findings if one.severity is Severity.REJECT]
        return Replacement(problem=_REJECTED, findings=tuple(found))
    body = write_envelope(
        envelope,
        prepared.event,
        event_id=event_id,
        first_seen=came_in,
        attempts=0,
        held_since=None,
        resend=correction.decided_at,
        findings=[
            *kept_findings(envelope, was_corrected=True),
            *(one.as_dict() for one in prepared.findings),
        ],
    )
    return Replacement(body, _surface(envelope), envelope.app_id)


def _surface(envelope: Envelope) -> str:
    return "mobile" if Surface.of(Kind(envelope.kind)) is Surface.MOBILE else "web"


def _webhook(correction: Correction, dead_letter: DeadLetter | None) -> Replacement:
    """A provider signed it, so it is sent as it is, or not at all."""
    try:
        notice = parse_notice(dumps(dict(correction.content)).decode())
    except (NotAnEnvelopeError, UnwritableError):
        return Replacement(problem=_NO_WEBHOOK)
    known = dead_letter.notice if dead_letter else notice
    if known is None or known.content != notice.content or known.source != notice.source:
        return Replacement(problem=_NO_WEBHOOK)
    body = write_notice(known, attempts=0, held_since=None, not_before=None)
    return Replacement(body, PAYMENTS, known.source)


def twice(corrections: Sequence[Correction]) -> tuple[Correction, Correction] | None:
    """Two corrections of one letter: nobody can tell which is meant."""
    known: dict[str, Correction] = {}
    for one in corrections:
        if one.letter_id in known:
            return known[one.letter_id], one
        known[one.letter_id] = one
    return None


_ROUTED: Final = frozenset({"wrong_queue"})
"""Reasons that are gone once the event is on the queue of its kind."""
_NO_EVENT: Final = "holds no event, only its size and digest: its sender must send it again"
_NOT_MENDED: Final = "is no envelope: put app_id, kind and event_id right in it first"
_SAME_ID: Final = "has the id of an event that was delivered: give it an event_id of its own"
_UNCHANGED: Final = "is not corrected, and would fail again for the same reason"
_NO_ENVELOPE: Final = "is no envelope"
_REJECTED: Final = "still breaks a rule"
_NO_WEBHOOK: Final = "is a provider's webhook, which cannot be corrected: export it again"
