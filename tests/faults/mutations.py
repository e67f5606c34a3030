"""Inputs as nobody should send them, made of good ones: by number, the same on every run.

Hypothesis takes some ten milliseconds to draw such an input and finds the small ones; these take
some ten microseconds, so that there can be a hundred thousand of each.
"""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from tests.faults.heard import Heard, hearing

CANARY = "quill7@example.com"
"""Stands in values of the good inputs: no answer and no log may have it. As the name of a field it
could not be shown either."""

_INJECTED = "\r\nX-Injected: 1\r\n\r\n"
MEBIBYTE = 1024 * 1024

ODD_VALUES: Sequence[Any] = [
    *(None, True, False, 0, -1, 7, 2**31, 2**63, 2**64, 10**40, 0.1, 1e300, -0.0),
    *("", " ", "0", "-1", "null", "NaN", "1e400", "\x00", "\n", "\ud800", "\udfff\ud800", "\ufffe"),
    *("\u202e", "ſ", "İ", "𝟙𝟚𝟛", "e\u0301" * 300, "x" * 65, "x" * 257, "x" * 4_097, "9" * 400),
    *(_INJECTED, f"id1{_INJECTED}", "../../x", "%2e%2e%2f", "..", "?a=b#c", "//example.com/x"),
    *("http://127.0.0.1:1/", "https://user:pass@example.com:99999/", "javascript:alert(1)"),
    *(CANARY, f"<{CANARY}>", "+1 202 555 0142", "2026-13-45 99:99:99", "0000-00-00T00:00:00Z"),
    *("9999-12-31T23:59:59.999-23:59", "0001-01-01 00:00:00+23:59", 253_402_300_799_999, 10**18),
    *([], {}, [[]], [None] * 30, {"": ""}, {"\ud800": 1}, {CANARY: CANARY}, [CANARY], {"a": {}}),
]

ODD_TEXTS: Sequence[bytes] = [
    *(b"\x00", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"\\u0000"),
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"//", b"/*", b"'", b"\r\n", b"\t"),
    *(b"NaN", b"Infinity", b"-Infinity", b"-", b"01", b"1e999999999", b"-1e-999999999", b"0.0e0"),
    *(b"9" * 400, b"1." + b"0" * 400, b"null", b"true", b'"a":1,"a":2,', b'{"event":', b"[[[[[[[["),
    _INJECTED.encode(),
]

LARGE: Sequence[Callable[[], bytes]] = [
    lambda: b"[" * 100_000,
    lambda: b"[" * 50_000 + b"]" * 50_000,
    lambda: b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    lambda: b"9" * 200_000,
    lambda: b'"' + b"x" * (MEBIBYTE - 2_000) + b'"',
    lambda: b'"' + b"@" * 200_000 + b'"',
    lambda: b"[" + b"1," * 200_000 + b"1]",
    lambda: json.dumps({f"field{number}": number for number in range(20_000)}).encode(),
    lambda: b'"' + "\u202eÅ@".encode() * 50_000 + b'"',
]
"""Deep, long and wide: up to a mebibyte."""

Place = tuple[Any, ...]
Case = TypeVar("Case")


def places(content: Any, before: Place = ()) -> list[Place]:
    """The ways to every value in a JSON value, itself included."""
    found = [before]
    inner = dict(enumerate(content)) if isinstance(content, list) else content
    if isinstance(inner, dict):
        for name, value in inner.items():
            found += places(value, (*before, name))
    return found


class Mutator:
    """Changes good inputs by a chance of its own."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)  # noqa: S311 - to be repeated, not to be secret

    def body(self, good: Sequence[bytes]) -> bytes:
        """One of these JSON texts with one to four changes."""
        text = self.random.choice(good)
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 4))):
            text = self._changed(text, good)
        return text

    def message(self, good: Sequence[bytes]) -> str:
        """As `body`, as the text of an SQS message: valid Unicode, a mebibyte at most."""
        while True:
            text = self.body(good).decode("utf-8", "replace")
            if len(text.encode()) <= MEBIBYTE:
                return text

    def text(self, good: Sequence[str]) -> str:
        """One of these texts, some of the time with changes; valid Unicode."""
        raw = self.torn(self.random.choice(good).encode())
        return raw.decode("utf-8", "replace")

    def value(self) -> Any:
        """A JSON value that has no business anywhere."""
        return self.random.choice(ODD_VALUES)

    def torn(self, raw: bytes) -> bytes:
        """Bytes with one place changed."""
        at = self.random.randrange(len(raw) + 1)
        until = min(len(raw), at + self.random.choice((0, 1, 1, 4, 16, len(raw))))
        match self.random.randrange(6):
            case 0:  # take out
                return raw[:at] + raw[until:]
            case 1:  # twice
                return raw[:until] + raw[at:]
            case 2:  # break off
                return raw[:at]
            case 3 if at < until:  # another byte
                return raw[:at] + bytes([self.random.randrange(256)]) + raw[at + 1 :]
            case _:
                return raw[:at] + self.random.choice(ODD_TEXTS) + raw[until:]

    def _changed(self, text: bytes, good: Sequence[bytes]) -> bytes:
        chance = self.random.random()
        if chance < 0.004:  # they take a thousand times as long
            return self._enlarged(text)
        if chance < 0.4:
            return self.torn(text)
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return self.torn(text)
        return self._written(self._rearranged(content, good))

    def _rearranged(self, content: Any, good: Sequence[bytes]) -> Any:
        """A JSON value with one of its values changed, left out, renamed, moved or added."""
        place = self.random.choice(places(content))
        if not place:
            return self.random.choice((self.value(), [content], {"a": content}, [content] * 3))
        inner = content
        for name in place[:-1]:
            inner = inner[name]
        name = place[-1]
        match self.random.randrange(8):
            case 0:
                del inner[name]
            case 1 if isinstance(inner, dict):
                inner[self._name(content)] = inner.pop(name)
            case 2 if isinstance(inner, dict):
                inner[self._name(content)] = self.value()
            case 3:
                inner[name] = self._anything_of(json.loads(self.random.choice(good)))
            case 4:
                inner[name] = self.random.choice(([inner[name]], {"a": inner[name]}))
            case _:
                inner[name] = self.value()
        return content

    def _name(self, content: Any) -> str:
        if self.random.random() < 0.5:
            return str((*self.random.choice(places(content)), "a")[0])
        return self.random.choice(("", "\x00", "\ud800", CANARY, "Event", "event ", "__proto__"))

    def _anything_of(self, content: Any) -> Any:
        for name in self.random.choice(places(content)):
            content = content[name]
        return content

    def _written(self, content: Any) -> bytes:
        """As JSON that says halves of surrogate pairs in the one way there is."""
        text = json.dumps(content, ensure_ascii=self.random.random() < 0.5)
        try:
            return text.encode()
        except UnicodeEncodeError:
            return json.dumps(content).encode()

    def _enlarged(self, text: bytes) -> bytes:
        large = self.random.choice(LARGE)()
        at = text.find(b":", self.random.randrange(len(text) + 1)) + 1
        end = min((i for i in (text.find(b",", at), text.find(b"}", at)) if i >= 0), default=at)
        return text[:at] + large + text[end:]


def fuzz(
    name: str,
    count: int,
    make: Callable[[Mutator], Case],
    promise: Callable[[Case, Heard], None],
) -> None:
    """Holds a promise to `count` inputs; one that breaks it is named by its number, and shown."""
    with hearing() as heard:
        for number in range(count):
            case = make(Mutator(f"{name} {number}"))
            try:
                promise(case, heard)
            except BaseException as error:
                error.add_note(f"{name}, input {number}: {case!r}"[:4_000])
                raise
