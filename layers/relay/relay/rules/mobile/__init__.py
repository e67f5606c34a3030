"""Mobile in-app events: AppsFlyer's rules M1 to M23, and the payload.

Rules about one field are in `event`, `device` and `consent`; rules about the whole event are here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from relay.domain.findings import Findings
from relay.exact_json import dumps
from relay.rules import names
from relay.rules.hashing import hash_identity
from relay.rules.leniency import is_absent
from relay.rules.mobile import consent, device, event
from relay.rules.mobile.context import CheckContext
from relay.rules.mobile.currency import settle_currency
from relay.rules.mobile.vocabulary import mobile_vocabulary
from relay.rules.payload import (
    CheckedEvent,
    Content,
    Field,
    FieldTable,
    check_fields,
    is_given,
    warn_of_placeholders,
    write,
)

MAX_BODY_BYTES: Final = 1024  # E5

_DEVICE_IDS: Final = (  # M22: M8 and M9
    "advertising_id",
    "oaid",
    "amazon_aid",
    "imei",
    "app_set_id",
    "idfa",
    "idfv",
)


def build(
    app_id: str, given: Mapping[str, Any], region: str | None, findings: Findings
) -> CheckedEvent:
    """Checks every field of a mobile event and writes the body that AppsFlyer would get."""
    resolved = names.resolve(given, VOCABULARY, is_given)
    context = CheckContext(app_id, resolved.fields, findings)
    if resolved.placeholders:
        warn_of_placeholders(FIELDS, resolved.placeholders, findings)
    check_fields(FIELDS, resolved.fields, context, context.body, findings)
    hashes = hash_identity(resolved.fields, region, findings)
    context.body.update(hashes)
    payload = write(context.body, RULES, findings)
    if context.money.value and settle_currency(context, MAX_BODY_BYTES - len(payload)):
        payload = write(context.body, RULES, findings)
    body = context.body
    if resolved.spellings or resolved.unknown:
        names.report(resolved, body, _given_by(context), findings)
    _check_device_ids(body, findings)
    _check_size(body, payload, findings)
    content = Content(
        body.get("eventName"),
        context.money.amount,
        body.get("eventCurrency"),
        body.get("appsflyer_id"),
        body.get("customer_user_id"),
        hashes.get("email_hashed"),
        context.event_time,
    )
    has_revenue = context.money.amount is not None
    return CheckedEvent(payload, body, context.money.value, resolved, hashes, has_revenue, content)


def _given_by(context: CheckContext) -> Callable[[str], bool]:
    """2.1: whether the event gives a field, once it is checked."""

    def is_given_now(field: str) -> bool:
        if field == "eventValue.af_revenue":
            return not is_absent(context.money.value.get("af_revenue"))
        is_filled = field == "eventCurrency" and field in context.body
        return is_filled or is_given(field, context.fields.get(field))

    return is_given_now


def _check_device_ids(body: Mapping[str, Any], findings: Findings) -> None:
    """M22."""
    if "customer_user_id" not in body and body.keys().isdisjoint(_DEVICE_IDS):
        findings.warn(
            "M22", "customer_user_id", "and every device id are missing: postbacks, audiences and "
            "incrementality need one",
        )  # fmt: skip


def _check_size(body: Mapping[str, Any], payload: bytes, findings: Findings) -> None:
    """M23: never trimmed silently."""
    if len(payload) > MAX_BODY_BYTES and not findings.rejected:
        largest = sorted(body, key=lambda field: len(dumps(body[field])), reverse=True)[:3]
        findings.reject(
            "M23", "event", f"would be {len(payload)} bytes; AppsFlyer takes {MAX_BODY_BYTES} and "
            f"drops what is larger. Largest fields: {', '.join(largest)}",
        )  # fmt: skip


FIELDS: Final = FieldTable[CheckContext](
    Field("appsflyer_id", "M1", event.appsflyer_id, event.no_appsflyer_id, is_required=True),
    Field("customer_user_id", "M19", event.customer_user_id),
    Field("eventName", "M2", event.event_name, event.no_event_name, is_required=True),
    Field("eventValue", "M3", event.event_value, event.no_event_value, is_required=True),
    Field("eventCurrency", "M5", event.currency),
    Field("eventTime", "M6", event.event_time),
    Field("ip", "M7", device.ip),
    Field("advertising_id", "M8", device.advertising_id),
    Field("oaid", "M8", device.android_id),
    Field("amazon_aid", "M8", device.android_id),
    Field("imei", "M8", device.android_id),
    Field("app_set_id", "M8", device.app_set_id),
    Field("idfa", "M9", device.ios_id),
    Field("idfv", "M9", device.ios_id),
    Field("att", "M10", device.att),
    Field("aie", "M11", device.aie),
    Field("os", "M12", device.os, device.no_os),
    Field("bundleIdentifier", "M13", device.bundle_identifier, device.no_bundle_identifier),
    Field("sharing_filter", "M14", consent.sharing_filter),
    Field("consent_data", "M15", consent.consent_data),
    Field("app_type", "M16", consent.app_type),
    Field("custom_data", "M17", event.custom_data),
    Field("fb_login_id", "M18", consent.fb_login_id),
    Field("app_version_name", "M19", event.text),
    Field("app_store", "M19", event.text),
    Field("ua", "M19", event.text),
    Field("custom_dimension", "M19", event.text),
)
VOCABULARY: Final = mobile_vocabulary(row.name for row in FIELDS.rows)

KNOWN_FIELDS: Final = VOCABULARY.known
"""Every field that a producer may send."""

RULES: Final = {row.name: row.rule for row in FIELDS.rows}
