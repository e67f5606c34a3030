"""AppsFlyer's app ids: near misses of them, and ids of other APIs (E8)."""

import re
from functools import lru_cache
from typing import Final

from relay.domain.findings import Finding, Findings, Severity
from relay.domain.kinds import Surface
from relay.rules.leniency import ascii_lower, trim, without_edge_characters

_OTHER_PLATFORMS: Final = (
    "nativepc-", "steam-", "playstation-", "roku-", "epic-", "xbox-", "tizen-", "smartcast-",
    "webos-", "quest-", "vidaa-", "switch-", "battlenet-", "chatgpt-",
)  # fmt: skip
"""Prefixes of apps for PCs, consoles and television, which have an API of their own."""
_WEB: Final = "website-"

_IOS: Final = re.compile(r"id[0-9]+")
_NEARLY_IOS: Final = re.compile(r"(?:id)+[0-9]+")
_DIGITS: Final = re.compile(r"[0-9]+")
_DOTTED: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2,}")


def check_app_id(surface: Surface, app_id: str, findings: Findings) -> None:
    """E8: rejects what is surely no id of this surface, and warns of what looks like another's."""
    found = _found(surface is Surface.WEB, app_id)
    if found is not None:
        severity, message = found
        findings.add(Finding("E8", severity, "app_id", message))


@lru_cache(maxsize=256)  # an account has few apps
def _found(is_web: bool, app_id: str) -> tuple[Severity, str] | None:  # noqa: FBT001 - cached
    fault = _fault(app_id, is_web=is_web)
    if fault:
        return Severity.REJECT, fault
    is_dotted = is_web and _DOTTED.fullmatch(app_id) and not ascii_lower(app_id).startswith(_WEB)
    return (Severity.WARN, _LOOKS_DOTTED) if is_dotted else None


def _fault(app_id: str, *, is_web: bool) -> str | None:
    """What is wrong with an id: the first row of the table that fits."""
    lower = ascii_lower(app_id)
    if app_id != trim(app_id) or not app_id:
        return _AROUND
    if app_id in {".", ".."}:
        return _DOTS
    if _DIGITS.fullmatch(app_id):
        return _WEB_DIGITS if is_web else _MOBILE_DIGITS
    if _NEARLY_IOS.fullmatch(without_edge_characters(lower)) and not _IOS.fullmatch(app_id):
        return _NEAR_MISS
    if lower.startswith(_OTHER_PLATFORMS):
        return _OTHER_API
    if lower.startswith(_WEB) and not is_web:
        return _WEB_APP
    if _IOS.fullmatch(app_id) and is_web:
        return _MOBILE_APP
    return None


_AROUND: Final = (
    "is blank, or has white space or a character that is not seen around it: send the id alone, as "
    "the dashboard shows it"
)
_DOTS: Final = (
    "is no app id, and would change the address of the request: send the id as the dashboard shows "
    "it"
)
_MOBILE_DIGITS: Final = (
    "is digits alone: an iOS app id starts with id, like id123456789, and without it AppsFlyer "
    "answers OK and records nothing; a Roku, Steam, PlayStation, Switch or Quest app belongs to "
    "AppsFlyer's PC, console and CTV API, which this relay does not serve"
)
_WEB_DIGITS: Final = (
    "is digits alone, which no web app has: send its id from the dashboard, like "
    "website-www.example.com"
)
_NEAR_MISS: Final = (
    "is nearly an iOS app id: send id in lower case once, directly followed by the digits, like "
    "id123456789; of another form AppsFlyer records nothing"
)
_OTHER_API: Final = (
    "is of a PC, console or television app: these have an API of their own (AppsFlyer's PC, "
    "console and CTV API), which this relay does not serve"
)
_WEB_APP: Final = "is of a web app: send it as kind web_event or web_visit"
_MOBILE_APP: Final = "is of a mobile app: send it as kind mobile_event"
_LOOKS_DOTTED: Final = (
    "looks like a mobile app, or like a host without website- before it: compare it with the id in "
    "the dashboard, because AppsFlyer does not record what it cannot place"
)
