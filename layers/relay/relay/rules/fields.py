"""What the checks of mobile and web fields share: absence, text, unknown names, e-mail in clear."""

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

_MOST_STRANGERS: Final = 20
"""Unknown fields that get a finding each: a thousand findings would not fit into a dead letter."""

_IDENTITY_FIELDS: Final = (*HASHED_FIELDS, *PRODUCER_ONLY_FIELDS)
_IDENTITY_WORDS: Final = re.compile(r"mail|phone|mobile|msisdn|name|tel", re.IGNORECASE)

# H9: an e-mail address in one of these may be meant, so it is sent and kept as it stands.
_MAY_BE_LEFT_OUT: Final = frozenset({"eventTime"})
"""M6: known, and yet what stands in it may be no time and is not sent."""

_FREE_FORM: Final = frozenset({"eventValue", "custom_data", "event_value"})
_FREE_TEXT: Final = frozenset({"customer_user_id", "event_url", "http_referrer"})


def is_absent(value: object) -> bool:
    """The contract's general rule: null, and for an optional string also blank, means absent."""
    return value is None or (isinstance(value, str) and not value.strip())


def optional_text(
    value: object, rule: str, field: str, findings: Findings, *, longest: int | None = None
) -> str | None:
    """An optional string of at most `longest` characters; None where absent or rejected."""
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
    """M21, W13: a field that AppsFlyer does not know is a slip, and its value would be lost."""
    strangers, known = list(names), list(known)
    for name in strangers[:_MOST_STRANGERS]:
        near = get_close_matches(name[:64], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "remove it, or put it into the event value"
        findings.reject(rule, showable(name), f"is not a field that AppsFlyer takes; {hint}")
    more = len(strangers) - _MOST_STRANGERS
    if more > 0:
        findings.reject(rule, "event", f"holds {more} more fields that AppsFlyer does not take")


def showable(name: str) -> str:
    """A field name as it may appear in a finding: one that looks like data is not shown."""
    return name if _SHOWABLE_NAME.fullmatch(name) else "(a field whose name cannot be shown)"


def warn_of_clear_email(field: str, value: object, findings: Findings) -> None:
    """H9: an e-mail address in the clear is sent, since only its owner can know if it is meant."""
    if any("@" in text and _CLEAR_EMAIL.search(text) for text, _ in _texts(value)):
        findings.warn(
            "H9", field, "holds an e-mail address in the clear: it is sent as it stands; hash it "
            "or leave it out unless that is meant",
        )  # fmt: skip


def warn_of_clear_email_in_url(field: str, url: str, findings: Findings) -> None:
    """H9 for URLs: looked at after percent-decoding."""
    if "@" in url or "%40" in url:
        warn_of_clear_email(field, unquote(url), findings)


def without_clear_email(text: str) -> str:
    """A text of somebody else's, such as AppsFlyer's answer, fit to be kept."""
    return re.sub(r"[^@\s/?&=]{1,64}@[^@\s/?&=]+", "(an e-mail address)", text)


def without_raw_identity(
    event: Mapping[str, Any], known: Collection[str], hashes: Mapping[str, str], *, is_sent: bool
) -> dict[str, Any]:
    """The event as it may be queued and kept: hashed, and without what could not be hashed.

    What goes: the raw values, and digests that are none (somebody's raw value in the wrong place).
    Of what is not sent also whatever sounds or looks like identity where none belongs: `e_mail`,
    `user_id.email`, an e-mail address as `ip`.
    """
    # An event of thousands of made-up fields is rejected, and looking at each would take seconds.
    candidates = (
        event if len(event) <= len(known) + _MOST_STRANGERS else [f for f in event if f in known]
    )
    kept = {
        field: event[field]
        if is_sent and field in known and field not in _MAY_BE_LEFT_OUT
        else _fit_to_keep(field, event[field], known)
        for field in candidates
        if field not in _IDENTITY_FIELDS
    }
    return {**{field: value for field, value in kept.items() if value is not None}, **hashes}


def writable(event: dict[str, Any]) -> dict[str, Any]:
    """The event without the fields that have no JSON form: with them it could not be queued."""
    if _has_json_form(event):
        return event
    return {field: value for field, value in event.items() if _has_json_form({field: value})}


def _fit_to_keep(field: str, value: Any, known: Collection[str]) -> Any:
    """A field of an event that is not sent; None where it may hold a person's data."""
    if _is_owners_choice(field, value):
        return value
    if field == "user_id" and isinstance(value, dict):
        return {
            key: item
            for key, item in islice(value.items(), _MOST_STRANGERS)
            if _is_owners_choice(key, item) or not (_is_identity(key) or _holds_identity(item))
        }
    if field not in known and _is_identity(field):
        return None
    return None if _holds_identity(value) else value


def _is_owners_choice(field: str, value: object) -> bool:
    return field in _FREE_FORM or (field in _FREE_TEXT and isinstance(value, str))


def _is_identity(name: str) -> bool:
    """Whether a made-up field's name may be about a person, or be a person's data itself."""
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
    """All strings in a JSON value, and whether each is a key; without recursion."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item, False
        elif isinstance(item, dict):
            yield from ((key, True) for key in item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
