"""Mobile in-app events: AppsFlyer's rules M1 to M23, and the payload.

Rules about one field are in `event`, `device` and `consent`; rules about the whole event are here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from relay.domain.findings import Findings
from relay.exact_json import dumps
from relay.rules.fields import reject_unknown
from relay.rules.hashing import HASHED_FIELDS, PRODUCER_ONLY_FIELDS, hash_identity
from relay.rules.mobile import consent, device, event
from relay.rules.mobile.context import CheckContext
from relay.rules.payload import CheckedEvent, Content, write

MAX_BODY_BYTES: Final = 1024  # E5

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


def check_app_id(app_id: str, findings: Findings) -> None:
    """E8: for an iOS id without `id`, AppsFlyer responds 200 and records nothing."""
    if app_id.isdecimal():
        findings.reject(
            "E8", "app_id", "is a bare number: an iOS app id starts with id, like id123456789; "
            "without it AppsFlyer answers OK and records nothing",
        )  # fmt: skip


def build(
    app_id: str, given: Mapping[str, Any], region: str | None, findings: Findings
) -> CheckedEvent:
    """Checks every field of a mobile event and writes the body that AppsFlyer would get."""
    # A bare number is an iOS id without its prefix (E8). Check its fields by the rules for iOS.
    context = CheckContext(f"id{app_id}" if app_id.isdecimal() else app_id, given, findings)
    body: dict[str, Any] = {}
    for field, check in CHECKS:
        value = check(given.get(field), field, context)
        if value is not None:
            body[field] = value
    hashes = hash_identity(given, region, findings)
    body.update(hashes)
    if not given.keys() <= KNOWN_FIELDS:
        _check_unknown(context)
    _check_device_ids(body, context)
    payload = write(body, _RULES, findings)
    _check_size(body, payload, findings)
    content = Content(
        body.get("eventName"),
        context.revenue,
        body.get("eventCurrency"),
        body.get("appsflyer_id"),
        body.get("customer_user_id"),
        hashes.get("email_hashed"),
        context.event_time,
    )
    return CheckedEvent(payload, hashes, context.has_revenue, content)


def _check_unknown(context: CheckContext) -> None:
    """M21."""
    unknown = [
        field
        for field, value in context.event.items()
        if field not in KNOWN_FIELDS and value is not None
    ]
    for field in unknown:
        if field in _CANNOT_BE_SET:
            context.findings.warn(
                "M21", field, f"cannot be set by a server, so it is left out{_CANNOT_BE_SET[field]}"
            )
    rejected = [field for field in unknown if field not in _CANNOT_BE_SET]
    reject_unknown("M21", rejected, KNOWN_FIELDS, context.findings)


def _check_device_ids(body: Mapping[str, Any], context: CheckContext) -> None:
    """M22."""
    if "customer_user_id" not in body and body.keys().isdisjoint(_DEVICE_IDS):
        context.findings.warn(
            "M22", "customer_user_id", "and every device id are missing: postbacks, audiences and "
            "incrementality need one",
        )  # fmt: skip


def _check_size(body: Mapping[str, Any], payload: bytes, findings: Findings) -> None:
    """M23: never trimmed silently."""
    if len(payload) > MAX_BODY_BYTES:
        largest = sorted(body, key=lambda field: len(dumps(body[field])), reverse=True)[:3]
        findings.reject(
            "M23", "event", f"would be {len(payload)} bytes; AppsFlyer takes {MAX_BODY_BYTES} and "
            f"drops what is larger. Largest fields: {', '.join(largest)}",
        )  # fmt: skip


CHECKS: Final[tuple[tuple[str, Callable[[object, str, CheckContext], Any]], ...]] = (
    ("appsflyer_id", event.appsflyer_id),
    ("customer_user_id", event.customer_user_id),
    ("eventName", event.event_name),
    ("eventValue", event.event_value),
    ("eventCurrency", event.currency),
    ("eventTime", event.event_time),
    ("ip", device.ip),
    ("advertising_id", device.android_id),
    ("oaid", device.android_id),
    ("amazon_aid", device.android_id),
    ("imei", device.android_id),
    ("app_set_id", device.app_set_id),
    ("idfa", device.ios_id),
    ("idfv", device.ios_id),
    ("att", device.att),
    ("aie", device.aie),
    ("os", device.os),
    ("bundleIdentifier", device.bundle_identifier),
    ("sharing_filter", consent.sharing_filter),
    ("consent_data", consent.consent_data),
    ("app_type", consent.app_type),
    ("custom_data", event.custom_data),
    ("fb_login_id", consent.fb_login_id),
    ("app_version_name", event.text_or_digits),
    ("app_store", event.text_or_digits),
    ("ua", event.text_or_digits),
    ("custom_dimension", event.text_or_digits),
)
"""Every field that is sent, in the order of the payload, with its check."""

KNOWN_FIELDS: Final = frozenset(
    [*(field for field, _ in CHECKS), *HASHED_FIELDS, *PRODUCER_ONLY_FIELDS]
)
"""Every field that a producer may send."""

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
