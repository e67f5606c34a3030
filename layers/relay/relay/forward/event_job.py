"""One event on its way to AppsFlyer: what came, and what was found out about it. Pure."""

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
    money_without_id,
    stamped,
    write_envelope,
)
from relay.rules.fields import without_clear_email
from relay.rules.identity_lookup import customer_to_look_up, prepare_with_lookup
from relay.rules.prepare import Prepared, prepare
from relay.stores.deliveries import delivery_key
from relay.stores.identities import Identity


@dataclass(slots=True)
class EventJob:
    """One event on its way to AppsFlyer; a `relay.consumer.job.Job`."""

    message_id: str
    came_in: datetime
    """When SQS took the message."""
    envelope: Envelope
    app: App | None = None
    """Its settings, where it is set up and they could be read."""
    prepared: Prepared | None = None
    attempted: bool = False
    """Whether it was sent in this invocation."""
    identity: Identity | None = None
    """Of its customer, where it had to be looked up and is known."""
    identity_problem: Verdict | None = None
    """What becomes of it because its customer could not be looked up."""

    @property
    def group(self) -> str:
        """Its app: one app's flood does not delay the others."""
        return self.envelope.app_id

    @property
    def attempts(self) -> int:
        """How many times it was sent before without success."""
        return self.envelope.attempts

    @property
    def held_since(self) -> datetime | None:
        """Since when it is held."""
        return self.envelope.held_since

    @property
    def held_since_after_attempt(self) -> None:
        """An attempt ends a hold: what it was held for is over."""
        return

    @property
    def event_id(self) -> str:
        """The sender's, or the id of the message that brought it: a re-sent one gets another."""
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
        """`ios`, `android`, `windows` (E9) or `web`: what counters tell apart."""
        envelope = self.envelope
        if envelope.kind is not Kind.MOBILE_EVENT:
            return "web"
        return platform_of(envelope.app_id).value.lower()

    @property
    def delivery_key(self) -> str:
        """Its key among the deliveries (S6)."""
        envelope = self.envelope
        scope = f"source {envelope.source}" if envelope.source else f"app {envelope.app_id}"
        return delivery_key(scope, self.event_id)

    def checked(self, app: App, now: datetime) -> Prepared:
        """Applies every rule, with the event stamped with the time at which it came in."""
        kind = self.envelope.kind
        event = stamped(kind, self.envelope.event, self.first_seen)
        appsflyer_id = self.identity.appsflyer_id if self.identity else None
        return prepare_with_lookup(kind, app, event, now, self.event_id, appsflyer_id)

    def waiting_body(self, **changes: object) -> str:
        """Its envelope with what is known of it by now.

        Hashed, unless the app's settings could not be read: without its region a national phone
        number cannot be hashed and must not be lost, so it goes back into the very queue that it
        came from as it was.
        """
        event = self.prepared.event if self.prepared else self.envelope.event
        return write_envelope(self.envelope, event, **self._state_fields(self.prepared), **changes)

    def dead_letter(self, verdict: Verdict, now: datetime, attempts: int | None) -> str:
        """Its envelope with the reason, always in its hashed form."""
        prepared = self.prepared or self.checked(self.app or App(self.envelope.app_id), now)
        response = verdict.response
        fields = {
            "reason": verdict.reason,
            "outcome": verdict.outcome,
            "dead_since": now,
            "status": response.status if response else None,
            "message": without_clear_email(response.text) if response else None,
            "deadline": prepared.deadline,
            "attempts": self.attempts + self.attempted if attempts is None else attempts,
            **self._state_fields(prepared),
        }
        letter = write_envelope(self.envelope, prepared.event, **fields)
        if size_of(letter) > MAX_MESSAGE_BYTES:
            letter = write_envelope(self.envelope, {}, **fields, **digest_of(letter))
        return letter

    def _state_fields(self, prepared: Prepared | None) -> dict[str, object]:
        return {
            "event_id": self.event_id,
            "first_seen": self.first_seen,
            "findings": self._findings(prepared),
        }

    def _findings(self, prepared: Prepared | None) -> list[dict[str, str]]:
        """All findings in the form in which they travel, those of the entry (S6) included."""
        found: Sequence[Finding] = prepared.findings if prepared else ()
        # Only the fact is taken from the envelope: its text may be anybody's.
        noted = any(item.get("rule") == "S6" for item in self.envelope.findings)
        lacks_id = noted or (not self.envelope.event_id and self._has_revenue(prepared))
        entry = [money_without_id().as_dict()] if lacks_id else []
        return [finding.as_dict() for finding in found] + entry

    def _has_revenue(self, prepared: Prepared | None) -> bool:
        """Money needs none of the app's settings to be seen, so they are not waited for."""
        if prepared:
            return prepared.has_revenue
        app, event = App(self.envelope.app_id), self.envelope.event
        return prepare(self.envelope.kind, app, event, self.came_in).has_revenue
