"""Tells which trace a fact is about.

An event is known by the id of its message; that changes at each wait, so then by its event id. A
mobile payload carries no id (S6): a request is told by app and payload from others that functions
have at that moment. Two that are alike at once are taken in order: nobody could tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from relay.messages.envelope import Envelope
from relay_sandbox.journal.facts import Content, Lookup, QueueName, dedup_id_of, likeness, lookup_of
from relay_sandbox.journal.journal import Journal
from relay_sandbox.journal.reading import shown, shown_id
from relay_sandbox.journal.trace import Fate, Trace
from relay_sandbox.stand_in.calls import Call

DEAD: Final = frozenset({Fate.REJECTED, Fate.REFUSED, Fate.DEAD_LETTER})
"""What became of an event of which there is a dead letter."""


@dataclass(slots=True)
class Index:
    """The traces by all that tells one from others."""

    by_message: dict[str, Trace] = field(default_factory=dict)
    by_id: dict[Lookup, list[Trace]] = field(default_factory=dict)
    letters: dict[str, tuple[QueueName, Trace]] = field(default_factory=dict)
    """Those of which there is a dead letter, by its message id, with its queue."""
    with_functions: dict[str, Trace] = field(default_factory=dict)
    """Those that a function has at this moment, by their keys."""

    def bind(self, trace: Trace, message_id: str) -> None:
        """A message with this id is about it from now on."""
        trace.message_id = message_id
        trace.message_ids.append(message_id)
        self.by_message[message_id] = trace

    def index(self, trace: Trace, lookup: Lookup | None) -> None:
        """It is known by this from now on, if it is not known by anything yet."""
        if lookup is not None and trace.lookup is None:
            trace.lookup = lookup
            self.by_id.setdefault(lookup, []).append(trace)

    def in_hand(self, content: Content) -> Trace | None:
        """The event of a message that a function puts on a queue: one that it has."""
        lookup = lookup_of(content) if content else None
        known = [*self.by_id.get(lookup, ())] if lookup else []
        if isinstance(content, Envelope) and content.event_id in self.by_message:
            known.append(self.by_message[content.event_id or ""])
        in_hand = [one for one in known if one.key in self.with_functions and one.attempt]
        untouched = [one for one in in_hand if one.attempt and not one.attempt.is_done]
        return next(iter(untouched or in_hand), None)

    def newest(self, content: Content) -> Trace | None:
        """The newest event with the id of a message."""
        known = self.by_id.get(lookup_of(content) or ("", "", ""), []) if content else []
        return known[-1] if known else None

    def forget(self, trace: Trace) -> None:
        """Forget all that leads to it."""
        for message_id in trace.message_ids:
            self.by_message.pop(message_id, None)
            self.letters.pop(message_id, None)
        self.with_functions.pop(trace.key, None)
        if trace.lookup is not None:
            kept = [one for one in self.by_id.get(trace.lookup, ()) if one is not trace]
            if kept:
                self.by_id[trace.lookup] = kept
            else:
                self.by_id.pop(trace.lookup, None)

    def webhook_of(self, envelope: Envelope) -> Trace | None:
        """The webhook that an event was made of: one of its source that the function has now.

        That which holds the movement's id, if there is one.
        """
        source = envelope.source or ""
        movement = (envelope.event_id or "").removeprefix(f"{source}:")
        candidates = [
            trace
            for trace in self.with_functions.values()
            if trace.kind == "webhook" and trace.app_id == source
        ]
        return min(candidates, key=lambda one: (movement not in one.ids, one.causes), default=None)

    def letter_of(self, content: Content) -> Trace | None:
        """The dead letter that this message brings back: only those carry when they came in."""
        if content is None or content.first_seen is None:
            return None
        letters = {trace.key for _, trace in self.letters.values()}
        known = self.by_id.get(lookup_of(content) or ("", "", ""), [])
        if not known and isinstance(content, Envelope) and content.event_id in self.by_message:
            known = [self.by_message[content.event_id]]
        return next((one for one in known if one.key in letters and one.outcome in DEAD), None)

    def trace_of_call(self, call: Call) -> Trace | None:
        """The event of a request: of those that functions have, the one that is most like it."""
        app_id, kind, payload = shown(call.app_id), call.kind.value, call.payload or {}
        candidates = [
            trace
            for trace in self.with_functions.values()
            if trace.kind == kind and trace.app_id == app_id
            and trace.attempt and not (trace.attempt.answered or trace.attempt.requeued)
        ]  # fmt: skip
        if call.dedup_id is not None:
            own = [one for one in candidates if dedup_id_of(one) == shown_id(call.dedup_id)]
            candidates = own or candidates
        candidates = [one for one in candidates if one.name == call.event_name] or candidates
        if len(candidates) < 2:  # noqa: PLR2004 - nothing to choose from
            return candidates[0] if candidates else None
        # Of those alike the one that has not been sent: `max` takes the first of them.
        return max(
            candidates,
            key=lambda one: (likeness(one, payload), -(one.attempt.began if one.attempt else 0)),
        )

    def find(self, journal: Journal, event_id: str) -> list[Trace]:
        """The traces of an event id, the oldest first: also of an `Idempotency-Key`."""
        kept = shown_id(event_id)
        return [
            trace
            for trace in journal
            if trace.event_id is not None
            and (
                trace.event_id in {event_id, kept}
                or (trace.source == "http" and trace.event_id.endswith(f":{event_id}"))
            )
        ]
