"""Web events and web visits: AppsFlyer's rules W1 to W13, one function a field, and the payload."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeGuard

from relay.domain.findings import Findings
from relay.instants import to_milliseconds
from relay.rules import names
from relay.rules.addresses import (
    IPV4,
    is_not_a_users,
    is_not_a_users_ipv6,
    parse_ipv6,
)
from relay.rules.fields import warn_of_clear_email, warn_of_clear_email_in_url
from relay.rules.hashing import hash_identity
from relay.rules.leniency import FORMS, Reading, is_absent, read
from relay.rules.money import WEB_CURRENCIES, check_currency, is_plain_amount, is_web_amount
from relay.rules.names import Vocabulary
from relay.rules.payload import (
    CheckedEvent,
    Content,
    Field,
    FieldTable,
    check_fields,
    is_given,
    repair_of,
    warn_of_placeholder,
    warn_of_placeholders,
    write,
)
from relay.rules.times import read_time
from relay.rules.web_vocabulary import web_vocabulary

LONGEST_NAME: Final = 64  # W1, W2
LONGEST_URL: Final = 4096  # W6
LONGEST_IP: Final = 46  # W8
LONGEST_USER_AGENT: Final = 1024  # W9
FORBIDDEN_IN_NAME: Final = frozenset("@=+-")  # W2
_EARLIEST: Final = datetime(2001, 1, 1, tzinfo=UTC)  # W7
_URL: Final = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)")  # W6
_PORT: Final = re.compile(r":[0-9]*")
_NO_URL_CHARACTER: Final = re.compile(r"[\s\x00-\x1f\x7f]")


class _CheckContext:
    """State shared by the checks of one web event or visit."""

    __slots__ = ("event_time", "fields", "findings", "misplaced_ids", "unseen_amount")

    def __init__(
        self, fields: Mapping[str, Any], misplaced_ids: list[str], findings: Findings
    ) -> None:
        self.fields = fields
        """The event's fields under their own names, as they came."""
        self.misplaced_ids = misplaced_ids
        """Names of ids beside `user_id` (2.1, rule 4)."""
        self.findings = findings
        self.event_time: datetime | None = None
        self.unseen_amount: object = None
        """W3: the amount in the event value, where AppsFlyer does not see it."""

    def leave_out(self, rule: str, field: str, fault: str) -> None:
        """G3: an optional value that is none of its form."""
        self.findings.warn(rule, field, f"{fault}: left out")


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
    table, vocabulary = _VISIT if is_visit else _EVENT
    resolved = names.resolve(event, vocabulary, is_given)
    misplaced = [name for name in resolved.unknown if names.fold(name) in vocabulary.user_ids]
    context = _CheckContext(resolved.fields, misplaced, findings)
    if resolved.placeholders:
        warn_of_placeholders(table, resolved.placeholders, findings)
    body: dict[str, Any] = {}
    if is_visit:
        _reject_event_only_fields(resolved.fields, findings)
    check_fields(table, resolved.fields, context, body, findings)
    if event_id:
        body.setdefault("customer_dedup_id", event_id)  # W11
    hashes = hash_identity(resolved.fields, region, findings)
    body.update(hashes)
    if not is_visit:
        _check_money(body, context)
    if resolved.spellings or resolved.unknown:
        names.report(resolved, body, _given_by(resolved.fields, vocabulary), findings)
    payload = write(body, RULES, findings)
    user = body.get("user_id", {})
    revenue = body.get("event_revenue", context.unseen_amount)
    content = Content(
        body.get("event_url" if is_visit else "event_name"),
        revenue,
        body.get("event_revenue_currency"),
        user.get("appsflyer_id"),
        user.get("customer_user_id"),
        hashes.get("email_hashed"),
        context.event_time,
    )
    return CheckedEvent(payload, body, None, resolved, hashes, revenue is not None, content)


def _given_by(fields: Mapping[str, Any], vocabulary: Vocabulary) -> Callable[[str], bool]:
    """2.1: whether the event gives a field, or an id inside of `user_id`.

    A visit never gives a field that only events have.
    """
    user = fields.get("user_id")

    def is_given_now(field: str) -> bool:
        if field.startswith(_IN_USER):
            ids = user if isinstance(user, dict) else {}
            return is_given(field, ids.get(field.removeprefix(_IN_USER)))
        return field not in vocabulary.not_here and is_given(field, fields.get(field))

    return is_given_now


_IN_USER: Final = "user_id."


def _reject_event_only_fields(fields: Mapping[str, Any], findings: Findings) -> None:
    """W2, W3 and W4 on a visit."""
    for field, rule in EVENT_ONLY.items():
        if not is_absent(fields.get(field)):
            findings.reject(
                rule, field, "is not allowed on a visit: send it as a web event instead"
            )


def _check_money(body: Mapping[str, Any], context: _CheckContext) -> None:
    """W3 and W4: revenue where AppsFlyer does not see it, and revenue without a currency."""
    if "event_revenue" in body and not is_given(_CURRENCY, context.fields.get(_CURRENCY)):
        context.findings.warn(
            "W4", _CURRENCY, "is missing for an event with revenue: AppsFlyer assumes the app's "
            "default currency",
        )  # fmt: skip
    amount = body.get("event_value", {}).get("af_revenue")
    if amount is not None and context.fields.get("event_revenue") is None:
        context.findings.warn(
            "W3", "event_value.af_revenue", "is not seen as revenue by AppsFlyer: send it as "
            "event_revenue, a number, if it is the event's money",
        )  # fmt: skip
        context.unseen_amount = amount if is_plain_amount(amount) else None


_CURRENCY: Final = "event_revenue_currency"


def _user_id(value: object, field: str, context: _CheckContext) -> dict[str, str] | None:
    """W1, H9."""
    if not isinstance(value, dict):
        _no_user_id(field, context)
        return None
    ids = {key: read(value.get(key), FORMS[f"{field}.{key}"]) for key in USER_ID_LENGTHS}
    if _has_faulty_user(value, ids, field, context):
        return None
    user = {key: meant.value for key, meant in ids.items() if meant.value is not None}
    if not user:
        _no_user_id(field, context)
        return None
    for key, meant in ids.items():
        if meant.is_placeholder:
            warn_of_placeholder("W1", f"{field}.{key}", context.findings)
        elif meant.is_changed:
            repair_of("W1", f"{field}.{key}", value[key], context.findings)
    warn_of_clear_email(f"{field}.customer_user_id", user.get("customer_user_id"), context.findings)
    return user


def _has_faulty_user(
    user: Mapping[str, Any], ids: Mapping[str, Reading], field: str, context: _CheckContext
) -> bool:
    """Rejects another key in it, and a value that is no id, even beside a good one."""
    is_faulty = any(
        key not in USER_ID_LENGTHS and not is_absent(item) for key, item in user.items()
    )
    if is_faulty:
        context.findings.reject("W1", field, f"may hold nothing but {_USER_IDS}")
    for key, meant in ids.items():
        fault = None if meant.value is None else _fault_of_id(meant.value, USER_ID_LENGTHS[key])
        if fault:
            context.findings.reject("W1", f"{field}.{key}", fault)
            is_faulty = True
    return is_faulty


def _fault_of_id(value: object, longest: int | None) -> str | None:
    if not isinstance(value, str):
        return "is no id: it must be text, or a whole number"
    if longest is not None and len(value) > longest:
        return f"is longer than {longest} characters"
    return None


def _no_user_id(field: str, context: _CheckContext) -> None:
    beside = ""
    if context.misplaced_ids:
        named = " and ".join(sorted(map(names.showable, context.misplaced_ids)))
        beside = f"; move {named}, which the event holds beside it, into it"
    context.findings.reject(
        "W1", field, f"must be an object with at least one of {_USER_IDS}, and no placeholder"
        f"{beside}",
    )  # fmt: skip


def _event_name(value: object, field: str, context: _CheckContext) -> str | None:
    """W2."""
    if not isinstance(value, str):
        context.findings.reject("W2", field, "must be a string, like af_purchase")
    elif len(value) > LONGEST_NAME:
        context.findings.reject("W2", field, f"is longer than {LONGEST_NAME} characters")
    elif not FORBIDDEN_IN_NAME.isdisjoint(value):
        context.findings.reject("W2", field, "must not hold any of @ = + -")
    else:
        return value
    return None


def _no_event_name(field: str, context: _CheckContext) -> None:
    context.findings.reject("W2", field, "is missing: send a name, like af_purchase")


def _event_revenue(value: object, field: str, context: _CheckContext) -> object:
    """W3."""
    if not is_web_amount(value):
        context.findings.reject("W3", field, "must be a JSON number, like 49.99 or -49.99")
        return None
    return Decimal(repr(value)) if isinstance(value, float) else value


def _event_revenue_currency(value: object, field: str, context: _CheckContext) -> str | None:
    """W4."""
    return check_currency(value, "W4", field, context.findings, WEB_CURRENCIES)


def _event_value(value: object, field: str, context: _CheckContext) -> dict[str, Any] | None:
    """W5, H9. Not stringified here."""
    if value == []:
        return None
    if not isinstance(value, dict):
        context.findings.reject("W5", field, "must be an object (not a string, unlike on mobile)")
        return None
    custom = value.get("custom_parameters")
    if custom is not None and not isinstance(custom, dict):
        context.findings.reject("W5", f"{field}.custom_parameters", "must be an object")
        return None
    warn_of_clear_email(field, value, context.findings)
    return value


def _url_of_an_event(value: object, field: str, context: _CheckContext) -> str | None:
    """W6, H9."""
    if _is_http_url(value):
        warn_of_clear_email_in_url(field, value, context.findings)
        return value
    context.leave_out("W6", field, _NO_URL)
    return None


def _url_of_a_visit(value: object, field: str, context: _CheckContext) -> str | None:
    """W6, H9."""
    if _is_http_url(value):
        warn_of_clear_email_in_url(field, value, context.findings)
        return value
    context.findings.reject("W6", field, _NO_URL)
    return None


def _no_url_of_a_visit(field: str, context: _CheckContext) -> None:
    context.findings.reject("W6", field, "is missing: a visit needs the URL of the page")


_NO_URL: Final = (
    f"is no whole http or https URL of at most {LONGEST_URL:,} characters, like "
    "https://www.example.com/page"
)


def _is_http_url(url: object) -> TypeGuard[str]:
    if not isinstance(url, str) or len(url) > LONGEST_URL or _NO_URL_CHARACTER.search(url):
        return False
    start = _URL.match(url)
    if start is None:
        return False
    host = start[1].rpartition("@")[2]
    return bool(host) and not _PORT.fullmatch(host)


def _timestamp(value: object, field: str, context: _CheckContext) -> int | None:
    """W7."""
    read_as = read_time(value)
    if read_as is None or read_as.form == "naive" or read_as.instant < _EARLIEST:
        context.findings.reject(
            "W7", field, "must be Unix milliseconds (UTC) as an integer, not before 2001; ISO 8601 "
            "with an offset and ten-digit seconds are repaired",
        )  # fmt: skip
        return None
    if read_as.form not in ("milliseconds", "twelve_digits"):
        context.findings.repair("W7", field, "not in Unix milliseconds; sent as those")
    context.event_time = read_as.instant
    return to_milliseconds(read_as.instant)


def _ip(value: object, field: str, context: _CheckContext) -> str | None:
    """W8."""
    if isinstance(value, str) and IPV4.fullmatch(value):
        is_reserved = is_not_a_users(value)
    else:
        address = parse_ipv6(value)
        if address is None or not isinstance(value, str) or len(value) > LONGEST_IP:
            context.leave_out("W8", field, "is not one IPv4 or IPv6 address")
            return None
        is_reserved = is_not_a_users_ipv6(address)
    if is_reserved:
        context.leave_out("W8", field, "is a private or reserved address, and not the visitor's")
        return None
    return value


def _user_agent(value: object, field: str, context: _CheckContext) -> str | None:
    """W9."""
    if isinstance(value, str) and len(value) <= LONGEST_USER_AGENT:
        return value
    context.leave_out("W9", field, f"is no text of at most {LONGEST_USER_AGENT:,} characters")
    return None


def _http_referrer(value: object, field: str, context: _CheckContext) -> str | None:
    """W10, H9."""
    if not isinstance(value, str):
        context.leave_out("W10", field, "is no text")
        return None
    warn_of_clear_email_in_url(field, value, context.findings)
    return value


def _customer_dedup_id(value: object, field: str, context: _CheckContext) -> str | None:
    """W11."""
    if isinstance(value, str):
        return value
    context.leave_out("W11", field, "is no id: it must be text, or a whole number")
    return None


USER_ID_LENGTHS: Final[Mapping[str, int | None]] = {
    "appsflyer_id": None,
    "customer_user_id": LONGEST_NAME,
}
_USER_IDS: Final = "customer_user_id (1 to 64 characters) and appsflyer_id"

_BOTH: Final = (
    Field("timestamp", "W7", _timestamp),
    Field("ip", "W8", _ip),
    Field("user_agent", "W9", _user_agent),
    Field("http_referrer", "W10", _http_referrer),
    Field("customer_dedup_id", "W11", _customer_dedup_id),
)
EVENT_FIELDS: Final = FieldTable[_CheckContext](
    Field("user_id", "W1", _user_id, _no_user_id, is_required=True),
    Field("event_name", "W2", _event_name, _no_event_name, is_required=True),
    Field("event_revenue", "W3", _event_revenue),
    Field("event_revenue_currency", "W4", _event_revenue_currency),
    Field("event_value", "W5", _event_value),
    Field("event_url", "W6", _url_of_an_event),
    *_BOTH,
)
VISIT_FIELDS: Final = FieldTable[_CheckContext](
    Field("user_id", "W1", _user_id, _no_user_id, is_required=True),
    Field("event_value", "W5", _event_value),
    Field("event_url", "W6", _url_of_a_visit, _no_url_of_a_visit, is_required=True),
    *_BOTH,
)

EVENT_ONLY: Final = {"event_name": "W2", "event_revenue": "W3", "event_revenue_currency": "W4"}
"""What a visit cannot have, and the rules that say so."""

EVENT_VOCABULARY: Final = web_vocabulary(row.name for row in EVENT_FIELDS.rows)
VISIT_VOCABULARY: Final = web_vocabulary((row.name for row in VISIT_FIELDS.rows), EVENT_ONLY)

_EVENT: Final = (EVENT_FIELDS, EVENT_VOCABULARY)
_VISIT: Final = (VISIT_FIELDS, VISIT_VOCABULARY)

KNOWN_FIELDS: Final = EVENT_VOCABULARY.known
"""Every field that a producer may send."""

RULES: Final = {row.name: row.rule for row in EVENT_FIELDS.rows}
