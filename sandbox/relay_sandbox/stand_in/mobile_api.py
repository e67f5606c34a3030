"""AppsFlyer's mobile endpoint: responds "OK" to nearly everything, and silently drops some of it.

Where AppsFlyer's documentation is silent, the stand-in responds as follows:

- no key is 400 `Failed to Authenticate`; a key of another app is 400 with a text that names
  `app_id` (E12); an unknown key is 401 (E13);
- a bare number as app id is 200, whatever the key (E8);
- a content type other than JSON counts as a payload that failed to parse (E3);
- the credentials are checked first, then the account, then the event;
- a currency that AppsFlyer does not list loses the revenue, not the event (M5);
- only the field itself is lost if an address is not IPv4, or if AppsFlyer does not know the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from relay.instants import recorded_mobile
from relay_sandbox.http.server import Response
from relay_sandbox.stand_in.accounts import Account, Accounts
from relay_sandbox.stand_in.calls import Call, Verdict, is_json
from relay_sandbox.stand_in.mobile_money import read_money

MAX_BODY_BYTES = 1_024  # E5

_EVENT_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", re.ASCII)  # M6
_KNOWN_FIELDS = frozenset(
    {
        "appsflyer_id",
        "eventName",
        "eventValue",
        "eventCurrency",
        "eventTime",
        "ip",
        "advertising_id",
        "oaid",
        "amazon_aid",
        "imei",
        "app_set_id",
        "idfa",
        "idfv",
        "att",
        "aie",
        "os",
        "bundleIdentifier",
        "sharing_filter",
        "consent_data",
        "app_type",
        "custom_data",
        "fb_login_id",
        "customer_user_id",
        "app_version_name",
        "app_store",
        "ua",
        "custom_dimension",
        "email_hashed",
        "phone_number_hashed",
        "phone_number_e164_hashed",
        "first_name_hashed",
        "last_name_hashed",
    }
)


def judge(call: Call, accounts: Accounts) -> Verdict:
    """Decide the mobile endpoint's response to a call, and whether it records the event."""
    if call.app_id.isdigit():
        return _lost('E8: an iOS app id without the prefix "id" is answered OK and not recorded')
    account = accounts.find(call.app_id, call.kind)
    return (
        _refused_credentials(call, account, accounts)
        or _refused_account(account)
        or _refused_event(call)
        or _accepted(call, account)
    )


def _refused_credentials(call: Call, account: Account | None, accounts: Accounts) -> Verdict | None:
    key = call.request.header("authentication") or ""
    if not key:
        return _refused(400, "Failed to Authenticate", "E12: no `authentication` header")
    if account is not None and account.has_token(key):
        return None
    if accounts.owner_exists(key, call.kind):
        text = "Bad request: the authentication key does not match app_id"
        return _refused(400, text, "E12: the key belongs to another app")
    return _refused(401, "Unauthorized", "E13: the key is not this app's")


def _refused_account(account: Account | None) -> Verdict | None:
    if account is None or not account.blocked:
        return None
    return _refused(403, "Forbidden: zero package", "E14: the account accepts no events")


def _refused_event(call: Call) -> Verdict | None:
    if call.payload is None or not is_json(call.request):
        text = "Payload is missing or failed to parse"
        return _refused(400, text, "E11: the body is not a JSON object sent as application/json")
    if not _is_text(call.payload.get("appsflyer_id")):
        return _refused(400, "appsflyer_id is a mandatory field", "E11, M1: no appsflyer_id")
    if not _is_text(call.payload.get("eventName")):
        return _refused(400, "Bad request", "E11, M2: no eventName")
    if call.payload.get("eventValue") is None:
        return _refused(400, "Bad request", "E11, M3: no eventValue")
    return None


def _accepted(call: Call, account: Account | None) -> Verdict:
    size = len(call.request.body)
    if size > MAX_BODY_BYTES:
        return _lost(f"E5: {size} bytes are over {MAX_BODY_BYTES}; answered OK and not recorded")
    payload = call.payload or {}
    return Verdict(
        response=Response.text(200, "OK"),
        recorded=True,
        why="; ".join(["recorded", *_losses(payload)]),
        time=recorded_mobile(_event_time(payload.get("eventTime")), call.arrived),
        money=read_money(payload, account.currency if account else "USD"),
    )


def _losses(payload: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(payload["eventValue"], str):
        yield "M3: eventValue is not a string, so its value is lost"
    if "ip" in payload and not _is_ipv4(payload["ip"]):
        yield "M7: ip is not an IPv4 address and is lost"
    if not payload.keys() <= _KNOWN_FIELDS:
        yield "M21: fields that AppsFlyer does not know are lost"


def _event_time(value: object) -> datetime | None:
    """Parse the documented form only: AppsFlyer accepts no other (M6, T1)."""
    if not isinstance(value, str) or not _EVENT_TIME.fullmatch(value):
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_ipv4(value: object) -> bool:
    try:
        IPv4Address(value if isinstance(value, str) else "")
    except AddressValueError:
        return False
    return True


def _refused(status: int, text: str, why: str) -> Verdict:
    return Verdict(Response.text(status, text), recorded=False, why=why)


def _lost(why: str) -> Verdict:
    return Verdict(Response.text(200, "OK"), recorded=False, why=why)
