"""Mobile in-app events: AppsFlyer's rules M1 to M23, one function each, and the payload."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Any, Final, NamedTuple

from relay import instants
from relay.exact_json import InvalidJsonError, UnwritableError, dumps, loads
from relay.fields import (
    is_absent,
    optional_text,
    reject_unknown,
    reject_unwritable,
    warn_of_clear_email,
)
from relay.findings import Findings
from relay.hashing import HASHED_FIELDS, PRODUCER_ONLY_FIELDS, hash_identity
from relay.money import check_currency, is_plain_amount

MAX_BODY_BYTES: Final = 1024  # E5

_APPSFLYER_ID: Final = re.compile(r"\d+-\d+", re.ASCII)  # M1
_IOS_ID: Final = re.compile(r"id\d+", re.ASCII)  # E9
_PACKAGE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")  # E9: a dotted package name
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ZERO_UUID: Final = "00000000-0000-0000-0000-000000000000"
_IPV4: Final = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}", re.ASCII)
_VERSION: Final = re.compile(r"\D{0,16}(\d{1,4})(?:\.(\d{1,4}))?", re.ASCII)
_ATT_SINCE: Final = (14, 5)  # M11: iOS 14.5

_PARTNER_NAMES: Final = {"iossearchads_int": "Apple Search Ads", "twitter_int": "twitter"}  # M14

_CANNOT_BE_SET: Final = {  # M21
    "wifi": "",
    "operator": "",
    "language": "",
    "device_model": "",
    "device_category": "",
    "app_version": "; send app_version_name instead",
    "app_name": "",
    "user_agent": "; send ua instead",
}
_DEVICE_IDS: Final = (  # M22: M8 and M9
    "advertising_id",
    "oaid",
    "amazon_aid",
    "imei",
    "app_set_id",
    "idfa",
    "idfv",
)


class Platform(StrEnum):
    """What a mobile app id says about its platform (E9)."""

    IOS = "iOS"
    ANDROID = "Android"
    WINDOWS = "Windows"


class Payload(NamedTuple):
    """What the checks of one event gave."""

    body: bytes
    hashes: Mapping[str, str]
    event_time: datetime | None


class _Draft:
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


def check_app_id(app_id: str, findings: Findings) -> None:
    """E8: an iOS id without `id` is answered 200 and never recorded."""
    if app_id.isdecimal():
        findings.reject(
            "E8", "app_id", "is a bare number: an iOS app id starts with id, like id123456789; "
            "without it AppsFlyer answers OK and records nothing",
        )  # fmt: skip


def build(app_id: str, event: Mapping[str, Any], region: str | None, findings: Findings) -> Payload:
    """Checks every field of a mobile event and writes the body that AppsFlyer would get."""
    draft = _Draft(app_id, event, findings)
    body: dict[str, Any] = {}
    for field, check in _CHECKS:
        value = check(event.get(field), field, draft)
        if value is not None:
            body[field] = value
    hashes = hash_identity(event, region, findings)
    body.update(hashes)
    if not event.keys() <= KNOWN_FIELDS:
        _check_unknown(draft)
    _check_device_ids(body, draft)
    return Payload(_write(body, findings), hashes, draft.event_time)


# Identity of the install, and the event itself


def _appsflyer_id(value: object, field: str, draft: _Draft) -> str | None:
    """M1."""
    if is_absent(value):
        draft.findings.reject(
            "M1", field, "is missing: AppsFlyer needs the id of an install of this same app"
        )
    elif not isinstance(value, str):
        draft.findings.reject("M1", field, "must be a string, like 1415211453000-6513894")
    else:
        if not _APPSFLYER_ID.fullmatch(value):
            draft.findings.warn(
                "M1", field, "does not look like an AppsFlyer id (digits-digits): the event may "
                "not be attributed",
            )  # fmt: skip
        return value
    return None


def _event_name(value: object, field: str, draft: _Draft) -> str | None:
    """M2."""
    if isinstance(value, str) and value.strip():
        return value
    draft.findings.reject("M2", field, "must be a non-empty string, like af_purchase")
    return None


def _event_value(value: object, field: str, draft: _Draft) -> str | None:
    """M3: always a string on the wire; an object, a JSON string or nothing from the producer."""
    parsed = _json_object(value, "M3", field, draft)
    if not parsed:
        return ""
    if "af_revenue" in parsed:
        _check_revenue(parsed["af_revenue"], draft)
    return _stringified(parsed, "M3", field, draft)


def _check_revenue(revenue: object, draft: _Draft) -> None:
    """M4, and M5 where the currency is missing."""
    draft.has_revenue = True
    if not is_plain_amount(revenue):
        draft.findings.reject(
            "M4", "eventValue.af_revenue", "is no plain amount, and AppsFlyer would lose the "
            "money: digits, an optional leading -, an optional decimal point, like -123.45",
        )  # fmt: skip
    if is_absent(draft.event.get("eventCurrency")):
        draft.findings.warn(
            "M5", "eventCurrency", "is missing for an event with revenue: AppsFlyer assumes the "
            "app's default currency",
        )  # fmt: skip


def _currency(value: object, field: str, draft: _Draft) -> str | None:
    """M5."""
    return check_currency(value, "M5", field, draft.findings)


def _event_time(value: object, field: str, draft: _Draft) -> str | None:
    """M6."""
    if is_absent(value):
        return None
    draft.event_time = instants.parse_mobile_time(value)
    if draft.event_time is None:
        draft.findings.warn(
            "M6", field, "is no time that AppsFlyer reads, so it is left out and the arrival time "
            "will be recorded: send 2026-11-22 12:00:00.000 (UTC), ISO 8601 or epoch milliseconds",
        )  # fmt: skip
        return None
    return instants.mobile_form(draft.event_time)


def _custom_data(value: object, field: str, draft: _Draft) -> str | None:
    """M17."""
    parsed = _json_object(value, "M17", field, draft)
    return None if parsed is None else _stringified(parsed, "M17", field, draft)


def _json_object(value: object, rule: str, field: str, draft: _Draft) -> dict[str, Any] | None:
    """An object, or a string that holds one; None where absent or rejected."""
    if isinstance(value, dict):
        return value
    if is_absent(value):
        return None
    parsed: object = None
    if isinstance(value, str):
        try:
            parsed = loads(value)
        except InvalidJsonError:
            parsed = None
    if isinstance(parsed, dict):
        return parsed
    draft.findings.reject(rule, field, "must be a JSON object, or a string that holds one")
    return None


def _stringified(value: dict[str, Any], rule: str, field: str, draft: _Draft) -> str | None:
    try:
        text = dumps(value).decode()
    except UnwritableError as error:
        draft.findings.reject(rule, field, str(error))
        return None
    if "@" in text:
        warn_of_clear_email(field, value, draft.findings)
    return text


# The device


def _ip(value: object, field: str, draft: _Draft) -> str | None:
    """M7."""
    if is_absent(value):
        return None
    if isinstance(value, str) and _IPV4.fullmatch(value):
        return value
    address = _ipv6(value)
    if address is None:
        draft.findings.reject("M7", field, "must be an IPv4 address, like 192.0.2.1")
    elif address.ipv4_mapped:
        draft.findings.repair("M7", field, "an IPv4-mapped address; sent as IPv4")
        return str(address.ipv4_mapped)
    else:
        draft.findings.warn("M7", field, "is IPv6, which AppsFlyer does not take here: left out")
    return None


def _ipv6(value: object) -> IPv6Address | None:
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return address if isinstance(address, IPv6Address) else None


def _android_id(value: object, field: str, draft: _Draft) -> str | None:
    """M8."""
    text = optional_text(value, "M8", field, draft.findings)
    if text == _ZERO_UUID and field == "advertising_id":
        draft.findings.warn(
            "M8", field, "is all zeros (the user opted out), so it identifies nobody: left out"
        )
        return None
    if text is not None:
        _warn_of_platform(Platform.ANDROID, "M8", field, draft)
    return text


def _app_set_id(value: object, field: str, draft: _Draft) -> dict[str, Any] | None:
    """M8."""
    if is_absent(value):
        return None
    if (
        isinstance(value, dict)
        and value.keys() == {"scope", "id"}
        and _is_int(value["scope"], 1, 2)
        and isinstance(value["id"], str)
        and _UUID.fullmatch(value["id"])
    ):
        _warn_of_platform(Platform.ANDROID, "M8", field, draft)
        return value
    draft.findings.reject(
        "M8", field, 'must be {"scope": 1 or 2, "id": UUID}: 1 for this app, 2 for the developer'
    )
    return None


def _ios_id(value: object, field: str, draft: _Draft) -> str | None:
    """M9."""
    if is_absent(value):
        return None
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        draft.findings.reject("M9", field, "must be an upper-case UUID")
        return None
    if value == _ZERO_UUID and field == "idfa":
        draft.findings.warn(
            "M9", field, "is all zeros (no permission to track), so it identifies nobody: left out"
        )
        return None
    _warn_of_platform(Platform.IOS, "M9", field, draft)
    if not value.isupper() and value != value.upper():
        draft.findings.repair("M9", field, "lower case; sent in upper case")
    return value.upper()


def _att(value: object, field: str, draft: _Draft) -> int | None:
    """M10."""
    if value is None:
        return None
    if not _is_int(value, 0, 3):
        draft.findings.reject(
            "M10", field, "must be an integer: 0 not determined, 1 restricted, 2 denied, "
            "3 authorised",
        )  # fmt: skip
        return None
    _warn_of_platform(Platform.IOS, "M10", field, draft)
    return value  # type: ignore[return-value]  # _is_int has seen that it is one


def _aie(value: object, field: str, draft: _Draft) -> bool | None:
    """M11."""
    if value is None:
        return None
    if not isinstance(value, bool):
        draft.findings.reject("M11", field, "must be true (the user agreed) or false")
        return None
    if draft.platform is Platform.IOS and _needs_att(draft.event):
        draft.findings.warn("M11", field, "says nothing on iOS 14.5 and later: send att")
    return value


def _needs_att(event: Mapping[str, Any]) -> bool:
    version = _VERSION.match(event["os"]) if isinstance(event.get("os"), str) else None
    if version is None or event.get("att") is not None:
        return False
    return (int(version[1]), int(version[2] or 0)) >= _ATT_SINCE


def _os(value: object, field: str, draft: _Draft) -> str | None:
    """M12."""
    if is_absent(value):
        assumed = " (AppsFlyer assumes iOS 14.5)" if draft.platform is Platform.IOS else ""
        draft.findings.warn("M12", field, f"is missing: send the device's OS version{assumed}")
    return optional_text(value, "M12", field, draft.findings)


def _bundle_identifier(value: object, field: str, draft: _Draft) -> str | None:
    """M13."""
    if is_absent(value):
        draft.findings.warn("M13", field, "is missing: many ad networks need it")
    return optional_text(value, "M13", field, draft.findings)


def _warn_of_platform(platform: Platform, rule: str, field: str, draft: _Draft) -> None:
    if draft.platform is not platform:
        draft.findings.warn(
            rule, field, f"is for {platform} only, and the app id is one of {draft.platform}"
        )


# Consent, sharing and the rest


def _sharing_filter(value: object, field: str, draft: _Draft) -> str | list[str] | None:
    """M14."""
    if is_absent(value):
        return None
    if value == "all":
        return "all"
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(partner, str) and partner.strip() for partner in value)
    ):
        draft.findings.reject("M14", field, 'must be "all", or a non-empty array of partner ids')
        return None
    renamed = [_PARTNER_NAMES.get(partner, partner) for partner in value]
    if renamed != value:
        draft.findings.repair("M14", field, "a partner goes by another name here; sent by that")
    return renamed


def _consent_data(value: object, field: str, draft: _Draft) -> dict[str, Any] | None:
    """M15."""
    if is_absent(value):
        return None
    given = _without_nulls(value)
    if given is not None and len(given) == 1:
        ((form, answers),) = given.items()
        inner = _without_nulls(answers)
        if form in _CONSENT_FORMS and inner is not None and _fits(inner, _CONSENT_FORMS[form]):
            return {form: inner}
    draft.findings.reject(
        "M15", field, "must hold exactly one of tcf {policy_version, gdpr_applies -1/0/1, "
        "cmp_sdk_id, cmp_sdk_version: integers, tcstring} and manual {gdpr_applies, "
        "ad_user_data_enabled, ad_personalization_enabled: booleans}",
    )  # fmt: skip
    return None


def _fits(answers: Mapping[str, Any], form: Mapping[str, Callable[[object], bool]]) -> bool:
    return all(key in form and form[key](answer) for key, answer in answers.items())


def _app_type(value: object, field: str, draft: _Draft) -> str | None:
    """M16."""
    if is_absent(value):
        return None
    if value == "app_clip":
        return "app_clip"
    draft.findings.reject("M16", field, "must be app_clip, or not be sent")
    return None


def _fb_login_id(value: object, field: str, draft: _Draft) -> str | None:
    """M18."""
    if is_absent(value):
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return value
    draft.findings.reject("M18", field, "must be a string of digits")
    return None


def _text_or_digits(value: object, field: str, draft: _Draft) -> str | None:
    """M19."""
    number = None if isinstance(value, str) else instants.whole_number(value)
    if number is not None:
        draft.findings.repair("M19", field, "a number; sent as a string of its digits")
        return str(number)
    return optional_text(value, "M19", field, draft.findings)


def _customer_user_id(value: object, field: str, draft: _Draft) -> str | None:
    """M19, H9."""
    text = _text_or_digits(value, field, draft)
    if text is not None and "@" in text:
        warn_of_clear_email(field, text, draft.findings)
    return text


# The event as a whole


def _check_unknown(draft: _Draft) -> None:
    """M21."""
    unknown = [
        field
        for field, value in draft.event.items()
        if field not in KNOWN_FIELDS and value is not None
    ]
    for field in unknown:
        if field in _CANNOT_BE_SET:
            draft.findings.warn(
                "M21", field, f"cannot be set by a server, so it is left out{_CANNOT_BE_SET[field]}"
            )
    strangers = [field for field in unknown if field not in _CANNOT_BE_SET]
    reject_unknown("M21", strangers, KNOWN_FIELDS, draft.findings)


def _check_device_ids(body: Mapping[str, Any], draft: _Draft) -> None:
    """M22."""
    if "customer_user_id" not in body and body.keys().isdisjoint(_DEVICE_IDS):
        draft.findings.warn(
            "M22", "customer_user_id", "and every device id are missing: postbacks, audiences and "
            "incrementality need one",
        )  # fmt: skip


def _write(body: dict[str, Any], findings: Findings) -> bytes:
    try:
        written = dumps(body)
    except UnwritableError:
        reject_unwritable(body, _RULES, findings)
        return b""
    if len(written) > MAX_BODY_BYTES:  # M23
        largest = sorted(body, key=lambda field: len(dumps(body[field])), reverse=True)[:3]
        findings.reject(
            "M23", "event", f"would be {len(written)} bytes; AppsFlyer takes {MAX_BODY_BYTES} and "
            f"drops what is larger. Largest fields: {', '.join(largest)}",
        )  # fmt: skip
    return written


def _is_int(value: object, lowest: int, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def _without_nulls(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return {key: item for key, item in value.items() if item is not None}


def _is_any_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


_CONSENT_FORMS: Final[Mapping[str, Mapping[str, Callable[[object], bool]]]] = {
    "tcf": {
        "policy_version": _is_any_int,
        "gdpr_applies": lambda value: _is_int(value, -1, 1),
        "cmp_sdk_id": _is_any_int,
        "cmp_sdk_version": _is_any_int,
        "tcstring": lambda value: isinstance(value, str),
    },
    "manual": {
        "gdpr_applies": _is_bool,
        "ad_user_data_enabled": _is_bool,
        "ad_personalization_enabled": _is_bool,
    },
}

_CHECKS: Final[tuple[tuple[str, Callable[[object, str, _Draft], Any]], ...]] = (
    ("appsflyer_id", _appsflyer_id),
    ("customer_user_id", _customer_user_id),
    ("eventName", _event_name),
    ("eventValue", _event_value),
    ("eventCurrency", _currency),
    ("eventTime", _event_time),
    ("ip", _ip),
    ("advertising_id", _android_id),
    ("oaid", _android_id),
    ("amazon_aid", _android_id),
    ("imei", _android_id),
    ("app_set_id", _app_set_id),
    ("idfa", _ios_id),
    ("idfv", _ios_id),
    ("att", _att),
    ("aie", _aie),
    ("os", _os),
    ("bundleIdentifier", _bundle_identifier),
    ("sharing_filter", _sharing_filter),
    ("consent_data", _consent_data),
    ("app_type", _app_type),
    ("custom_data", _custom_data),
    ("fb_login_id", _fb_login_id),
    ("app_version_name", _text_or_digits),
    ("app_store", _text_or_digits),
    ("ua", _text_or_digits),
    ("custom_dimension", _text_or_digits),
)
"""Every field that is sent, in the order of the payload, with the rule that checks it."""

KNOWN_FIELDS: Final = frozenset(
    [*(field for field, _ in _CHECKS), *HASHED_FIELDS, *PRODUCER_ONLY_FIELDS]
)
"""Every field that a producer may hand in."""

_RULES: Final = {
    "appsflyer_id": "M1",
    "eventName": "M2",
    "advertising_id": "M8",
    "oaid": "M8",
    "amazon_aid": "M8",
    "imei": "M8",
    "os": "M12",
    "bundleIdentifier": "M13",
    "sharing_filter": "M14",
    "consent_data": "M15",
    "customer_user_id": "M19",
    "app_version_name": "M19",
    "app_store": "M19",
    "ua": "M19",
    "custom_dimension": "M19",
}
"""The rule of each field that can hold text without a JSON form."""
