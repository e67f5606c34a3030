"""Checks of consent, sharing, app type and Facebook login: rules M14 to M16 and M18.

What says how a person wants to be treated is never left out: it is read strictly, or rejected.
"""

from collections.abc import Mapping
from typing import Any, Final

from relay.rules.leniency import (
    ascii_lower,
    is_blank,
    is_converted,
    is_placeholder,
    to_integer,
    trim,
)
from relay.rules.mobile.context import CheckContext, IntRange

_PARTNER_NAMES: Final = {"iossearchads_int": "Apple Search Ads", "twitter_int": "twitter"}  # M14
_ALL: Final = "all"
_MOST_PARTNERS: Final = 50  # M14


def sharing_filter(value: object, field: str, context: CheckContext) -> str | list[str] | None:
    """M14."""
    entries = value if isinstance(value, list) else [value]
    if any(isinstance(entry, str) and ascii_lower(trim(entry)) == _ALL for entry in entries):
        if value != _ALL:
            context.findings.repair("M14", field, 'names all partners; sent as "all"')
        return _ALL
    partners = _partners(value)
    if not partners:
        context.findings.reject(
            "M14", field, 'must be "all", or a non-empty array of partner ids, none of them blank '
            "or a placeholder",
        )  # fmt: skip
        return None
    sent = [_PARTNER_NAMES.get(partner, partner) for partner in partners]
    if sent != value:
        context.findings.repair(
            "M14", field, "holds a partner under another name, or with white space around it; sent "
            "in the right form",
        )  # fmt: skip
    if len(sent) > _MOST_PARTNERS:
        context.findings.warn(
            "M14", field, f"holds more than {_MOST_PARTNERS} partners: AppsFlyer may not apply all"
        )
    return sent


def _partners(value: object) -> list[str]:
    """The partner ids without white space around them; empty if one of them is none."""
    if not isinstance(value, list):
        return []
    partners = [trim(item) for item in value if isinstance(item, str) and not is_blank(item)]
    return [] if len(partners) < len(value) or any(map(is_placeholder, partners)) else partners


def consent_data(value: object, field: str, context: CheckContext) -> dict[str, Any] | None:
    """M15."""
    forms = _without_nulls(value)
    if forms is not None and len(forms) == 1:
        ((form, given),) = forms.items()
        answers = _answers(form, given)
        if answers is not None:
            if any(is_converted(answer, given[key]) for key, answer in answers.items()):
                context.findings.repair("M15", field, "held numbers in another JSON type")
            return {form: answers}
    context.findings.reject(
        "M15", field, "must hold exactly one of tcf {policy_version, gdpr_applies -1/0/1, "
        "cmp_sdk_id, cmp_sdk_version: integers, tcstring} and manual {gdpr_applies, "
        "ad_user_data_enabled, ad_personalization_enabled: booleans}",
    )  # fmt: skip
    return None


def _answers(form: str, given: object) -> dict[str, Any] | None:
    """One form's answers, each in its right type; None if there is another one."""
    kinds, answers = CONSENT_FORMS.get(form), _without_nulls(given)
    if kinds is None or answers is None:
        return None
    answers = {
        key: _number_meant(key, answer) if isinstance(kinds.get(key), IntRange) else answer
        for key, answer in _without_blank_tcstring(answers).items()
    }
    fits = all(key in kinds and _matches(kinds[key], answer) for key, answer in answers.items())
    return answers if fits else None


def _number_meant(key: str, answer: object) -> object:
    if key == "gdpr_applies" and isinstance(answer, bool):
        return int(answer)
    return to_integer(answer)


def _matches(expected: IntRange | type, answer: object) -> bool:
    return (
        expected.takes(answer) if isinstance(expected, IntRange) else isinstance(answer, expected)
    )


def app_type(value: object, field: str, context: CheckContext) -> str | None:
    """M16."""
    if value == "app_clip":
        return "app_clip"
    context.leave_out("M16", field, "is not app_clip, the only value there is")
    return None


def fb_login_id(value: object, field: str, context: CheckContext) -> str | None:
    """M18."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return value
    context.leave_out("M18", field, "is no string of digits")
    return None


def _without_nulls(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return {key: item for key, item in value.items() if item is not None}


def _without_blank_tcstring(answers: dict[str, Any]) -> dict[str, Any]:
    if not is_blank(answers.get("tcstring")):
        return answers
    return {key: item for key, item in answers.items() if key != "tcstring"}


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
