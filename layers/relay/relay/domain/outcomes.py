"""What became of an event, and the verdict that says so."""

from enum import StrEnum
from typing import Final, NamedTuple, Self


class Outcome(StrEnum):
    """What became of an event. Nothing else exists."""

    DELIVERED = "delivered"
    """AppsFlyer accepted it."""
    DUPLICATE = "duplicate"
    """Its event id was already delivered, with the same content."""
    REJECTED = "rejected"
    """It breaks a rule, so it was never sent: dead-letter queue, with the findings."""
    REFUSED = "refused"
    """AppsFlyer says that the event is wrong: dead-letter queue, with its message."""
    BLOCKED = "blocked"
    """AppsFlyer takes nothing for this app at present: dead-letter queue."""
    DEFERRED = "deferred"
    """Something failed that may work later: it waits in its queue and uses up an attempt.

    While its app's circuit is open it is not sent at all, and then uses up no attempt.
    """
    HELD = "held"
    """It waits for a person or a moment; no attempt is used up."""


class AppsFlyerResponse(NamedTuple):
    """What AppsFlyer answered.

    `text` is the body's beginning, at most 500 characters; bytes that are no UTF-8 are replaced.
    `retry_after_seconds` is what `Retry-After` asks for (E18): `None` with a success, and without
    one that can be read.
    """

    status: int
    text: str
    retry_after_seconds: float | None


class Verdict(NamedTuple):
    """What is to become of an event or a notice, and why."""

    outcome: Outcome
    rule: str
    reason: str
    """A stable code, for logs and dead letters."""
    uncertain: bool = False
    """AppsFlyer may have recorded the event all the same."""
    response: AppsFlyerResponse | None = None
    detail: str = ""
    """A sentence for whoever reads the dead letter."""

    def because(self, reason: str) -> Self:
        """The same verdict, for a further reason."""
        return self._replace(reason=f"{reason}: {self.reason}")


CREDENTIALS_REASON: Final = "credentials"
IN_PROGRESS: Final = "in_progress"
CIRCUIT_OPEN: Final = "appsflyer_unwell"
"""Not sent, because most sends fail: it waits without using up an attempt."""
IDENTITY_UNKNOWN: Final = "identity_unknown"
ORIGINAL_UNKNOWN: Final = "original_unknown"
NOT_KNOWN_YET: Final = frozenset({IDENTITY_UNKNOWN, ORIGINAL_UNKNOWN})
"""Reasons to hold what waits for something to become known; it has a limit of its own."""
