"""Remarks about an event: which rule, how bad, which field, what to do. Never the value."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """What a finding means for the event."""

    REJECT = "reject"
    """AppsFlyer would refuse it, drop it or lose the money in it: never sent."""
    WARN = "warn"
    """It is recorded, but degraded: sent."""
    REPAIR = "repair"
    """There is one right form: that form is sent."""


class Finding(NamedTuple):
    """One remark about an event."""

    rule: str
    severity: Severity
    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The finding as it appears in answers, queues and reports."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "field": self.field,
            "message": self.message,
        }


class Findings:
    """Collects all findings of one event, so that the sender hears everything at once."""

    __slots__ = ("_items", "rejected")

    def __init__(self, items: Iterable[Finding] = ()) -> None:
        self._items = list(items)
        self.rejected = any(item.severity is Severity.REJECT for item in self._items)

    def reject(self, rule: str, field: str, message: str) -> None:
        """The event must not be sent."""
        self.rejected = True
        self._items.append(Finding(rule, Severity.REJECT, field, message))

    def warn(self, rule: str, field: str, message: str) -> None:
        """The event is sent; AppsFlyer will record less than the sender may expect."""
        self._items.append(Finding(rule, Severity.WARN, field, message))

    def repair(self, rule: str, field: str, message: str) -> None:
        """The event is sent in its one right form."""
        self._items.append(Finding(rule, Severity.REPAIR, field, message))

    def as_tuple(self) -> tuple[Finding, ...]:
        """Everything found, in the order it was found."""
        return tuple(self._items)
