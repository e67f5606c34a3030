"""Shared by the checks of mobile fields: the event being checked, platforms, ranges."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from relay.domain.findings import Findings
from relay.domain.kinds import Platform, platform_of
from relay.rules.money import MoneyRead


class CheckContext:
    """State shared by the checks of one mobile event."""

    __slots__ = ("body", "event_time", "fields", "findings", "money", "platform")

    def __init__(self, app_id: str, fields: Mapping[str, Any], findings: Findings) -> None:
        self.fields = fields
        """The event's fields under their own names, as they came."""
        self.findings = findings
        self.platform = platform_of(app_id)
        self.body: dict[str, Any] = {}
        """What is sent, as far as the fields have been checked."""
        self.event_time: datetime | None = None
        self.money = MoneyRead()

    def leave_out(self, rule: str, field: str, fault: str) -> None:
        """G3: an optional value that is none of its form."""
        self.findings.warn(rule, field, f"{fault}: left out")


def warn_of_platform(rule: str, field: str, context: CheckContext, *platforms: Platform) -> None:
    """M8, M9, M10: a field of some platforms, sent for an app of another."""
    if context.platform not in platforms:
        context.findings.warn(
            rule, field, f"is for {' and '.join(platforms)} only, and the app id is one of "
            f"{context.platform}",
        )  # fmt: skip


class IntRange(NamedTuple):
    """The whole numbers that a field accepts; both bounds are inclusive."""

    lowest: int | None = None
    highest: int | None = None

    def takes(self, value: object) -> bool:
        """Whether a JSON value is in the range; true and false are not numbers."""
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _TOO_LONG:
            return False
        low, high = self
        return (low is None or value >= low) and (high is None or value <= high)


_TOO_LONG = 10**399
"""Section 0: numbers of more than 400 characters are never written out."""
