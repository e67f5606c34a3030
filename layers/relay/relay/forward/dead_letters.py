"""What is kept of an event that is not sent: its dead letter (Q6, Q7). Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from relay.aws.sqs import MAX_MESSAGE_BYTES, size_of
from relay.domain.findings import Finding
from relay.domain.kinds import App, Kind
from relay.domain.outcomes import Verdict
from relay.exact_json import dumps_for_queue
from relay.instants import iso_form
from relay.messages.carried import together
from relay.messages.envelope import (
    Envelope,
    dead_letter_of_no_envelope,
    digest_of,
    write_envelope,
)
from relay.messages.items import APP_ID_TO_KEEP, Fault
from relay.rules.fields import without_clear_email
from relay.rules.kept import Kept, kept_event
from relay.rules.prepare import Prepared

_FEWEST_FINDINGS: Final = 5
"""What is left of the findings where all of them would be too long."""


class KeptJob(Protocol):
    """What is asked of an `EventJob`."""

    envelope: Envelope
    app: App | None
    prepared: Prepared | None
    refusal: Finding | None
    found: tuple[Finding, ...]
    position: int | None
    digest: Mapping[str, object]

    @property
    def record_id(self) -> str:
        """The id of the SQS message that brought it."""
        ...

    @property
    def event_id(self) -> str:
        """The event's id."""
        ...

    @property
    def first_seen(self) -> datetime:
        """When it came in."""
        ...

    def checked(self, app: App, now: datetime) -> Prepared:
        """The event, with every rule applied."""
        ...

    def findings(self, prepared: Prepared | None) -> tuple[Finding, ...]:
        """All that there is to say about it."""
        ...


def dead_letter_of(job: KeptJob, verdict: Verdict, now: datetime, attempts: int) -> str:
    """The envelope with the reason; the event is hashed.

    Where it is too long, findings are cut first, then the event: its digest identifies it.
    """
    prepared = job.prepared or job.checked(job.app or App(job.envelope.app_id), now)
    event, findings = prepared.event, job.findings(prepared)
    if job.refusal is not None:
        kept = _kept(job.envelope.event, job.envelope.kind, job.app)
        event, findings = kept.event, (job.refusal, *together(findings, kept.findings))
    response = verdict.response
    fields: dict[str, object] = {
        "reason": verdict.reason,
        "outcome": verdict.outcome,
        "dead_since": now,
        "status": response.status if response else None,
        "message": without_clear_email(response.text) if response else None,
        "deadline": prepared.deadline,
        "resend": None,  # a person decides about each dead letter anew
        "attempts": attempts,
        "event_id": job.event_id,
        "first_seen": job.first_seen,
    }
    if job.app is None and not APP_ID_TO_KEEP.fullmatch(job.envelope.app_id):
        fields["app_id"] = None  # it may be anything
    if not job.envelope.is_payment:
        fields["content_sha256"] = None  # it is to be mended: then it is another

    def written(event: Mapping[str, Any], most: int | None, **more: object) -> str:
        told = [finding.as_dict() for finding in findings[:most]]
        return write_envelope(job.envelope, event, **fields, findings=told, **more)

    letter = written(event, None)
    if size_of(letter) > MAX_MESSAGE_BYTES:
        letter = written(event, _FEWEST_FINDINGS)
    if size_of(letter) > MAX_MESSAGE_BYTES:
        letter = written({}, _FEWEST_FINDINGS, **digest_of(letter))
    return letter


def dead_letter_of_fault(job: KeptJob, fault: Fault, verdict: Verdict, now: datetime) -> str:
    """What is kept of an item that is no envelope, or one with a wrong value in it.

    The event, hashed, and what else of an envelope there is in its right form, so that it can be
    mended and sent again; without an event, only what identifies the message.
    """
    message = fault.finding.message
    if job.position is not None:
        message = f"element {job.position} of an array: {message}"
    if fault.event is None:
        return dead_letter_of_no_envelope(job.digest, job.record_id, message, now)
    kept = _kept(fault.event, fault.kind, job.app)
    findings = (fault.finding, *job.found, *kept.findings)
    fields: dict[str, object] = {
        **fault.fields,
        "event": kept.event,
        **({"event_id": job.event_id} if fault.is_envelope else {}),
        "first_seen": iso_form(job.first_seen),
        "reason": verdict.reason,
        "outcome": verdict.outcome,
        "message": message,
        "message_id": job.record_id,
        "dead_since": iso_form(now),
    }
    for most in (None, _FEWEST_FINDINGS):
        told = [one.as_dict() for one in findings[:most]]
        letter = dumps_for_queue({**fields, "findings": told})
        if size_of(letter) <= MAX_MESSAGE_BYTES:
            return letter
    return dead_letter_of_no_envelope(job.digest, job.record_id, message, now)


def _kept(event: object, kind: Kind | None, app: App | None) -> Kept:
    given = event if isinstance(event, Mapping) else {}
    return kept_event(kind, given, app.phone_region if app else None)
