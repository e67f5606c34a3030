"""One mobile event on its way to a payload, and what all its checks use."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from relay.findings import Findings

_IOS_ID: Final = re.compile(r"id\d+", re.ASCII)  # E9
_PACKAGE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")  # E9: a dotted package name


class Platform(StrEnum):
    """What a mobile app id says about its platform (E9)."""

    IOS = "iOS"
    ANDROID = "Android"
    WINDOWS = "Windows"


class Draft:
    """One event on its way to a payload."""

    __slots__ = ("event", "event_time", "findings", "has_revenue", "platform")

    def __init__(self, app_id: str, event: Mapping[str, Any], findings: Findings) -> None:
        self.event = event
        self.findings = findings
        self.platform = platform_of(app_id)
        self.event_time: datetime | None = None
        self.has_revenue = False


def platform_of(app_id: str) -> Platform:
    """E9: `id` and digits is iOS, a dotted package name Android, anything else Windows."""
    if _IOS_ID.fullmatch(app_id):
        return Platform.IOS
    return Platform.ANDROID if _PACKAGE.fullmatch(app_id) else Platform.WINDOWS


def warn_of_platform(platform: Platform, rule: str, field: str, draft: Draft) -> None:
    """M8, M9, M10: a field of one platform on an app of another."""
    if draft.platform is not platform:
        draft.findings.warn(
            rule, field, f"is for {platform} only, and the app id is one of {draft.platform}"
        )


class Whole(NamedTuple):
    """Whole numbers within bounds, as a field takes them."""

    lowest: int | None = None
    highest: int | None = None

    def takes(self, value: object) -> bool:
        """Whether a JSON value is one of them; true and false are no numbers."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        low, high = self
        return (low is None or value >= low) and (high is None or value <= high)
