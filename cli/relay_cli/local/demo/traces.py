"""One event of a sample: what was sent, and how it ended. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from relay.domain.kinds import Kind
from relay.domain.outcomes import Outcome
from relay.instants import parse_iso
from relay_cli.samples import Expected, Sample

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
    request_id: str | None = None
    """Of the request to the HTTP API that brought it."""
    place: int = 0
    """Its place among the events of that request that were queued."""
    status: int | None = None
    key: str | None = None
    """Of the event in the sandbox's journal, once it is there."""
    result: TraceResult | None = None

    @property
    def event_id(self) -> str | None:
        """The id it came with."""
        return self.submitted.event_id if self.submitted else None

    @property
    def expects_to_wait(self) -> bool:
        """Whether its file says that it waits."""
        return self.expected is not None and Outcome(self.expected.outcome).waits

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
        return expected if ended == WAITING and self.expects_to_wait else ended


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value or "none")


def result_of(row: Mapping[str, Any]) -> TraceResult:
    """How the event of a row of the journal has ended, or that it waits."""
    findings = _short(row["findings"])
    recorded = row["recorded"]
    if row["ended"] is None:
        # What is found in an event is told when it has ended.
        return TraceResult(WAITING, str(row["reason"] or ""))
    if row["outcome"] == Outcome.DELIVERED and recorded is None:
        return TraceResult(NOT_RECORDED, findings=findings)
    if recorded is None:
        return TraceResult(str(row["outcome"]), str(row["reason"] or ""), findings=findings)
    return TraceResult(
        str(row["outcome"]),
        time=parse_iso(recorded["time"], needs_offset=True),
        recorded=recorded["source"],
        rule=recorded["rule"],
        findings=findings,
    )


def _short(findings: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Findings in the form of the samples."""
    return tuple(f"{one['severity']} {one['rule']}" for one in findings)
