"""One checked event of an HTTP request, and how the response describes it. Pure.

The shapes of the responses are types: mypy checks the code against them, and the OpenAPI document
is made from them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NotRequired, TypedDict

from relay.domain.findings import Finding
from relay.gateway.request import ProblemContent
from relay.instants import Recorded, iso_form
from relay.rules.prepare import Prepared

Status = Literal["queued", "rejected", "not_queued", "too_large"]
FindingsContent = Annotated[list[dict[str, str]], Finding]


class RecordedContent(TypedDict):
    """The time that AppsFlyer records if the event arrives now."""

    time: Annotated[str, "ISO 8601, UTC"]
    source: Annotated[Literal["event", "arrival"], "The event's own time, or that of its arrival"]
    rule: Annotated[str, "The rule that says so"]


class _FoundContent(TypedDict):
    event_id: Annotated[
        str,
        "Of `Idempotency-Key`: `@producer:key`, in an array `@producer/array:key:0`, "
        "`@producer/array:key:1` ... Without a key, a fresh one stands in its place",
    ]
    findings: Annotated[FindingsContent, "All that there is to say about it"]
    recorded: NotRequired[Annotated[RecordedContent, "Absent where it is rejected"]]
    deadline: NotRequired[
        Annotated[str, "ISO 8601, UTC: until when AppsFlyer keeps the event's own time"]
    ]


class EntryContent(_FoundContent):
    """What became of one event."""

    index: Annotated[int, "Its place in the array; 0 for a single event"]
    status: Annotated[
        Status,
        "`queued`: will be sent. `rejected`: breaks a rule, see its findings. `not_queued`: the "
        "queue did not take it in time, send it again. `too_large`: no queue can take it",
    ]


class _SentContent(TypedDict, total=False):
    url: Annotated[str, "Where it would be sent to; absent where it is rejected"]
    body: Annotated[str, "What would be sent, to the byte; absent where it is rejected"]


class PreviewContent(_FoundContent, _SentContent):
    """What would be sent for one event."""

    index: Annotated[int, "Its place in the array; 0 for a single event"]
    status: Annotated[Literal["send", "reject"], "Whether it would be sent"]


class QueuedContent(TypedDict):
    """What became of each event of a request."""

    queued: Annotated[int, "How many will be sent"]
    events: Annotated[
        list[EntryContent], "One for each event, in their order; none for a `null` in an array"
    ]


class PreviewsContent(TypedDict):
    """What would be sent for each event of a request."""

    events: Annotated[list[PreviewContent], "One for each event, in their order"]


class NoneValidContent(TypedDict, total=False):
    """What is wrong with the events of a request of which none is valid."""

    findings: Annotated[FindingsContent, "What is wrong with the first event"]
    events: Annotated[list[EntryContent], "What is wrong with each, where there are several"]


class InvalidContent(ProblemContent, NoneValidContent):
    """A request that was not met; where its events are the reason, with what is wrong with them."""


_BESIDE: Final = 150
"""Bytes of the names and marks around a finding, and around an event."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a request, checked."""

    index: int
    event_id: str
    digest: bytes
    """Of the event as its sender wrote it (`requests.digest_of`); empty without a key."""
    prepared: Prepared
    findings: tuple[Finding, ...]
    former_digest: str | None = None
    """`former_content_digest`, with a key: release 0.1 may have known the event."""

    @property
    def is_valid(self) -> bool:
        """Whether it may be sent: no finding rejects it."""
        return self.prepared.body is not None

    def longest_content(self, *, is_preview: bool) -> int:
        """How many bytes what is told of it may take in the response that Lambda passes on.

        That is JSON in JSON: a quotation mark of a body takes four bytes there, and eight where
        the body escapes it.
        """
        told = _BESIDE + sum(
            _BESIDE + 2 * len(json.dumps(one.field)) + len(one.message) * 5 // 4
            for one in self.findings
        )
        return told + (4 * len(self.prepared.body or b"") if is_preview else 0)

    def preview(self) -> PreviewContent:
        """What would be sent, to the byte, and the time that AppsFlyer would record."""
        index, status = self.index, self.prepared.verdict
        return {"index": index, "status": status, **self._shared_content(), **self._sent()}

    def describe(self, status: Status) -> EntryContent:
        """The entry as a response shows it."""
        return {"index": self.index, "status": status, **self._shared_content()}

    def _shared_content(self) -> _FoundContent:
        content: _FoundContent = {
            "event_id": self.event_id,
            "findings": [finding.as_dict() for finding in self.findings],
        }
        if self.prepared.recorded is not None:
            content["recorded"] = _recorded(self.prepared.recorded)
        if self.prepared.deadline is not None:
            content["deadline"] = iso_form(self.prepared.deadline)
        return content

    def _sent(self) -> _SentContent:
        if self.prepared.body is None:
            return {}
        return {"url": self.prepared.url, "body": self.prepared.body.decode()}


def _recorded(recorded: Recorded) -> RecordedContent:
    return {"time": iso_form(recorded.time), "source": recorded.source, "rule": recorded.rule}


def none_is_valid(entries: Sequence[Entry]) -> NoneValidContent:
    """The findings of a request without a valid event."""
    content: NoneValidContent = {"findings": [finding.as_dict() for finding in entries[0].findings]}
    if len(entries) > 1:
        content["events"] = [entry.describe("rejected") for entry in entries]
    return content
