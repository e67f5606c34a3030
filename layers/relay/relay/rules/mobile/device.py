"""Checks of the device's fields: rules M7 to M13."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from relay.domain.kinds import Platform
from relay.rules.fields import is_absent, optional_text
from relay.rules.mobile.context import CheckContext, IntRange, warn_of_platform

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ZERO_UUID: Final = "00000000-0000-0000-0000-000000000000"
_IPV4: Final = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}", re.ASCII)
_VERSION: Final = re.compile(r"\D{0,16}(\d{1,4})(?:\.(\d{1,4}))?", re.ASCII)
ATT: Final = IntRange(0, 3)  # M10
APP_SET_SCOPE: Final = IntRange(1, 2)  # M8
_ATT_SINCE: Final = (14, 5)  # M11: iOS 14.5


def ip(value: object, field: str, context: CheckContext) -> str | None:
    """M7."""
    if is_absent(value):
        return None
    if isinstance(value, str) and _IPV4.fullmatch(value):
        return value
    address = _ipv6(value)
    if address is None:
        context.findings.reject("M7", field, "must be an IPv4 address, like 192.0.2.1")
    elif address.ipv4_mapped:
        context.findings.repair("M7", field, "an IPv4-mapped address; sent as IPv4")
        return str(address.ipv4_mapped)
    else:
        context.findings.warn("M7", field, "is IPv6, which AppsFlyer does not take here: left out")
    return None


def _ipv6(value: object) -> IPv6Address | None:
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return address if isinstance(address, IPv6Address) else None


def android_id(value: object, field: str, context: CheckContext) -> str | None:
    """M8."""
    text = optional_text(value, "M8", field, context.findings)
    if text == _ZERO_UUID and field == "advertising_id":
        context.findings.warn(
            "M8", field, "is all zeros (the user opted out), so it identifies nobody: left out"
        )
        return None
    if text is not None:
        warn_of_platform(Platform.ANDROID, "M8", field, context)
    return text


def app_set_id(value: object, field: str, context: CheckContext) -> dict[str, Any] | None:
    """M8."""
    if value is None:
        return None
    if (
        isinstance(value, dict)
        and value.keys() == {"scope", "id"}
        and APP_SET_SCOPE.takes(value["scope"])
        and isinstance(value["id"], str)
        and UUID.fullmatch(value["id"])
    ):
        warn_of_platform(Platform.ANDROID, "M8", field, context)
        return value
    context.findings.reject(
        "M8", field, 'must be {"scope": 1 or 2, "id": UUID}: 1 for this app, 2 for the developer'
    )
    return None


def ios_id(value: object, field: str, context: CheckContext) -> str | None:
    """M9."""
    if is_absent(value):
        return None
    if not isinstance(value, str) or not UUID.fullmatch(value):
        context.findings.reject("M9", field, "must be an upper-case UUID")
        return None
    if value == _ZERO_UUID and field == "idfa":
        context.findings.warn(
            "M9", field, "is all zeros (no permission to track), so it identifies nobody: left out"
        )
        return None
    warn_of_platform(Platform.IOS, "M9", field, context)
    if not value.isupper() and value != value.upper():
        context.findings.repair("M9", field, "lower case; sent in upper case")
    return value.upper()


def att(value: object, field: str, context: CheckContext) -> int | None:
    """M10."""
    if value is None:
        return None
    if not ATT.takes(value):
        context.findings.reject(
            "M10", field, "must be an integer: 0 not determined, 1 restricted, 2 denied, "
            "3 authorised",
        )  # fmt: skip
        return None
    warn_of_platform(Platform.IOS, "M10", field, context)
    return value  # type: ignore[return-value]  # ATT has seen that it is one


def aie(value: object, field: str, context: CheckContext) -> bool | None:
    """M11."""
    if value is None:
        return None
    if not isinstance(value, bool):
        context.findings.reject("M11", field, "must be true (the user agreed) or false")
        return None
    if context.platform is Platform.IOS and _needs_att(context.event):
        context.findings.warn("M11", field, "says nothing on iOS 14.5 and later: send att")
    return value


def _needs_att(event: Mapping[str, Any]) -> bool:
    version = _VERSION.match(event["os"]) if isinstance(event.get("os"), str) else None
    if version is None or event.get("att") is not None:
        return False
    return (int(version[1]), int(version[2] or 0)) >= _ATT_SINCE


def os(value: object, field: str, context: CheckContext) -> str | None:
    """M12."""
    if is_absent(value):
        assumed = " (AppsFlyer assumes iOS 14.5)" if context.platform is Platform.IOS else ""
        context.findings.warn("M12", field, f"is missing: send the device's OS version{assumed}")
    return optional_text(value, "M12", field, context.findings)


def bundle_identifier(value: object, field: str, context: CheckContext) -> str | None:
    """M13."""
    if is_absent(value):
        context.findings.warn("M13", field, "is missing: many ad networks need it")
    return optional_text(value, "M13", field, context.findings)
