"""Shared by the checks of mobile fields: the event being checked, platforms, ranges."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from relay.domain.findings import Findings
from relay.domain.kinds import Platform, platform_of


class CheckContext:
    """State shared by the checks of one mobile event."""

    __slots__ = ("event", "event_time", "findings", "has_revenue", "platform", "revenue")

    def __init__(self, app_id: str, event: Mapping[str, Any], findings: Findings) -> None:
        self.event = event
        self.findings = findings
        self.platform = platform_of(app_id)
        self.event_time: datetime | None = None
        self.has_revenue = False
        self.revenue: object = None


def warn_of_platform(platform: Platform, rule: str, field: str, context: CheckContext) -> None:
    """M8, M9, M10: a field of one platform, sent for an app of another."""
    if context.platform is not platform:
        context.findings.warn(
            rule, field, f"is for {platform} only, and the app id is one of {context.platform}"
        )


class IntRange(NamedTuple):
    """The whole numbers that a field accepts; both bounds are inclusive."""

    lowest: int | None = None
    highest: int | None = None

    def takes(self, value: object) -> bool:
        """Whether a JSON value is in the range; true and false are not numbers."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        low, high = self
        return (low is None or value >= low) and (high is None or value <= high)
