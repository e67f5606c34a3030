"""What is kept of an event that is not sent: hashed, and without what may be a person's (Q7).

It is kept so that it can be mended and sent again. What is taken away must not change that into an
event without its money or its consent: where it might, a value stays that is refused again.
"""

import re
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from relay.domain.findings import Finding, Findings
from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, dumps_with_room, without_lone_surrogates
from relay.rules import mobile, names, web
from relay.rules.fields import texts
from relay.rules.hashing import DIGEST, hash_identity
from relay.rules.identity_fields import HASHED_FIELDS, IDENTITY_FIELDS
from relay.rules.names import CLEAR_EMAIL, Resolved, Vocabulary, is_showable
from relay.rules.payload import is_given

_IDENTITY_WORDS: Final = re.compile(r"mail|phone|mobile|msisdn|name|tel", re.IGNORECASE)

# H9: an e-mail address in one of these may be intended, so it is kept.
_FREE_FORM: Final = frozenset({"eventValue", "custom_data", "event_value"})
_FREE_TEXT: Final = frozenset({"customer_user_id", "event_url", "http_referrer"})

_REFUSED: Final = frozenset(
    {
        "eventValue", "eventCurrency", "aie", "sharing_filter", "consent_data", "event_revenue",
        "event_revenue_currency", "event_value", "timestamp", "event_name",
    }
)  # fmt: skip
"""Fields without which an event could be sent, and would lose money, consent or its time.

Without its name, what was meant as a web event could be sent as a visit.
"""
_TAKEN_AWAY: Final = [False]
"""In place of their values: a form that each of them refuses."""

_MOST_KEYS: Final = 20


class Kept(NamedTuple):
    """An event as it may be kept, and what could not be hashed."""

    event: dict[str, Any]
    findings: tuple[Finding, ...]


def kept_event(kind: Kind | None, event: Mapping[str, Any], region: str | None) -> Kept:
    """An event that was not checked, as it may be kept; `kind` is None where it is not known.

    `region` is the app's, for phones without a country code: without it these are taken away, and
    a finding says so.
    """
    findings = Findings()
    resolved = names.resolve(event, VOCABULARIES[kind], is_given)
    hashes = hash_identity(resolved.fields, region, findings)
    return Kept(kept_form(event, resolved, (), hashes), findings.as_tuple())


def kept_form(
    event: Mapping[str, Any],
    resolved: Resolved,
    sent: Collection[str],
    hashes: Mapping[str, str],
) -> dict[str, Any]:
    """An event as it came, hashed and without what may be a person's.

    `sent` are the fields that would have been sent of it: they stay as they are.
    """
    vocabulary, kept = resolved.vocabulary, dict[str, Any]()
    for name, value in event.items():
        spelling = resolved.spellings.get(name)
        field = spelling.field if spelling else name if name in vocabulary.known else None
        if value is None or field in IDENTITY_FIELDS:
            continue
        if field is None:
            field = names.field_meant(name, vocabulary)
            item, is_refused = _of_stranger(name, field, value), field is not None
        else:
            item = value if field in sent else _of_field(field, value)
            is_refused = field in _REFUSED
        item = _writable(item, is_refused=is_refused)
        if item is not None:
            kept[_writable_name(name)] = item
    return {**kept, **hashes}


def _of_stranger(name: str, meant: str | None, value: Any) -> Any:
    """The value of a name that is no field's; None if it may be a person's."""
    if meant in HASHED_FIELDS:
        return value if isinstance(value, str) and DIGEST.fullmatch(value) else None
    if meant in IDENTITY_FIELDS:
        return None
    if meant is not None:  # it would be refused again
        return _of_field(meant, value) or _TAKEN_AWAY
    return None if _is_identity(name) or _holds_identity(value) else value


def _of_field(field: str, value: Any) -> Any:
    """The value of a field that is not sent, without what may be a person's."""
    if field in _FREE_FORM or (field in _FREE_TEXT and isinstance(value, str)):
        return value
    if field == "user_id" and isinstance(value, dict):
        return {
            key: item
            for key, item in islice(value.items(), _MOST_KEYS)
            if (key in _FREE_TEXT and isinstance(item, str))
            or not (_is_identity(key) or _holds_identity(item))
        }
    if _holds_identity(value):
        return _TAKEN_AWAY if field in _REFUSED else None
    return value


def _is_identity(name: str) -> bool:
    """Whether a name may refer to a person, or be personal data itself."""
    return (
        not is_showable(name)
        or _IDENTITY_WORDS.search(name) is not None
        or names.is_like(name, IDENTITY_FIELDS)
    )


def _holds_identity(value: object) -> bool:
    return any(
        CLEAR_EMAIL.search(text) or (is_name and _IDENTITY_WORDS.search(text))
        for text, is_name in texts(value)
    )


def _writable(value: Any, *, is_refused: bool) -> Any:
    """A value that can be queued: with U+FFFD for lone surrogates.

    What has no JSON form, such as 1e400, goes: None, or what is refused in its place.
    """
    if _has_json_form(value):
        return value
    value = _readable(value)
    if value is not None and _has_json_form(value):
        return value
    return _TAKEN_AWAY if is_refused else None


def _readable(value: Any) -> Any:
    try:
        return without_lone_surrogates(value)
    except UnwritableError:
        return None


def _has_json_form(value: Any) -> bool:
    try:
        dumps_with_room(value)
    except UnwritableError:
        return False
    return True


def _writable_name(name: str) -> str:
    return str(without_lone_surrogates(name))


VOCABULARIES: Final[Mapping[Kind | None, Vocabulary]] = {
    Kind.MOBILE_EVENT: mobile.VOCABULARY,
    Kind.WEB_EVENT: web.EVENT_VOCABULARY,
    Kind.WEB_VISIT: web.VISIT_VOCABULARY,
    None: mobile.VOCABULARY.joined(web.EVENT_VOCABULARY),
}
"""The names of each kind of event, and of any."""


def former_hashed_event(event: Mapping[str, Any], hashes: Mapping[str, str]) -> dict[str, Any]:
    """An event as release 0.1 kept it, for the digests that it remembered: hashed, not repaired.

    `hashes` are those of the event as it was prepared.
    """
    if not hashes and event.keys().isdisjoint(IDENTITY_FIELDS):
        return dict(event)
    rest = {
        field: value
        for field, value in event.items()
        if field not in IDENTITY_FIELDS and value is not None
    }
    return {**rest, **hashes}
