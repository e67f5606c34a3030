"""Shared by the checks of mobile and web fields: absence, text, unknown names, clear e-mail."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from relay.domain.findings import Findings
from relay.exact_json import UnwritableError, dumps_with_room
from relay.rules.hashing import HASHED_FIELDS, PRODUCER_ONLY_FIELDS

_CLEAR_EMAIL: Final = re.compile(r"(?<=[^@\s/?&=])@[^@\s/?&=]+\.[A-Za-z]{2,}")
"""H9. The contract's pattern, anchored at the `@` so that it stays linear on any text."""

_SHOWABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}", re.ASCII)

_MOST_UNKNOWN: Final = 20
"""Unknown fields with a finding each: a thousand findings would not fit into a dead letter."""

_IDENTITY_FIELDS: Final = (*HASHED_FIELDS, *PRODUCER_ONLY_FIELDS)
_IDENTITY_WORDS: Final = re.compile(r"mail|phone|mobile|msisdn|name|tel", re.IGNORECASE)

_MAY_BE_LEFT_OUT: Final = frozenset({"eventTime"})
"""M6: a known field, but not sent if its value is not a time."""

# H9: an e-mail address in one of these may be intended, so it is sent and kept unchanged.
_FREE_FORM: Final = frozenset({"eventValue", "custom_data", "event_value"})
_FREE_TEXT: Final = frozenset({"customer_user_id", "event_url", "http_referrer"})


def is_absent(value: object) -> bool:
    """The contract's general rule: null is absent, and so is a blank optional string."""
    return value is None or (isinstance(value, str) and not value.strip())


def optional_text(
    value: object, rule: str, field: str, findings: Findings, *, longest: int | None = None
) -> str | None:
    """An optional string of at most `longest` characters; None if absent or rejected."""
    if is_absent(value):
        return None
    if not isinstance(value, str):
        findings.reject(rule, field, "must be a string")
    elif longest is not None and len(value) > longest:
        findings.reject(
            rule, field, f"is {len(value)} characters long; at most {longest} are allowed"
        )
    else:
        return value
    return None


def reject_unknown(
    rule: str, names: Iterable[str], known: Iterable[str], findings: Findings
) -> None:
    """M21, W13: a field that AppsFlyer does not know is a mistake; its value would be lost."""
    unknown, known = list(names), list(known)
    for name in unknown[:_MOST_UNKNOWN]:
        close = get_close_matches(name[:64], known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else "remove it, or put it into the event value"
        findings.reject(rule, showable(name), f"is not a field that AppsFlyer takes; {hint}")
    more = len(unknown) - _MOST_UNKNOWN
    if more > 0:
        findings.reject(rule, "event", f"holds {more} more fields that AppsFlyer does not take")


def showable(name: str) -> str:
    """A field name as findings show it: a name that looks like data is replaced."""
    return name if _SHOWABLE_NAME.fullmatch(name) else "(a field whose name cannot be shown)"


def warn_of_clear_email(field: str, value: object, findings: Findings) -> None:
    """H9: an e-mail address in the clear is sent: only the sender knows if it is intended."""
    if any("@" in text and _CLEAR_EMAIL.search(text) for text, _ in _texts(value)):
        findings.warn(
            "H9", field, "holds an e-mail address in the clear: it is sent as it stands; hash it "
            "or leave it out unless that is meant",
        )  # fmt: skip


def warn_of_clear_email_in_url(field: str, url: str, findings: Findings) -> None:
    """H9 for URLs: searches the percent-decoded URL."""
    if "@" in url or "%40" in url:
        warn_of_clear_email(field, unquote(url), findings)


def without_clear_email(text: str) -> str:
    """A text from outside, such as AppsFlyer's response, without e-mail addresses: safe to keep."""
    return re.sub(r"[^@\s/?&=]{1,64}@[^@\s/?&=]+", "(an e-mail address)", text)


def without_raw_identity(
    event: Mapping[str, Any], known: Collection[str], hashes: Mapping[str, str], *, is_sent: bool
) -> dict[str, Any]:
    """The event as it may be queued and kept: hashed, and without what could not be hashed.

    Removes the raw values, and values of digest fields that are not digests (they may be raw values
    in the wrong field). From an event that is not sent, it also removes whatever sounds or looks
    like identity in the wrong place: `e_mail`, `user_id.email`, an e-mail address as `ip`.
    """
    # An event with thousands of unknown fields is rejected; checking each would take seconds.
    candidates = (
        event if len(event) <= len(known) + _MOST_UNKNOWN else [f for f in event if f in known]
    )
    cleaned = {
        field: event[field]
        if is_sent and field in known and field not in _MAY_BE_LEFT_OUT
        else _without_identity(field, event[field], known)
        for field in candidates
        if field not in _IDENTITY_FIELDS
    }
    return {**{field: value for field, value in cleaned.items() if value is not None}, **hashes}


def writable(event: dict[str, Any]) -> dict[str, Any]:
    """The event without fields that have no JSON form: it could not be queued with them."""
    if _has_json_form(event):
        return event
    return {field: value for field, value in event.items() if _has_json_form({field: value})}


def _without_identity(field: str, value: Any, known: Collection[str]) -> Any:
    """A field of an event that is not sent; None where it may hold a person's data."""
    if _may_hold_identity(field, value):
        return value
    if field == "user_id" and isinstance(value, dict):
        return {
            key: item
            for key, item in islice(value.items(), _MOST_UNKNOWN)
            if _may_hold_identity(key, item) or not (_is_identity(key) or _holds_identity(item))
        }
    if field not in known and _is_identity(field):
        return None
    return None if _holds_identity(value) else value


def _may_hold_identity(field: str, value: object) -> bool:
    return field in _FREE_FORM or (field in _FREE_TEXT and isinstance(value, str))


def _is_identity(name: str) -> bool:
    """Whether an unknown field's name may refer to a person, or be personal data itself."""
    return _SHOWABLE_NAME.fullmatch(name) is None or _sounds_like_identity(name)


def _sounds_like_identity(name: str) -> bool:
    return _IDENTITY_WORDS.search(name) is not None or bool(
        get_close_matches(name[:64], _IDENTITY_FIELDS, n=1, cutoff=0.7)
    )


def _holds_identity(value: object) -> bool:
    return any(
        _CLEAR_EMAIL.search(text) or (is_key and _IDENTITY_WORDS.search(text))
        for text, is_key in _texts(value)
    )


def _has_json_form(value: object) -> bool:
    try:
        dumps_with_room(value)
    except UnwritableError:
        return False
    return True


def _texts(value: object) -> Iterator[tuple[str, bool]]:
    """Every string in a JSON value, and whether it is a key; without recursion."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item, False
        elif isinstance(item, dict):
            yield from ((key, True) for key in item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
