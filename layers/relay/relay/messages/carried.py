"""The findings of an event's first handling, which its envelope carries. Pure.

A repaired event shows no repair when it is checked again, so what its sender is to see travels.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from relay.domain.findings import Finding, Severity
from relay.messages.envelope import KEY_OVER_HTTP, money_without_id

_RULE: Final = re.compile(r"[A-Z][0-9]{1,2}", re.ASCII)
_MAY_BE_A_PERSONS: Final = re.compile(r"\S@\S|\+[ (]?[0-9]")
"""An e-mail address or a phone number: no message of the relay's holds one."""
_LONGEST_FIELD: Final = 200
_LONGEST_MESSAGE: Final = 600
_MOST: Final = 100
"""Several times what one event can have."""


def carried_findings(written: Iterable[Mapping[str, str]]) -> tuple[Finding, ...]:
    """The warnings and repairs that an envelope carries.

    Only those of a form that the relay writes: anybody may have written them. What rejected an
    event is found again if it is still there, and times (T) are reckoned anew (Q8).
    """
    found = (_finding(one) for one in written)
    return tuple(one for one in found if one is not None)[:_MOST]


def _finding(written: Mapping[str, str]) -> Finding | None:
    rule, severity, field, message = (
        written.get(name, "") for name in ("rule", "severity", "field", "message")
    )
    if rule == "S6":  # marks an event that had no id when it came in, whatever its text
        return money_without_id(field if field == KEY_OVER_HTTP else "event_id")
    if not _RULE.fullmatch(rule) or rule.startswith("T") or severity not in _CARRIED:
        return None
    return Finding(rule, Severity(severity), field, message) if _is_safe(field, message) else None


def _is_safe(field: str, message: str) -> bool:
    return (
        0 < len(field) <= _LONGEST_FIELD
        and 0 < len(message) <= _LONGEST_MESSAGE
        and all(
            text.isascii() and text.isprintable() and not _MAY_BE_A_PERSONS.search(text)
            for text in (field, message)
        )
    )


def together(earlier: Sequence[Finding], now: Sequence[Finding]) -> tuple[Finding, ...]:
    """What was found before, and what is found now and was not."""
    if not earlier or not now:
        return tuple(earlier or now)
    known = {(one.rule, one.severity, one.field) for one in earlier}
    added = (one for one in now if (one.rule, one.severity, one.field) not in known)
    return (*earlier, *added)


_CARRIED: Final = frozenset({Severity.WARN.value, Severity.REPAIR.value})
