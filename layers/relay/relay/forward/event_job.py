"""One event on its way to AppsFlyer: the envelope, and what is known about it so far. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from relay.domain.findings import Finding, Severity
from relay.domain.kinds import App, Kind, platform_of
from relay.domain.outcomes import Verdict
from relay.forward import dead_letters
from relay.messages.arrival import former_digest, prepare_arrival
from relay.messages.carried import carried_findings, together
from relay.messages.envelope import (
    Envelope,
    digest_of,
    former_content_digest,
    money_without_id,
    second_content_digests,
    write_envelope,
)
from relay.messages.event_ids import former_event_id
from relay.messages.items import Fault, Item
from relay.rules.identity_lookup import customer_to_look_up
from relay.rules.kept import former_hashed_event
from relay.rules.prepare import Prepared, prepare
from relay.stores.deliveries import Former, delivery_key
from relay.stores.identities import Identity

_GIVEN_ID: Final = re.compile(r":[0-9]+\Z")
"""The end of an id that an element of an array was given."""


@dataclass(slots=True)
class EventJob:
    """One event on its way to AppsFlyer; a `relay.consumer.job.Job`."""

    message_id: str
    came_in: datetime
    """When SQS received the message."""
    envelope: Envelope
    found: tuple[Finding, ...] = ()
    """Repairs and warnings of the envelope's reading."""
    fault: Fault | None = None
    """Why it cannot be handled; its envelope then holds no event."""
    position: int | None = None
    """Its place in an array of the message; it is then put back as a message of its own."""
    has_own_id: bool = True
    """Whether its sender gave it an event id."""
    body: str = ""
    """The message as it was received, if there is a fault."""
    digest: Mapping[str, object] = field(default_factory=dict)
    """That of the body (`digest_of`), if there is a fault."""
    app: App | None = None
    """The app's settings, if the app is set up and they could be read."""
    prepared: Prepared | None = None
    refusal: Finding | None = None
    """Why no event of this envelope can be sent, whatever the event is (Q6)."""
    attempted: bool = False
    """Whether it was sent in this invocation."""
    identity: Identity | None = None
    """The customer's identity, if it was needed and is known."""
    identity_problem: Verdict | None = None
    """The verdict if the customer's identity is needed and missing."""

    @classmethod
    def all_of(
        cls, items: Sequence[Item], message_id: str, came_in: datetime, body: str
    ) -> "list[EventJob]":
        """The jobs of the items of a message."""
        jobs = [cls._of(item, message_id, came_in) for item in items]
        faulty = [job for job in jobs if job.fault is not None]
        if faulty:
            digest = digest_of(body)
            for job in faulty:
                job.body, job.digest = body, digest
        return jobs

    @classmethod
    def _of(cls, item: Item, message_id: str, came_in: datetime) -> "EventJob":
        envelope, position = item.envelope, item.position
        return cls(
            message_id if position is None else f"{message_id}:{position}",
            came_in,
            envelope,
            item.findings,
            item.fault,
            position,
            item.has_own_id or envelope.first_seen is not None,
        )

    @property
    def record_id(self) -> str:
        """The id of the SQS message that brought it, alone or in an array."""
        part = "" if self.position is None else f":{self.position}"
        return self.message_id.removesuffix(part)

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
        """The customer whose AppsFlyer id has to be looked up; None when that is not needed.

        Nor is it for an element of an array: that is sent later, as a message of its own.
        """
        if self.position is not None:
            return None
        return customer_to_look_up(self.envelope.kind, self.envelope.event)

    @property
    def app_class(self) -> str:
        """`ios`, `android`, `windows` (E9) or `web`: the dimension of the counters."""
        if self.fault is not None:
            return "unknown"
        envelope = self.envelope
        if envelope.kind is not Kind.MOBILE_EVENT:
            return "web"
        return platform_of(envelope.app_id).value.lower()

    # How it is known when it comes again (S6)

    @property
    def delivery_key(self) -> str:
        """The event's key in the table of deliveries (S6)."""
        return delivery_key(self._scope, self.event_id)

    @property
    def _scope(self) -> str:
        """Where the event id is unique."""
        envelope = self.envelope
        return f"source {envelope.source}" if envelope.source else f"app {envelope.app_id}"

    @property
    def is_claimed_anyway(self) -> bool:
        """Q3: whether it was in an array and got its id there, so that the array may come twice."""
        if _GIVEN_ID.search(self.event_id) is None:
            return False
        return any(one.get("rule") == "Q3" for one in self.envelope.findings)

    def former(self, prepared: Prepared) -> Former:
        """How earlier releases knew the event."""
        envelope = self.envelope
        event_id = None if envelope.source else former_event_id(self.event_id)
        return Former(
            lambda content: self._was(content, prepared),
            delivery_key(self._scope, event_id) if event_id else None,
        )

    def _was(self, content: str, prepared: Prepared) -> bool:
        """Whether a digest of an earlier version is of this event."""
        if not content.startswith("2:"):
            return content == self._first_digest(prepared)
        repaired = {one.rule for one in self.findings(prepared) if one.severity is Severity.REPAIR}
        return content in second_content_digests(
            self.envelope, prepared.content, self.first_seen, repaired
        )

    def _first_digest(self, prepared: Prepared) -> str | None:
        """The digest by release 0.1 of the event as it came in."""
        envelope = self.envelope
        if envelope.content_sha256 is not None or not isinstance(envelope.event, dict):
            return envelope.content_sha256
        event = former_hashed_event(envelope.event, prepared.hashes)
        return former_content_digest(envelope, event, self.first_seen)

    def _digest_to_keep(self, prepared: Prepared) -> str | None:
        """That digest, if it cannot be told from the event as it is queued from now on."""
        envelope = self.envelope
        if envelope.content_sha256 is not None or not isinstance(envelope.event, dict):
            return envelope.content_sha256
        return former_digest(envelope, envelope.event, prepared, self.first_seen)

    # What is found

    def checked(self, app: App, now: datetime) -> Prepared:
        """Applies every rule, after stamping the event with the time at which it came in."""
        appsflyer_id = self.identity.appsflyer_id if self.identity else None
        envelope = self.envelope
        return prepare_arrival(
            envelope.kind, app, envelope.event, self.first_seen, now, self.event_id, appsflyer_id
        )

    def findings(self, prepared: Prepared | None) -> tuple[Finding, ...]:
        """All findings: of earlier handlings, of the envelope, and of the event as it is now."""
        carried = self.envelope.findings
        earlier = together(carried_findings(carried), self.found) if carried else self.found
        found = together(earlier, prepared.findings if prepared else ())
        if self._lacks_id and self._has_revenue(prepared):
            found = together(found, (money_without_id(),))
        return found

    @property
    def told(self) -> tuple[Finding, ...]:
        """All findings, with the reason why no event of this envelope can be sent first."""
        refusal = self.fault.finding if self.fault is not None else self.refusal
        found = self.findings(self.prepared)
        return found if refusal is None else (refusal, *found)

    @property
    def _lacks_id(self) -> bool:
        """Whether its sender gave it no event id, as far as this handling can tell."""
        return not self.has_own_id or self.envelope.event_id is None

    def _has_revenue(self, prepared: Prepared | None) -> bool:
        """Revenue can be detected without the app's settings, so this does not wait for them."""
        if prepared:
            return prepared.has_revenue
        app, event = App(self.envelope.app_id), self.envelope.event
        return prepare(self.envelope.kind, app, event, self.came_in).has_revenue

    # How it is kept

    def waiting_body(self, **changes: object) -> str:
        """The envelope, with what is known of the event by now.

        The event is as it will be sent, unless the app's settings could not be read. Without the
        app's region a national phone number cannot be hashed and must not be lost, so the event
        returns unchanged to the queue that it came from.
        """
        if self.fault is not None:
            return self.body
        prepared = self.prepared
        if prepared is None:
            return write_envelope(
                self.envelope, self.envelope.event, **self._state_fields(None), **changes
            )
        fields = {
            **self._state_fields(prepared),
            "content_sha256": self._digest_to_keep(prepared),
            **changes,
        }
        return write_envelope(self.envelope, prepared.event, **fields)

    def dead_letter(self, verdict: Verdict, now: datetime, attempts: int | None) -> str:
        """What is kept of it, with the reason; see `relay.forward.dead_letters`."""
        if self.fault is not None:
            return dead_letters.dead_letter_of_fault(self, self.fault, verdict, now)
        made = self.attempts + (1 if self.attempted else 0)
        return dead_letters.dead_letter_of(
            self, verdict, now, made if attempts is None else attempts
        )

    def _state_fields(self, prepared: Prepared | None) -> dict[str, object]:
        return {
            "event_id": self.event_id,
            "first_seen": self.first_seen,
            "findings": [finding.as_dict() for finding in self.findings(prepared)],
        }
