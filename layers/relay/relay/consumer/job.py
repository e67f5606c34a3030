"""One event on its way to AppsFlyer: what came, and what was found out about it. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from relay.domain.findings import Finding
from relay.domain.kinds import App, Kind, platform_of
from relay.domain.outcomes import Ruling
from relay.messages.envelope import Envelope, money_without_id, stamped
from relay.rules.identity_lookup import (
    PLACEHOLDER,
    customer_to_look_up,
    with_appsflyer_id,
    without_appsflyer_id,
)
from relay.rules.prepare import Prepared, prepare
from relay.stores.deliveries import delivery_key
from relay.stores.identities import Identity


@dataclass(slots=True)
class Job:
    """One event on its way to AppsFlyer."""

    message_id: str
    came_in: datetime
    """When SQS took the message."""
    envelope: Envelope
    app: App | None = None
    """Its settings, where it is set up and they could be read."""
    prepared: Prepared | None = None
    attempted: bool = False
    """Whether it was sent in this round."""
    identity: Identity | None = None
    """Of its customer, where it had to be looked up and is known."""
    unknown: Ruling | None = None
    """What becomes of it because its customer could not be looked up."""

    @property
    def event_id(self) -> str:
        """The sender's, or the id of the message that brought it: a re-sent one gets another."""
        return self.envelope.event_id or self.message_id

    @property
    def first_seen(self) -> datetime:
        """When it first came in."""
        return self.envelope.first_seen or self.came_in

    def check(self, app: App, now: datetime) -> Prepared:
        """Applies every rule, with the event stamped with the time at which it came in."""
        kind = self.envelope.kind
        event = stamped(kind, self.envelope.event, self.first_seen)
        if self.customer is None:
            self.prepared = prepare(kind, app, event, now, self.event_id)
        else:
            # What is wrong besides shows without the id too; what is kept has none.
            appsflyer_id = self.identity.appsflyer_id if self.identity else PLACEHOLDER
            full = with_appsflyer_id(event, appsflyer_id)
            prepared = prepare(kind, app, full, now, self.event_id)
            self.prepared = replace(prepared, event=without_appsflyer_id(prepared.event))
        return self.prepared

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
        """What it goes by among the deliveries (S6)."""
        envelope = self.envelope
        scope = f"source {envelope.source}" if envelope.source else f"app {envelope.app_id}"
        return delivery_key(scope, self.event_id)

    def findings(self) -> list[dict[str, str]]:
        """All findings in the form in which they travel, those of the entry (S6) included."""
        found: tuple[Finding, ...] = self.prepared.findings if self.prepared else ()
        # Only the fact is taken from the envelope: its text may be anybody's.
        noted = any(item.get("rule") == "S6" for item in self.envelope.findings)
        lacks_id = noted or (not self.envelope.event_id and self._has_revenue())
        entry = [money_without_id().as_dict()] if lacks_id else []
        return [finding.as_dict() for finding in found] + entry

    def _has_revenue(self) -> bool:
        """Money needs none of the app's settings to be seen, so they are not waited for."""
        if self.prepared:
            return self.prepared.has_revenue
        app, event = App(self.envelope.app_id), self.envelope.event
        return prepare(self.envelope.kind, app, event, self.came_in).has_revenue
