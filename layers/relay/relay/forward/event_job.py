"""One event on its way to AppsFlyer: the envelope, and what is known about it so far. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from relay.aws.sqs import MAX_MESSAGE_BYTES, size_of
from relay.domain.findings import Finding
from relay.domain.kinds import App, Kind, platform_of
from relay.domain.outcomes import Verdict
from relay.messages.envelope import (
    Envelope,
    digest_of,
    former_content_digest,
    money_without_id,
    stamped,
    write_envelope,
)
from relay.messages.event_ids import former_event_id
from relay.rules.fields import without_clear_email
from relay.rules.identity_lookup import customer_to_look_up, prepare_with_lookup
from relay.rules.prepare import Prepared, prepare
from relay.stores.deliveries import Former, delivery_key
from relay.stores.identities import Identity


@dataclass(slots=True)
class EventJob:
    """One event on its way to AppsFlyer; a `relay.consumer.job.Job`."""

    message_id: str
    came_in: datetime
    """When SQS received the message."""
    envelope: Envelope
    app: App | None = None
    """The app's settings, if the app is set up and they could be read."""
    prepared: Prepared | None = None
    attempted: bool = False
    """Whether it was sent in this invocation."""
    identity: Identity | None = None
    """The customer's identity, if it was needed and is known."""
    identity_problem: Verdict | None = None
    """The verdict if the customer's identity is needed and missing."""

    @property
    def group(self) -> str:
        """The app id: a flood of events for one app does not delay the others."""
        return self.envelope.app_id

    @property
    def attempts(self) -> int:
        """How many earlier sends failed."""
        return self.envelope.attempts

    @property
    def held_since(self) -> datetime | None:
        """Since when it is held."""
        return self.envelope.held_since

    @property
    def held_since_after_attempt(self) -> None:
        """None: an attempt shows that the reason for the hold is gone."""
        return

    @property
    def event_id(self) -> str:
        """The sender's id, or the SQS message's, which differs when an event is sent again."""
        return self.envelope.event_id or self.message_id

    @property
    def first_seen(self) -> datetime:
        """When it first came in."""
        return self.envelope.first_seen or self.came_in

    @property
    def customer(self) -> str | None:
        """The customer whose AppsFlyer id has to be looked up; None when that is not needed."""
        return customer_to_look_up(self.envelope.kind, self.envelope.event)

    @property
    def app_class(self) -> str:
        """`ios`, `android`, `windows` (E9) or `web`: the dimension of the counters."""
        envelope = self.envelope
        if envelope.kind is not Kind.MOBILE_EVENT:
            return "web"
        return platform_of(envelope.app_id).value.lower()

    @property
    def delivery_key(self) -> str:
        """The event's key in the table of deliveries (S6)."""
        return delivery_key(self._scope, self.event_id)

    @property
    def _scope(self) -> str:
        """Where the event id is unique."""
        envelope = self.envelope
        return f"source {envelope.source}" if envelope.source else f"app {envelope.app_id}"

    def former(self, prepared: Prepared) -> Former:
        """How release 0.1 knew the event."""
        envelope = self.envelope
        event_id = None if envelope.source else former_event_id(self.event_id)
        return Former(
            lambda: former_content_digest(envelope, prepared.event, self.first_seen),
            delivery_key(self._scope, event_id) if event_id else None,
        )

    def checked(self, app: App, now: datetime) -> Prepared:
        """Applies every rule, after stamping the event with the time at which it came in."""
        kind = self.envelope.kind
        event = stamped(kind, self.envelope.event, self.first_seen)
        appsflyer_id = self.identity.appsflyer_id if self.identity else None
        return prepare_with_lookup(kind, app, event, now, self.event_id, appsflyer_id)

    def waiting_body(self, **changes: object) -> str:
        """The envelope, with what is known of the event by now.

        The event is hashed, unless the app's settings could not be read. Without the app's region a
        national phone number cannot be hashed and must not be lost, so the event returns unchanged
        to the queue that it came from.
        """
        event = self.prepared.event if self.prepared else self.envelope.event
        return write_envelope(self.envelope, event, **self._state_fields(self.prepared), **changes)

    def dead_letter(self, verdict: Verdict, now: datetime, attempts: int | None) -> str:
        """The envelope with the reason; the event is always hashed."""
        prepared = self.prepared or self.checked(self.app or App(self.envelope.app_id), now)
        response = verdict.response
        fields = {
            "reason": verdict.reason,
            "outcome": verdict.outcome,
            "dead_since": now,
            "status": response.status if response else None,
            "message": without_clear_email(response.text) if response else None,
            "deadline": prepared.deadline,
            "resend": None,  # a person decides about each dead letter anew
            "attempts": self._attempts_made if attempts is None else attempts,
            **self._state_fields(prepared),
        }
        letter = write_envelope(self.envelope, prepared.event, **fields)
        if size_of(letter) > MAX_MESSAGE_BYTES:
            letter = write_envelope(self.envelope, {}, **fields, **digest_of(letter))
        return letter

    @property
    def _attempts_made(self) -> int:
        return self.attempts + (1 if self.attempted else 0)

    def _state_fields(self, prepared: Prepared | None) -> dict[str, object]:
        return {
            "event_id": self.event_id,
            "first_seen": self.first_seen,
            "findings": self._findings(prepared),
        }

    def _findings(self, prepared: Prepared | None) -> list[dict[str, str]]:
        """All findings as an envelope carries them, the one from acceptance (S6) included."""
        found: Sequence[Finding] = prepared.findings if prepared else ()
        # Only the rule number is trusted: anybody may have written the envelope's text.
        noted = any(item.get("rule") == "S6" for item in self.envelope.findings)
        lacks_id = noted or (not self.envelope.event_id and self._has_revenue(prepared))
        entry = [money_without_id().as_dict()] if lacks_id else []
        return [finding.as_dict() for finding in found] + entry

    def _has_revenue(self, prepared: Prepared | None) -> bool:
        """Revenue can be detected without the app's settings, so this does not wait for them."""
        if prepared:
            return prepared.has_revenue
        app, event = App(self.envelope.app_id), self.envelope.event
        return prepare(self.envelope.kind, app, event, self.came_in).has_revenue
