"""JSON in forms that cost the most: deep, long, wide, and of values that grow when they are read.

A shape is made to a size in characters. Those of many values exist twice: as many as fit, which is
more than are read, and as many as are read, with spaces after them up to the size.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Final

Shape = Callable[[int], str]

UNITS: Final = {
    "numbers": "1",
    "prices": "1.5",
    "large numbers": "99999999999999999999",
    "numbers with an exponent": "1e300",
    "small numbers with an exponent": "1E-300",
    "short numbers with an exponent": "1e99",
    "empty lists": "[]",
    "lists in lists": "[[]]",
    "empty objects": "{}",
    "objects": '{"":0}',
    "empty texts": '""',
    "short texts": '"ab"',
    "short wide texts": '"\U0001f600"',
    "short escaped texts": '"\\u0100"',
    "deep lists in a list": "[" * 240 + "]" * 240,
    "lists deeper than can be written": "[" * 900 + "]" * 900,
}
"""What fills a list."""

WHOLE: Final[dict[str, Shape]] = {
    "opened and not closed": lambda size: "[" * size,
    "deep lists": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "deep objects": lambda size: '{"a":' * (size // 6) + "1" + "}" * (size // 6),
    "digits": lambda size: "9" * size,
    "decimals": lambda size: "0." + "1" * size,
    "an exponent": lambda size: "1e999999999",
    "text": lambda size: f'"{"x" * size}"',
    "text with one wide character": lambda size: f'"{"x" * (size - 4)}\U0001f600"',
    "text of two bytes a character": lambda size: '"' + "\u0416" * (size // 2) + '"',
    "text of four bytes a character": lambda size: '"' + "\U0001f600" * (size // 4) + '"',
    "at signs": lambda size: f'"{"@" * size}"',
    "an address without an end": lambda size: f'"{"a" * size}@"',
    "addresses": lambda size: f'"{"a@b.cc " * (size // 7)}"',
    "escapes": lambda size: '"' + "\\u0000" * (size // 6) + '"',
    "escaped quotes": lambda size: '"' + '\\"' * (size // 2) + '"',
    "halves of characters": lambda size: '"' + "\\ud800" * (size // 6) + '"',
    "percent signs": lambda size: f'"{"%40" * (size // 3)}"',
    "spaces": lambda size: f'"{" " * size}"',
    "fields": lambda size: json.dumps({f"f{number}": 1 for number in range(size // 14)}),
    "addresses as fields": lambda size: json.dumps(
        {f"m{number}@x.yy": 1 for number in range(size // 22)}
    ),
    "one field again and again": lambda size: "{" + '"a":1,' * (size // 6) + '"a":1}',
}
"""One value."""


def list_of(unit: str, size: int, most_values: int | None = None) -> str:
    """A list of this size, filled with `unit`; with no more values than `most_values`."""
    count = (size - 2) // (len(unit) + 1)
    if most_values is not None:
        values = 1 + sum(map(unit.count, "[{:")) + (6 if "e" in unit.lower() else 0)
        count = min(count, (most_values - 100) // values)  # 100 for what is around it
    text = ",".join([unit] * count)
    return f"[{text}{' ' * (size - len(text) - 2)}]"


def shapes(most_values: int) -> dict[str, Shape]:
    """Every shape by its name, the lists of no more than `most_values` values included."""
    found = dict(WHOLE)
    for title, unit in UNITS.items():
        found[title] = partial(list_of, unit)
        found[f"{title}, as many as are read"] = partial(list_of, unit, most_values=most_values)
    return found
