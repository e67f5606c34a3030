"""Shared by the checks of mobile and web fields: JSON in text, e-mail addresses in the clear."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from relay.domain.findings import Findings
from relay.exact_json import InvalidJsonError, NameTwiceError, loads_once
from relay.rules.leniency import is_blank
from relay.rules.names import CLEAR_EMAIL, is_showable

_NO_VALUE: Final = re.compile(r"[ \t\n\r]*(?:null|\{[ \t\n\r]*\}|\[[ \t\n\r]*\])[ \t\n\r]*")


def is_no_value(value: object) -> bool:
    """M3: whether this says that an event has no value: nothing, blank, `{}`, `[]`, as text too."""
    if isinstance(value, str):
        return _NO_VALUE.fullmatch(value) is not None or is_blank(value)
    return value is None or (isinstance(value, (dict, list)) and not value)


def json_object(value: object) -> dict[str, Any] | None:
    """An object, or a text that holds one; None for anything else.

    Raises `NameTwiceError` for a text in which an object holds a name twice (G5).
    """
    if not isinstance(value, str):
        return value if isinstance(value, dict) else None
    try:
        parsed = loads_once(value)
    except NameTwiceError:
        raise
    except InvalidJsonError:
        return None
    return parsed if isinstance(parsed, dict) else None


def reject_name_twice(name: str, field: str, findings: Findings) -> None:
    """G5: which of the two values is meant cannot be told."""
    which = f"the name {name}" if is_showable(name) else "a name"
    findings.reject(
        "E3", field, f"holds {which} twice in one object, and which value is meant cannot be told: "
        "send it once",
    )  # fmt: skip


def warn_of_clear_email(field: str, value: object, findings: Findings) -> None:
    """H9: an e-mail address in the clear is sent: only the sender knows if it is intended."""
    if any("@" in text and CLEAR_EMAIL.search(text) for text, _ in texts(value)):
        findings.warn(
            "H9", field, "holds an e-mail address in the clear: it is sent as it stands; hash it "
            "or leave it out unless that is meant",
        )  # fmt: skip


def warn_of_clear_email_in_url(field: str, url: str, findings: Findings) -> None:
    """H9 for URLs: searches the URL, percent-decoded once."""
    if "@" in url or "%40" in url:
        warn_of_clear_email(field, unquote(url), findings)


def without_clear_email(text: str) -> str:
    """A text from outside, such as AppsFlyer's response, without e-mail addresses: safe to keep."""
    return re.sub(r"[^@\s/?&=]{1,64}@[^@\s/?&=]+", "(an e-mail address)", text)


def texts(value: object) -> Iterator[tuple[str, bool]]:
    """Every string in a JSON value, and whether it is a name; without recursion."""
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
