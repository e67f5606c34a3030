"""Follows one event: what was sent, and how it ended. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from relay.domain.findings import Finding
from relay.domain.kinds import App, Kind
from relay.domain.outcomes import Outcome
from relay.exact_json import loads
from relay.instants import parse_iso
from relay.messages.arrival import prepare_arrival
from relay.messages.envelope import money_without_id
from relay.rules.prepare import Prepared
from relay.rules.times import read_time
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.samples import Expected, Sample

_TIME_FIELDS: Final = ("eventTime", "timestamp")
WAITING: Final = "waiting"
"""Neither recorded nor a dead letter when the demo stopped watching."""
NOT_RECORDED: Final = "not recorded"
"""AppsFlyer accepted it, but recorded nothing."""


@dataclass(frozen=True, slots=True)
class SubmittedEvent:
    """An event as it was sent."""

    kind: Kind
    app_id: str
    event: Any
    event_id: str | None
    """The id that its sender or `accept` gave it."""
    found: tuple[Finding, ...] = ()
    """What there is to say of its envelope."""

    def prepare(self, arrival: datetime, event_id: str | None) -> Prepared:
        """The event as a forwarder prepares it; `arrival` is also its time stamp."""
        app = App(self.app_id)
        return prepare_arrival(self.kind, app, self.event, arrival, arrival, event_id)


@dataclass(frozen=True, slots=True)
class TraceResult:
    """How an event ended."""

    outcome: str
    detail: str = ""
    time: datetime | None = None
    recorded: str | None = None
    rule: str | None = None
    findings: tuple[str, ...] = ()


@dataclass(slots=True)
class Trace:
    """One event of a sample from sending to its end, or a request without an event."""

    sample: Sample
    number: int
    expected: Expected | None
    """None for a request without an event: only its status is compared."""
    submitted: SubmittedEvent | None = None
    message_id: str | None = None
    status: int | None = None
    entry_findings: tuple[str, ...] | None = None
    """The findings in the response of `accept`."""
    result: TraceResult | None = None
    failures: list[str] = field(default_factory=list)
    """Why AppsFlyer did not record it, for each attempt."""

    @property
    def event_id(self) -> str | None:
        """Its id in the queues: the one it came with, or that of the first message."""
        return (self.submitted.event_id if self.submitted else None) or self.message_id

    @property
    def as_expected(self) -> bool:
        """Whether it ended as its file says."""
        return not self.differences()

    def differences(self) -> list[str]:
        """How its result differs from the expected one."""
        found = []
        if self.sample.status is not None and self.status != self.sample.status:
            found.append(f"status {self.status}, expected {self.sample.status}")
        if self.expected is None:
            return found
        if self.result is None:
            return [*found, f"nothing became of it, expected {self.expected.outcome}"]
        pairs = (
            ("outcome", self._outcome(), self.expected.outcome),
            ("recorded", self.result.recorded, self.expected.recorded),
            ("rule", self.result.rule, self.expected.rule),
            ("findings", sorted(self.result.findings), sorted(self.expected.findings)),
        )
        return found + [
            f"{name} {_shown(actual)}, expected {_shown(expected)}"
            for name, actual, expected in pairs
            if actual != expected
        ]

    def _outcome(self) -> str:
        ended = self.result.outcome if self.result else ""
        expected = self.expected.outcome if self.expected else ""
        waits = ended == WAITING and expected and Outcome(expected).waits
        return expected if waits else ended


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value or "none")


def short_findings(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Findings in the form of the samples."""
    return tuple(f"{finding.severity.value} {finding.rule}" for finding in findings)


# The stand-in's ledger


def match_ledger(traces: Sequence[Trace], entries: Sequence[Mapping[str, Any]]) -> None:
    """Ends the traces of recorded events; each request in the ledger counts once."""
    used: set[int] = set()
    for trace in traces:
        if trace.result is not None or trace.submitted is None:
            continue
        matching = [
            entry for entry in entries if matches(trace, entry) and entry["sequence"] not in used
        ]
        trace.failures = [str(entry["why"]) for entry in matching if not entry["recorded"]]
        for entry in matching:
            if entry["recorded"]:
                used.add(entry["sequence"])
                trace.result = _delivered(trace, trace.submitted, entry)
                break


def matches(trace: Trace, entry: Mapping[str, Any]) -> bool:
    """Whether a request in the ledger carried this event.

    A web event carries its id. A mobile event has none (S6), so its whole payload must be equal,
    except for the time if the event was stamped on its way.
    """
    submitted = trace.submitted
    if submitted is None or (submitted.kind, submitted.app_id) != (entry["kind"], entry["app_id"]):
        return False
    if not isinstance(submitted.event, dict):
        return False
    if submitted.kind is not Kind.MOBILE_EVENT and trace.event_id is not None:
        own = submitted.event.get("customer_dedup_id") or trace.event_id
        return bool(entry["customer_dedup_id"] == own)
    prepared = submitted.prepare(_arrival(entry), None)
    if prepared.body is None:
        return False
    stamped = {name for name in _TIME_FIELDS if read_time(submitted.event.get(name)) is None}
    left_out = {*stamped, "customer_dedup_id"}
    payload = loads(prepared.body)
    return bool(_without(payload, left_out) == _without(entry["payload"], left_out))


def _without(payload: Any, names: set[str]) -> Any:
    if not isinstance(payload, dict):
        return payload
    return {name: value for name, value in payload.items() if name not in names}


def _arrival(entry: Mapping[str, Any]) -> datetime:
    arrived = parse_iso(entry["arrived"], needs_offset=True)
    if arrived is None:  # never: the stand-in writes this form
        raise ValueError(entry["arrived"])
    return arrived


def _delivered(trace: Trace, submitted: SubmittedEvent, entry: Mapping[str, Any]) -> TraceResult:
    return TraceResult(
        Outcome.DELIVERED,
        time=parse_iso(entry["recorded_time"] or "", needs_offset=True),
        recorded=entry["recorded_source"],
        rule=entry["recorded_rule"],
        findings=trace.entry_findings or _findings(trace, submitted, _arrival(entry)),
    )


def _findings(trace: Trace, submitted: SubmittedEvent, arrival: datetime) -> tuple[str, ...]:
    """The forwarder's findings. They are stored nowhere, so the rules are applied again."""
    prepared = submitted.prepare(arrival, trace.event_id)
    money = prepared.has_revenue and submitted.event_id is None
    warned = (money_without_id(),) if money else ()
    return short_findings((*submitted.found, *prepared.findings, *warned))


# The dead-letter queues


def match_dead_letter(traces: Sequence[Trace], dead_letter: DeadLetter) -> None:
    """Ends the trace of a dead letter's event."""
    for trace in traces:
        if trace.result is None and _is_dead_letter_of(trace, dead_letter):
            findings = dead_letter.fields.get("findings") or ()
            trace.result = TraceResult(
                str(dead_letter.fields.get("outcome") or dead_letter.reason),
                detail=dead_letter.reason,
                findings=tuple(f"{one['severity']} {one['rule']}" for one in findings),
            )
            return


def _is_dead_letter_of(trace: Trace, dead_letter: DeadLetter) -> bool:
    if dead_letter.envelope is None:
        id_ = dead_letter.fields.get("message_id", dead_letter.message_id)
        return trace.message_id is not None and trace.message_id == id_
    if trace.event_id is not None:
        return trace.event_id == dead_letter.event_id
    submitted, envelope = trace.submitted, dead_letter.envelope
    if submitted is None or (submitted.app_id, submitted.kind) != (envelope.app_id, envelope.kind):
        return False
    prepared = submitted.prepare(dead_letter.sent_at, None).event
    time_fields = set(_TIME_FIELDS)
    return bool(_without(prepared, time_fields) == _without(envelope.event, time_fields))
