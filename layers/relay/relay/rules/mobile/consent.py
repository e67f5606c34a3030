"""Checks of consent, sharing, app type and Facebook login: rules M14 to M16 and M18."""

from collections.abc import Mapping
from typing import Any, Final

from relay.rules.fields import is_absent
from relay.rules.mobile.context import CheckContext, IntRange

_PARTNER_NAMES: Final = {"iossearchads_int": "Apple Search Ads", "twitter_int": "twitter"}  # M14


def sharing_filter(value: object, field: str, context: CheckContext) -> str | list[str] | None:
    """M14."""
    if is_absent(value):
        return None
    if value == "all":
        return "all"
    partners = _partners(value)
    if not partners:
        context.findings.reject("M14", field, 'must be "all", or a non-empty array of partner ids')
        return None
    renamed = [_PARTNER_NAMES.get(partner, partner) for partner in partners]
    if renamed != partners:
        context.findings.repair("M14", field, "a partner goes by another name here; sent by that")
    return renamed


def _partners(value: object) -> list[str]:
    """The partner ids; empty if the value is not an array of them."""
    if not isinstance(value, list):
        return []
    partners = [item for item in value if isinstance(item, str) and item.strip()]
    return partners if len(partners) == len(value) else []


def consent_data(value: object, field: str, context: CheckContext) -> dict[str, Any] | None:
    """M15."""
    if value is None:
        return None
    forms = _without_nulls(value)
    if forms is not None and len(forms) == 1:
        ((form, answers),) = forms.items()
        inner = _without_nulls(answers)
        if form in CONSENT_FORMS and inner is not None and _fits(inner, CONSENT_FORMS[form]):
            return {form: inner}
    context.findings.reject(
        "M15", field, "must hold exactly one of tcf {policy_version, gdpr_applies -1/0/1, "
        "cmp_sdk_id, cmp_sdk_version: integers, tcstring} and manual {gdpr_applies, "
        "ad_user_data_enabled, ad_personalization_enabled: booleans}",
    )  # fmt: skip
    return None


def _fits(answers: Mapping[str, Any], form: Mapping[str, IntRange | type]) -> bool:
    return all(key in form and _matches(form[key], answer) for key, answer in answers.items())


def _matches(expected: IntRange | type, answer: object) -> bool:
    return (
        expected.takes(answer) if isinstance(expected, IntRange) else isinstance(answer, expected)
    )


def app_type(value: object, field: str, context: CheckContext) -> str | None:
    """M16."""
    if is_absent(value):
        return None
    if value == "app_clip":
        return "app_clip"
    context.findings.reject("M16", field, "must be app_clip, or not be sent")
    return None


def fb_login_id(value: object, field: str, context: CheckContext) -> str | None:
    """M18."""
    if is_absent(value):
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return value
    context.findings.reject("M18", field, "must be a string of digits")
    return None


def _without_nulls(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return {key: item for key, item in value.items() if item is not None}


CONSENT_FORMS: Final[Mapping[str, Mapping[str, IntRange | type]]] = {
    "tcf": {
        "policy_version": IntRange(),
        "gdpr_applies": IntRange(-1, 1),
        "cmp_sdk_id": IntRange(),
        "cmp_sdk_version": IntRange(),
        "tcstring": str,
    },
    "manual": {
        "gdpr_applies": bool,
        "ad_user_data_enabled": bool,
        "ad_personalization_enabled": bool,
    },
}
"""M15: the fields of each form of consent."""
