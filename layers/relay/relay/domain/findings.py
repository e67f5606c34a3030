"""Remarks about an event: rule, severity, field, and what to do. Never the value."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """What a finding means for the event."""

    REJECT = "reject"
    """Never sent: AppsFlyer would refuse it, drop it or lose its money."""
    WARN = "warn"
    """Sent: AppsFlyer records it, but degraded."""
    REPAIR = "repair"
    """Sent in its one correct form."""


class Finding(NamedTuple):
    """One remark about an event."""

    rule: str
    severity: Severity
    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The finding as it appears in responses, queues and reports."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "field": self.field,
            "message": self.message,
        }


class Findings:
    """Collects all findings of one event, so that the sender gets all of them at once."""

    __slots__ = ("_items", "rejected")

    def __init__(self, items: Iterable[Finding] = ()) -> None:
        self._items = list(items)
        self.rejected = any(item.severity is Severity.REJECT for item in self._items)

    def add(self, finding: Finding) -> None:
        """One that is made already."""
        self.rejected = self.rejected or finding.severity is Severity.REJECT
        self._items.append(finding)

    def reject(self, rule: str, field: str, message: str) -> None:
        """The event must not be sent."""
        self.rejected = True
        self._items.append(Finding(rule, Severity.REJECT, field, message))

    def warn(self, rule: str, field: str, message: str) -> None:
        """The event is sent; AppsFlyer will record less than the sender may expect."""
        self._items.append(Finding(rule, Severity.WARN, field, message))

    def repair(self, rule: str, field: str, message: str) -> None:
        """The event is sent in its one correct form."""
        self._items.append(Finding(rule, Severity.REPAIR, field, message))

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._items)

    def as_tuple(self) -> tuple[Finding, ...]:
        """All findings, in the order in which they were added.

        Those of a rejected event without the repairs: nothing of it is sent, repaired or not.
        """
        if self.rejected:
            return tuple(item for item in self._items if item.severity is not Severity.REPAIR)
        return tuple(self._items)
