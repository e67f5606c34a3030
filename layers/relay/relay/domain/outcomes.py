"""Outcomes of events, and the verdicts that lead to them."""

from enum import StrEnum
from typing import Final, NamedTuple, Self


class Outcome(StrEnum):
    """What became of an event. The list is complete."""

    DELIVERED = "delivered"
    """AppsFlyer accepted it."""
    DUPLICATE = "duplicate"
    """An event with this id and the same content was already delivered."""
    REJECTED = "rejected"
    """It breaks a rule, so it was never sent: dead-letter queue, with the findings."""
    REFUSED = "refused"
    """AppsFlyer says that the event is wrong: dead-letter queue, with AppsFlyer's message."""
    BLOCKED = "blocked"
    """AppsFlyer currently accepts nothing, for this app or for any: it waits until the hold limit,
    and uses up no attempt."""
    DEFERRED = "deferred"
    """Something failed that may work later: it waits in its queue and uses up an attempt.

    While its app's circuit is open, it is not sent and uses up no attempt.
    """
    HELD = "held"
    """It waits for a person or for a point in time, and uses up no attempt."""

    @property
    def waits(self) -> bool:
        """Whether the event goes back on its queue, unless a limit is reached."""
        return self in {Outcome.DEFERRED, Outcome.HELD, Outcome.BLOCKED}


class AppsFlyerResponse(NamedTuple):
    """AppsFlyer's response.

    `text` is the start of the body, at most 500 characters; bytes that are not UTF-8 are replaced.
    `retry_after_seconds` is what `Retry-After` asks for (E18): `None` for a success, and without a
    readable `Retry-After`.
    """

    status: int
    text: str
    retry_after_seconds: float | None


class Verdict(NamedTuple):
    """What should happen to an event or a notice, and why."""

    outcome: Outcome
    rule: str
    reason: str
    """A stable code, for logs and dead letters."""
    uncertain: bool = False
    """AppsFlyer may still have recorded the event."""
    response: AppsFlyerResponse | None = None
    detail: str = ""
    """A sentence for the person who reads the dead letter."""

    @property
    def is_unwell(self) -> bool:
        """Whether it says nothing about the event, but that AppsFlyer is not well (E14, E16, E17).

        Only for the verdict of a send.
        """
        return self.outcome is Outcome.BLOCKED or self.rule == "E16"

    def because(self, reason: str) -> Self:
        """The same verdict, with `reason` in front of its own."""
        return self._replace(reason=f"{reason}: {self.reason}")


CREDENTIALS_REASON: Final = "credentials"
NOT_BEFORE: Final = "not_before"
"""It is not yet time for it: the one hold that is planned."""
IN_PROGRESS: Final = "in_progress"
IN_DOUBT: Final = "in_doubt"
"""Not sent, because AppsFlyer may have recorded it already."""
CONFIGURATION: Final = "configuration"
PARAMETERS_UNAVAILABLE: Final = "parameters_unavailable"
NO_TIME: Final = "no_time"
"""Not begun, or not sent: the invocation would end before it is done."""
CIRCUIT_OPEN: Final = "appsflyer_unwell"
"""Not sent, because most recent sends failed: it waits and uses up no attempt."""
IDENTITY_UNKNOWN: Final = "identity_unknown"
ORIGINAL_UNKNOWN: Final = "original_unknown"
KIND_UNKNOWN: Final = "kind_unknown"
"""Whether a payment is the first or a renewal; after three hours it is taken for the first."""
NOT_KNOWN_YET: Final = frozenset({IDENTITY_UNKNOWN, ORIGINAL_UNKNOWN})
"""Reasons to hold something until missing data arrives; these holds have their own limit."""

FROM_ARRAY: Final = "from_array"
"""An element of an array: it is put back as a message of its own (Q3)."""

OUT_OF_TIME: Final = Verdict(Outcome.HELD, "", NO_TIME)
"""It is handed back: the next invocation handles it as if this one had not."""
