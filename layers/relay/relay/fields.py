"""What the checks of mobile and web fields share: absence, text, unknown names, e-mail in clear."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import unquote

from relay.findings import Findings
from relay.hashing import HASHED_FIELDS, PRODUCER_ONLY_FIELDS

_CLEAR_EMAIL: Final = re.compile(r"(?<=[^@\s/?&=])@[^@\s/?&=]+\.[A-Za-z]{2,}")
"""H9. The contract's pattern, anchored at the `@` so that it stays linear on any text."""

_SHOWABLE_NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)

_IDENTITY_WORDS: Final = re.compile(r"mail|phone|mobile|msisdn|name|tel", re.IGNORECASE)


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
    for name in names:
        near = get_close_matches(name[:64], list(known), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "remove it, or put it into the event value"
        findings.reject(rule, showable(name), f"is not a field that AppsFlyer takes; {hint}")


def showable(name: str) -> str:
    """A field name as it may appear in a finding: one that looks like data is not shown."""
    return name if _SHOWABLE_NAME.fullmatch(name) else "(a field whose name cannot be shown)"


def warn_of_clear_email(field: str, value: object, findings: Findings) -> None:
    """H9: an e-mail address in the clear is sent, since only its owner can know if it is meant."""
    if any("@" in text and _CLEAR_EMAIL.search(text) for text in _texts(value)):
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
    event: Mapping[str, Any], known: Iterable[str], hashes: Mapping[str, str]
) -> dict[str, Any]:
    """The event as it may be queued and kept: hashed, and without what could not be hashed.

    What goes: the raw values, digests that are none (somebody's raw value in the wrong place), and
    unknown fields whose name sounds like identity (`e_mail`, `userPhone`).
    """
    known = frozenset(known)
    kept = {
        field: value
        for field, value in event.items()
        if field not in PRODUCER_ONLY_FIELDS
        and field not in HASHED_FIELDS
        and (field in known or not _IDENTITY_WORDS.search(field))
    }
    return {**kept, **hashes}


def _texts(value: object) -> Iterator[str]:
    """All strings in a JSON value, keys included, without recursion."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
