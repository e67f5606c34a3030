"""What became of an event, and what AppsFlyer's answer means for it (rules E10 to E17)."""

from enum import StrEnum
from typing import Final, NamedTuple


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

    Without being sent at all, and then without using one up, while most sends fail.
    """
    HELD = "held"
    """It waits for a person or a moment; no attempt is used up."""


class Ruling(NamedTuple):
    """What one answer means. `uncertain`: AppsFlyer may have recorded the event all the same."""

    outcome: Outcome
    rule: str
    reason: str
    uncertain: bool = False


CREDENTIALS_REASON: Final = "credentials"
IDENTITY_UNKNOWN: Final = "identity_unknown"
IN_PROGRESS: Final = "in_progress"
UNWELL: Final = "appsflyer_unwell"
"""Not sent, because most sends fail: it waits without using up an attempt."""
