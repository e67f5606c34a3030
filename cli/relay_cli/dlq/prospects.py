"""Which dead letters fail again if they are sent back as they are. Pure."""

from datetime import datetime
from typing import Final

from relay.domain.kinds import App
from relay.domain.outcomes import Outcome
from relay.messages.arrival import prepare_arrival
from relay_cli.dlq.dead_letter import DeadLetter, redrive_body
from relay_cli.dlq.facts import rules_of

REJECTED: Final = "rejected"
ID_CONFLICT: Final = "id_conflict"
_FOR_GOOD: Final = frozenset({ID_CONFLICT, "wrong_queue", "unknown_type", "unreadable"})
"""Reasons that lie in the event, or where it was put, and that no time and no setting ends."""


def fails_again(dead_letter: DeadLetter, now: datetime) -> bool:
    """Whether what is the reason stands in the event itself, so that a redrive changes nothing.

    What broke a rule is checked anew: a later release may take it. Reasons that a person ends
    elsewhere (a key, an app's settings, AppsFlyer's account) are none of these.
    """
    if dead_letter.is_crashed or redrive_body(dead_letter) is None:
        return False
    if dead_letter.reason == REJECTED:
        return breaks_a_rule(dead_letter, now)
    return dead_letter.fields.get("outcome") == Outcome.REFUSED or dead_letter.reason in _FOR_GOOD


def why(dead_letter: DeadLetter) -> str:
    """The reason in a few words, such as `rejected (M1, M4)`."""
    rules = rules_of(dead_letter)
    return f"{dead_letter.reason} ({', '.join(rules)})" if rules else dead_letter.reason


def breaks_a_rule(dead_letter: DeadLetter, now: datetime) -> bool:
    """Whether its event, as it is, would be rejected."""
    envelope = dead_letter.envelope
    if envelope is None:
        return False
    prepared = prepare_arrival(
        envelope.kind,
        App(envelope.app_id),
        envelope.event,
        dead_letter.first_seen or now,
        now,
        dead_letter.event_id,
    )
    return prepared.body is None
