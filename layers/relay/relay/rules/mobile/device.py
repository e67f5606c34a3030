"""Checks of the device's fields: rules M7 to M13."""

import re
from typing import Any, Final

from relay.domain.kinds import Platform
from relay.rules.addresses import IPV4, is_not_a_users, mapped_ipv4, parse_ipv6
from relay.rules.leniency import FORMS, read
from relay.rules.mobile.context import CheckContext, IntRange, warn_of_platform
from relay.rules.payload import repair_of, warn_of_placeholder

UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_VERSION: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?")
_DIGIT: Final = re.compile("[0-9]")
ATT: Final = IntRange(0, 3)  # M10
APP_SET_SCOPE: Final = IntRange(1, 2)  # M8
_ATT_SINCE: Final = (14, 5)  # M11: iOS 14.5


def ip(value: object, field: str, context: CheckContext) -> str | None:
    """M7."""
    address = value if isinstance(value, str) and IPV4.fullmatch(value) else mapped_ipv4(value)
    if address is None:
        fault = "is IPv6, which AppsFlyer does not take here" if parse_ipv6(value) else _NO_IPV4
        context.leave_out("M7", field, fault)
    elif is_not_a_users(address):
        context.leave_out("M7", field, "is a private or reserved address, and not the device's")
    else:
        if address != value:
            context.findings.repair("M7", field, "an IPv4-mapped address; sent as IPv4")
        return address
    return None


_NO_IPV4: Final = "is not one IPv4 address, like 192.0.2.1"


def advertising_id(value: object, field: str, context: CheckContext) -> str | None:
    """M8."""
    if context.platform is not Platform.ANDROID or not isinstance(value, str):
        return _device_id(value, field, context, Platform.ANDROID, Platform.WINDOWS)
    if not UUID.fullmatch(value):
        context.leave_out("M8", field, "is no UUID")
        return None
    if value != value.lower():
        context.findings.repair("M8", field, "upper case; sent in lower case")
    return value.lower()


def android_id(value: object, field: str, context: CheckContext) -> str | None:
    """M8."""
    return _device_id(value, field, context, Platform.ANDROID)


def _device_id(
    value: object, field: str, context: CheckContext, *platforms: Platform
) -> str | None:
    if not isinstance(value, str):
        context.leave_out("M8", field, "is no id: it must be text")
        return None
    warn_of_platform("M8", field, context, *platforms)
    return value


def app_set_id(value: object, field: str, context: CheckContext) -> dict[str, Any] | None:
    """M8."""
    parts = {key: item for key, item in value.items() if item is not None} if (
        isinstance(value, dict)
    ) else {}  # fmt: skip
    if parts.keys() != {"scope", "id"}:
        _no_app_set_id(field, context)
        return None
    scope = read(parts["scope"], FORMS["app_set_id.scope"])
    device = read(parts["id"], FORMS["app_set_id.id"])
    if device.is_placeholder:
        warn_of_placeholder("M8", field, context.findings)
        return None
    is_uuid = isinstance(device.value, str) and UUID.fullmatch(device.value)
    if not is_uuid or not APP_SET_SCOPE.takes(scope.value):
        _no_app_set_id(field, context)
        return None
    warn_of_platform("M8", field, context, Platform.ANDROID)
    for key, part in (("scope", scope), ("id", device)):
        if part.is_changed:
            repair_of("M8", f"{field}.{key}", parts[key], context.findings)
    return {"scope": scope.value, "id": device.value}


def _no_app_set_id(field: str, context: CheckContext) -> None:
    context.leave_out(
        "M8", field, 'is not {"scope": 1 (this app) or 2 (the developer), "id": UUID}'
    )


def ios_id(value: object, field: str, context: CheckContext) -> str | None:
    """M9, and M10 for the IDFA."""
    if not isinstance(value, str) or not UUID.fullmatch(value):
        context.leave_out("M9", field, "is no UUID")
        return None
    if field == "idfa" and _has_unreadable_att(context):
        context.leave_out("M9", field, "comes with an att that cannot be read and may be a no")
        return None
    warn_of_platform("M9", field, context, Platform.IOS)
    if value != value.upper():
        context.findings.repair("M9", field, "lower case; sent in upper case")
    return value.upper()


def att(value: object, field: str, context: CheckContext) -> int | None:
    """M10."""
    if not ATT.takes(value):
        context.leave_out(
            "M10", field, "is none of 0 (not determined), 1 (restricted), 2 (denied) and 3 "
            "(authorised)",
        )  # fmt: skip
        return None
    warn_of_platform("M10", field, context, Platform.IOS)
    return value  # type: ignore[return-value]  # ATT has seen that it is one


def _has_unreadable_att(context: CheckContext) -> bool:
    answer = read(context.fields.get("att"), FORMS["att"]).value
    return answer is not None and not ATT.takes(answer)


def aie(value: object, field: str, context: CheckContext) -> bool | None:
    """M11."""
    if not isinstance(value, bool):
        context.findings.reject("M11", field, "must be true (the user agreed) or false")
        return None
    if context.platform is Platform.IOS and "att" not in context.body and _asks_for_att(context):
        context.findings.warn("M11", field, "says nothing on iOS 14.5 and later: send att")
    return value


def _asks_for_att(context: CheckContext) -> bool:
    """Whether the device's iOS has att, as far as `os` says."""
    system = read(context.fields.get("os"), FORMS["os"]).value
    version = _VERSION.match(system) if isinstance(system, str) else None
    if version is None:
        return False
    return (int(version[1]), int(version[2] or 0)) >= _ATT_SINCE


def os(value: object, field: str, context: CheckContext) -> str | None:
    """M12."""
    if isinstance(value, str) and _DIGIT.search(value):
        return value
    context.leave_out("M12", field, "holds no digit, so it is no version of a system")
    return None


def no_os(field: str, context: CheckContext) -> None:
    """M12."""
    assumed = " (AppsFlyer assumes iOS 14.5)" if context.platform is Platform.IOS else ""
    context.findings.warn("M12", field, f"is missing: send the device's OS version{assumed}")


def bundle_identifier(value: object, field: str, context: CheckContext) -> str | None:
    """M13."""
    if isinstance(value, str):
        return value
    context.leave_out("M13", field, "is no text, and many ad networks need it")
    return None


def no_bundle_identifier(field: str, context: CheckContext) -> None:
    """M13."""
    context.findings.warn("M13", field, "is missing: many ad networks need it")
