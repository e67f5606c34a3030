"""Web events and web visits: AppsFlyer's rules W1 to W13, one function a field, and the payload."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from relay import instants
from relay.domain.findings import Findings
from relay.rules.fields import (
    is_absent,
    optional_text,
    reject_unknown,
    warn_of_clear_email,
    warn_of_clear_email_in_url,
)
from relay.rules.hashing import HASHED_FIELDS, PRODUCER_ONLY_FIELDS, hash_identity
from relay.rules.money import check_currency, is_finite_number
from relay.rules.payload import CheckedEvent, Content, write

LONGEST_NAME: Final = 64  # W1, W2
LONGEST_URL: Final = 4096  # W6
LONGEST_IP: Final = 46  # W8
LONGEST_USER_AGENT: Final = 1024  # W9
FORBIDDEN_IN_NAME: Final = frozenset("@=+-")  # W2
_NO_URL_CHARACTER: Final = re.compile(r"[\s\x00-\x1f\x7f]")


class _CheckContext:
    """State shared by the checks of one web event or visit."""

    __slots__ = ("event", "event_time", "findings", "is_visit")

    def __init__(self, event: Mapping[str, Any], findings: Findings, *, is_visit: bool) -> None:
        self.event = event
        self.findings = findings
        self.is_visit = is_visit
        self.event_time: datetime | None = None


def build(
    event: Mapping[str, Any],
    region: str | None,
    event_id: str | None,
    findings: Findings,
    *,
    is_visit: bool,
) -> CheckedEvent:
    """Checks every field of a web event or visit and writes the body that AppsFlyer would get.

    `event_id` fills an absent `customer_dedup_id`, so that a resend is not counted twice (W11).
    """
    context = _CheckContext(event, findings, is_visit=is_visit)
    body: dict[str, Any] = {}
    for field, check in CHECKS:
        value = check(event.get(field), field, context)
        if value is not None:
            body[field] = value
    if event_id:
        body.setdefault("customer_dedup_id", event_id)  # W11
    hashes = hash_identity(event, region, findings)
    body.update(hashes)
    if not event.keys() <= KNOWN_FIELDS:
        unknown = [name for name in event if name not in KNOWN_FIELDS and event[name] is not None]
        reject_unknown("W13", unknown, KNOWN_FIELDS, findings)
    user = body.get("user_id", {})
    content = Content(
        body.get("event_url" if is_visit else "event_name"),
        body.get("event_revenue"),
        body.get("event_revenue_currency"),
        user.get("appsflyer_id"),
        user.get("customer_user_id"),
        hashes.get("email_hashed"),
        context.event_time,
    )
    return CheckedEvent(write(body, _RULES, findings), hashes, "event_revenue" in body, content)


def _user_id(value: object, field: str, context: _CheckContext) -> dict[str, str] | None:
    """W1, H9."""
    if not isinstance(value, dict):
        context.findings.reject("W1", field, f"must be an object with at least one of {_USER_IDS}")
        return None
    for key in value:
        if key not in USER_ID_LENGTHS:
            context.findings.reject("W1", field, f"may hold nothing but {_USER_IDS}")
            break
    user = {
        key: text
        for key, longest in USER_ID_LENGTHS.items()
        if (text := optional_text(value.get(key), "W1", f"{field}.{key}", context.findings,
                                  longest=longest)) is not None
    }  # fmt: skip
    if all(is_absent(value.get(key)) for key in USER_ID_LENGTHS):
        context.findings.reject("W1", field, f"needs at least one of {_USER_IDS}")
    warn_of_clear_email(f"{field}.customer_user_id", user.get("customer_user_id"), context.findings)
    return user


def _event_name(value: object, field: str, context: _CheckContext) -> str | None:
    """W2."""
    if context.is_visit:
        _not_on_a_visit(value, "W2", field, context)
        return None
    if is_absent(value):
        context.findings.reject("W2", field, "is missing: send a name, like af_purchase")
        return None
    name = optional_text(value, "W2", field, context.findings, longest=LONGEST_NAME)
    if name is not None and not FORBIDDEN_IN_NAME.isdisjoint(name):
        context.findings.reject("W2", field, "must not hold any of @ = + -")
    return name


def _event_revenue(value: object, field: str, context: _CheckContext) -> object:
    """W3, and W4 if the currency is missing."""
    if context.is_visit:
        _not_on_a_visit(value, "W3", field, context)
        return None
    if value is None:
        return None
    if not is_finite_number(value):
        context.findings.reject("W3", field, "must be a JSON number, like 49.99 or -49.99")
        return None
    if is_absent(context.event.get("event_revenue_currency")):
        context.findings.warn(
            "W4", "event_revenue_currency", "is missing for an event with revenue: AppsFlyer "
            "assumes the app's default currency",
        )  # fmt: skip
    return Decimal(repr(value)) if isinstance(value, float) else value


def _event_revenue_currency(value: object, field: str, context: _CheckContext) -> str | None:
    """W4."""
    if context.is_visit:
        _not_on_a_visit(value, "W4", field, context)
        return None
    return check_currency(value, "W4", field, context.findings)


def _not_on_a_visit(value: object, rule: str, field: str, context: _CheckContext) -> None:
    """W2, W3, W4 on a visit."""
    if value is not None:
        context.findings.reject(
            rule, field, "is not allowed on a visit: send it as a web event instead"
        )


def _event_value(value: object, field: str, context: _CheckContext) -> dict[str, Any] | None:
    """W5, H9. Not stringified here."""
    if value is None:
        return None
    if not isinstance(value, dict):
        context.findings.reject("W5", field, "must be an object (not a string, unlike on mobile)")
        return None
    custom = value.get("custom_parameters")
    if custom is None:  # null means absent
        value = {key: item for key, item in value.items() if key != "custom_parameters"}
    elif not isinstance(custom, dict):
        context.findings.reject("W5", f"{field}.custom_parameters", "must be an object")
    warn_of_clear_email(field, value, context.findings)
    return value


def _event_url(value: object, field: str, context: _CheckContext) -> str | None:
    """W6, H9."""
    if is_absent(value):
        if context.is_visit:
            context.findings.reject("W6", field, "is missing: a visit needs the URL of the page")
        return None
    url = optional_text(value, "W6", field, context.findings, longest=LONGEST_URL)
    if url is None:
        return None
    if not _is_http_url(url):
        context.findings.reject(
            "W6", field, "must be a whole http or https URL, like https://www.example.com/page"
        )
        return None
    warn_of_clear_email_in_url(field, url, context.findings)
    return url


def _is_http_url(url: str) -> bool:
    if _NO_URL_CHARACTER.search(url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a port number
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _timestamp(value: object, field: str, context: _CheckContext) -> int | None:
    """W7."""
    if value is None:
        return None
    instant = _web_time(value)
    if instant is None or not instants.is_plausible_web_time(instant):
        context.findings.reject(
            "W7", field, "must be Unix milliseconds (UTC) as an integer, not before 2001; ISO 8601 "
            "with an offset and ten-digit seconds are repaired",
        )  # fmt: skip
        return None
    milliseconds = instants.to_milliseconds(instant)
    if value != milliseconds:
        context.findings.repair("W7", field, "not in Unix milliseconds; sent as those")
    context.event_time = instant
    return milliseconds


def _web_time(value: object) -> datetime | None:
    if isinstance(value, str):
        return instants.parse_iso(value, needs_offset=True)
    return instants.from_epoch(value) if isinstance(value, int) else None


def _ip(value: object, field: str, context: _CheckContext) -> str | None:
    """W8."""
    text = optional_text(value, "W8", field, context.findings, longest=LONGEST_IP)
    if text is None:
        return None
    try:
        ip_address(text)
    except ValueError:
        context.findings.reject("W8", field, "must be an IPv4 or IPv6 address")
        return None
    return text


def _user_agent(value: object, field: str, context: _CheckContext) -> str | None:
    """W9."""
    return optional_text(value, "W9", field, context.findings, longest=LONGEST_USER_AGENT)


def _http_referrer(value: object, field: str, context: _CheckContext) -> str | None:
    """W10, H9."""
    referrer = optional_text(value, "W10", field, context.findings)
    if referrer is not None:
        warn_of_clear_email_in_url(field, referrer, context.findings)
    return referrer


def _customer_dedup_id(value: object, field: str, context: _CheckContext) -> str | None:
    """W11."""
    return optional_text(value, "W11", field, context.findings)


USER_ID_LENGTHS: Final[Mapping[str, int | None]] = {
    "appsflyer_id": None,
    "customer_user_id": LONGEST_NAME,
}
_USER_IDS: Final = "customer_user_id (1 to 64 characters) and appsflyer_id"

CHECKS: Final[tuple[tuple[str, Callable[[object, str, _CheckContext], Any]], ...]] = (
    ("user_id", _user_id),
    ("event_name", _event_name),
    ("event_revenue", _event_revenue),
    ("event_revenue_currency", _event_revenue_currency),
    ("event_value", _event_value),
    ("event_url", _event_url),
    ("timestamp", _timestamp),
    ("ip", _ip),
    ("user_agent", _user_agent),
    ("http_referrer", _http_referrer),
    ("customer_dedup_id", _customer_dedup_id),
)
"""Every field that is sent, in the order of the payload, with its check."""

KNOWN_FIELDS: Final = frozenset(
    [*(field for field, _ in CHECKS), *HASHED_FIELDS, *PRODUCER_ONLY_FIELDS]
)
"""Every field that a producer may send."""

_RULES: Final = {
    "user_id": "W1",
    "event_name": "W2",
    "event_value": "W5",
    "event_url": "W6",
    "user_agent": "W9",
    "http_referrer": "W10",
    "customer_dedup_id": "W11",
}
"""The rule of each field that can hold text without a JSON form."""
