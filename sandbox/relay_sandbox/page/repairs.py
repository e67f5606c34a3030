"""Repairs to click: changes of what was typed after which a finding is gone. Pure.

None is told by heart: likely changes are tried, and those that help, and do no harm, are offered.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, dumps
from relay.rules import mobile, web
from relay_sandbox.journal.reading import read_event
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.typed import Typed

_MOST: Final = 3
_CUTOFF: Final = 0.75
_GROUP: Final = 3
_PLAIN: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_MONEY: Final = frozenset({"af_revenue", "event_revenue"})
"""Never taken out: an event without its money would be recorded without it."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One change: what a button says, and the whole text after it."""

    label: str
    text: str

    def as_json(self) -> dict[str, str]:
        """The repair for the page."""
        return {"label": self.label, "text": self.text}


def repairs_for(
    typed: Typed, finding: Mapping[str, str], zone: str, arrival: datetime
) -> list[Repair]:
    """At most three repairs of one finding; each is sure to remove it."""
    if typed.form not in {"event", "envelope"} or not isinstance(typed.event, dict):
        return []
    found: list[Repair] = []
    before = _marks(typed, typed.event, zone, arrival)
    for label, event in _changes(typed, finding["field"]):
        after = _marks(typed, event, zone, arrival)
        mark = (finding["rule"], finding["field"])
        if after is not None and mark not in after and _is_better(after, before):
            found.append(Repair(label, _text_with(typed, event)))
        if len(found) == _MOST:
            break
    return found


def _is_better(
    after: Mapping[tuple[str, str], str], before: Mapping[tuple[str, str], str] | None
) -> bool:
    """Whether less rejects the event, or as much and there are fewer findings."""
    known = before or {}
    new = after.keys() - known.keys()
    if any(after[mark] == "reject" for mark in new):
        return False
    rejects = [sum(one == "reject" for one in marks.values()) for marks in (after, known)]
    return rejects[0] < rejects[1] or len(after) < len(known)


def _marks(
    typed: Typed, event: dict[str, Any], zone: str, arrival: datetime
) -> dict[tuple[str, str], str] | None:
    try:
        envelope = typed.envelope().model_copy(update={"event": event})
        reading = read_event(envelope, zone, arrival, arrival)
    except (PageError, UnwritableError):
        return None
    return {(one["rule"], one["field"]): one["severity"] for one in reading.findings}


def _changes(typed: Typed, field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Likely changes of one field, the best first."""
    parts = field.split(".")
    parent = _parent(typed.event, parts)
    if parent is None:
        return
    name = parts[-1]
    if name not in parent:
        yield from _missing(typed, parts)
        return
    for label, change in _of_value(name, parent[name]):
        yield label, _changed(typed.event, parts, change)
    yield from _renamed(typed, parts)
    if name not in _MONEY:
        yield f"Take {name} out", _changed(typed.event, parts, lambda place, key: place.pop(key))


def _of_value(
    name: str, value: object
) -> Iterator[tuple[str, Callable[[dict[str, Any], str], object]]]:
    for label, new in _other_values(name, value):
        if new != value or type(new) is not type(value):
            shown = json.dumps(new, default=float, ensure_ascii=False)
            yield f"{label}: {name} {shown}"[:80], _set_to(new)


def _set_to(new: object) -> Callable[[dict[str, Any], str], object]:
    def change(place: dict[str, Any], key: str) -> None:
        place[key] = new

    return change


def _other_values(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, str):
        text = value.strip()
        yield "Take the spaces out", text
        yield "Upper case", text.upper()
        yield "Lower case", text.lower()
        plain = plain_amount(text)
        if plain is not None:
            yield "As plain digits", plain
            if name != "af_revenue":
                yield "As a number", int(plain) if plain.isdigit() else Decimal(plain)
        if "urrency" in name:
            yield "A currency's code", text[:3].upper()
        yield from _as_object(text)
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        yield "As text", str(value)
    elif isinstance(value, dict | list):
        try:
            yield "As text", dumps(value).decode()
        except UnwritableError:
            return


def plain_amount(text: str) -> str | None:
    """An amount as plain digits: without a currency, without separators of thousands.

    Of two separators the last is the decimal one; a single one is it too, unless three digits
    follow: `1,200` is a thousand.
    """
    digits = "".join(c for c in text if c in "0123456789.,-")
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        plain = digits
    else:
        separators = {c for c in digits if c in ".,"}
        after = digits[last + 1 :]
        is_thousands = len(separators) == 1 and len(after) == _GROUP
        whole = digits[:last].replace(",", "").replace(".", "")
        plain = whole + after if is_thousands else f"{whole}.{after}"
    return plain if _PLAIN.fullmatch(plain) else None


def _as_object(text: str) -> Iterator[tuple[str, object]]:
    if text.startswith("{"):
        try:
            yield "As an object", json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError):
            return


def _renamed(typed: Typed, parts: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for known in _close_names(typed, parts[-1]):
        yield f"Rename to {known}", _changed(typed.event, parts, _rename_to(known))


def _rename_to(known: str) -> Callable[[dict[str, Any], str], object]:
    def change(place: dict[str, Any], key: str) -> None:
        kept = {known if name == key else name: value for name, value in place.items()}
        place.clear()
        place.update(kept)

    return change


def _close_names(typed: Typed, name: str) -> list[str]:
    known = _known_fields(typed)
    folded: dict[str, str] = {one.replace("_", "").lower(): one for one in sorted(known)}
    folded_name = name.replace("_", "").replace("-", "").lower()
    close = difflib.get_close_matches(folded_name, list(folded), n=2, cutoff=_CUTOFF)
    return [folded[one] for one in close if folded[one] not in typed.event]


def _known_fields(typed: Typed) -> frozenset[str]:
    return frozenset(mobile.KNOWN_FIELDS if typed.kind is Kind.MOBILE_EVENT else web.KNOWN_FIELDS)


def _missing(typed: Typed, parts: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A field that is not there: perhaps it is, under another name."""
    if len(parts) > 1:
        return
    wanted = parts[0].replace("_", "").lower()
    for name in typed.event.keys() - _known_fields(typed):
        folded = name.replace("_", "").replace("-", "").lower()
        if difflib.SequenceMatcher(None, wanted, folded).ratio() >= _CUTOFF:
            change = _rename_to(parts[0])
            yield f"Rename {name} to {parts[0]}"[:80], _changed(typed.event, [name], change)


def _parent(event: dict[str, Any], parts: list[str]) -> dict[str, Any] | None:
    place: Any = event
    for part in parts[:-1]:
        place = place.get(part) if isinstance(place, dict) else None
    return place if isinstance(place, dict) else None


def _changed(
    event: dict[str, Any], parts: list[str], change: Callable[[dict[str, Any], str], object]
) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    place = _parent(changed, parts)
    if place is not None:
        change(place, parts[-1])
    return changed


def _text_with(typed: Typed, event: dict[str, Any]) -> str:
    document = event if typed.form == "event" else {**typed.document, "event": event}
    return _indented(document)


def _indented(document: object) -> str:
    """The document on several lines, with numbers as they were written."""
    numbers: dict[str, str] = {}

    def keep(value: object) -> object:
        if isinstance(value, Decimal):
            mark = f"\ue000{len(numbers)}\ue000"
            numbers[f'"{mark}"'] = format(value, "f")
            return mark
        raise TypeError

    text = json.dumps(document, indent=2, ensure_ascii=False, default=keep)
    for mark, number in numbers.items():
        text = text.replace(mark, number)
    return text
