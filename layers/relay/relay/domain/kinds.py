"""Kinds of events, AppsFlyer's two surfaces, its endpoints, and apps with their platforms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from relay import instants

_IOS_ID: Final = re.compile(r"id\d+", re.ASCII)  # E9
_PACKAGE: Final = re.compile(  # E9: a dotted package name, with or without a store's channel
    r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)+(?:-[A-Za-z0-9_-]+)?"
)


class Kind(StrEnum):
    """The kinds of events; each has its own endpoint (E1)."""

    MOBILE_EVENT = "mobile_event"
    WEB_EVENT = "web_event"
    WEB_VISIT = "web_visit"


class Surface(StrEnum):
    """AppsFlyer's two APIs. Each has its own queues, apps and tokens."""

    MOBILE = "mobile"
    WEB = "web"

    @classmethod
    def of(cls, kind: Kind) -> "Surface":
        """The surface that takes a kind of event."""
        return cls.MOBILE if kind is Kind.MOBILE_EVENT else cls.WEB


class Endpoint(NamedTuple):
    """Where a kind of event is sent: AppsFlyer's base URL, and the path before the app id (E1)."""

    base_url: str
    path: str


ENDPOINTS: Final[Mapping[Kind, Endpoint]] = {
    Kind.MOBILE_EVENT: Endpoint("https://api3.appsflyer.com", "/inappevent/"),
    Kind.WEB_EVENT: Endpoint("https://events.appsflyer.com", "/v2.0/s2s/inapps/app/web/"),
    Kind.WEB_VISIT: Endpoint("https://events.appsflyer.com", "/v2.0/s2s/visits/app/web/"),
}


@dataclass(frozen=True, slots=True)
class App:
    """An AppsFlyer app, as its owner configured it.

    `time_zone` is the app's zone in AppsFlyer (tz database name), `phone_region` the two-letter
    region of phone numbers without a country code. Raises `ValueError` for an unknown zone.
    """

    id: str
    time_zone: str = "UTC"
    phone_region: str | None = None

    def __post_init__(self) -> None:
        """Checks the zone now, so that no later use of it can fail."""
        instants.time_zone(self.time_zone)


class Platform(StrEnum):
    """The platform of a mobile app, according to its id (E9)."""

    IOS = "iOS"
    ANDROID = "Android"
    WINDOWS = "Windows"


@lru_cache(maxsize=256)  # an account has few apps
def platform_of(app_id: str) -> Platform:
    """E9: `id` and digits is iOS, a dotted package name Android, anything else Windows.

    >>> platform_of("com.example.shop-xyzstore")
    <Platform.ANDROID: 'Android'>
    """
    if _IOS_ID.fullmatch(app_id):
        return Platform.IOS
    return Platform.ANDROID if _PACKAGE.fullmatch(app_id) else Platform.WINDOWS
