"""People whose names, addresses and phone numbers occur nowhere else, and the search for them.

They are looked for by what is common to all of them (`MARKS`), in every form in which a value may
have been written down: so that one of a thousand people is found as surely as the first.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from tests.support.builders import Json

_NAMES: Final = (
    ("Zyxaphora", "Quillfeather", "zyxaphora.quillfeather"),
    ("Жужелица", "Щукарёва", "zhuzhelitsa_shchukar"),
    ("Ξενοφάνης", "Ψαρουδάκης", "xenophanis-psarou"),
)
"""First name, last name, and how the e-mail address begins."""

MARKS: Final = tuple(mark for names in _NAMES for mark in names)
PHONE_MARKS: Final = ("20255501", "202 555 01", "202) 555-01", "202.555.01", "202-555-01")
"""Of every number +1 202 555 01xx; the first in digits only."""

_PHONE_FORMS: Final = (
    "+1 202 555 01{:02}",
    "(202) 555-01{:02}",
    "+120255501{:02}",
    "202.555.01{:02}",
)


@dataclass(frozen=True)
class Person:
    """One of them."""

    number: int

    @property
    def first_name(self) -> str:
        return f"{self._names[0]}{_letters(self.number)}"

    @property
    def last_name(self) -> str:
        return f"{self._names[1]} {_letters(self.number)}"

    @property
    def email(self) -> str:
        text = f"{self._names[2]}{self.number}@example.com"
        return text if self.number % 2 else f" {text.upper()} "

    @property
    def phone(self) -> str:
        """National numbers are among them: the app's region is that of the US."""
        form = _PHONE_FORMS[self.number % len(_PHONE_FORMS)]
        return form.format(self.number % 100)

    @property
    def raw(self) -> Json:
        """What a producer may put into an event, to have it hashed."""
        return {
            "email": self.email,
            "phone": self.phone,
            "first_name": self.first_name,
            "last_name": self.last_name,
        }

    @property
    def _names(self) -> tuple[str, str, str]:
        return _NAMES[self.number % len(_NAMES)]


def personas(count: int) -> list[Person]:
    return [Person(number) for number in range(count)]


def _letters(number: int) -> str:
    """A number in letters."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


class _Needle(NamedTuple):
    form: str
    text: str
    folded: bool
    """Whether letter case does not matter."""


def _needles() -> Iterator[_Needle]:
    """What a value looks like in those encodings that hide its letters."""
    for mark in (*MARKS, *PHONE_MARKS):
        for spelling in dict.fromkeys((mark, mark.lower(), mark.upper())):
            yield _Needle("hexadecimal", spelling.encode().hex(), folded=True)
            yield _Needle("escaped bytes", repr(spelling.encode())[2:-1].casefold(), folded=True)
            for shift in range(3):
                yield _Needle("base64", _base64_inside(spelling, shift), folded=False)


def _base64_inside(text: str, shift: int) -> str:
    """What a text looks like inside of something in base64, wherever it begins there."""
    encoded = base64.b64encode(b"\0" * shift + text.encode() + b"\0" * 2).decode()
    whole = (shift + len(text.encode())) // 3 * 4  # the last group may hold what comes after
    return encoded[4 if shift else 0 : whole]


_NEEDLES: Final = tuple(_needles())
_ESCAPE: Final = re.compile(r"\\+u([0-9a-fA-F]{4})")
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)[\s().+-]+(?=\d)")


def traces_in(text: str) -> list[str]:
    """In which forms anybody is found in a text; none when nobody is."""
    views = {"plain": text, "JSON-escaped": _unescaped(text), "percent-encoded": _unquoted(text)}
    found = [name for name, view in views.items() if _names_somebody(view.casefold())]
    folded = text.casefold()
    standard = text.replace("-", "+").replace("_", "/")  # of base64's two alphabets
    found += [one.form for one in _NEEDLES if one.text in (folded if one.folded else standard)]
    return sorted(set(found))


def _names_somebody(folded: str) -> bool:
    if any(mark.casefold() in folded for mark in MARKS):
        return True
    return PHONE_MARKS[0] in _BETWEEN_DIGITS.sub("", folded)


def _unescaped(text: str) -> str:
    """As it was before JSON was made of it, once or several times."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def _unquoted(text: str) -> str:
    """As it was before it was percent-encoded, once or twice."""
    return unquote_plus(unquote_plus(text)) if "%" in text else text


class Places:
    """Where somebody could be found, and what is there."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}

    def look(self, place: str, text: str) -> None:
        self._texts.setdefault(place, []).append(text)

    @property
    def traces(self) -> dict[str, list[str]]:
        """Where somebody is, and in which forms."""
        found = {place: traces_in("\n".join(texts)) for place, texts in self._texts.items()}
        return {place: forms for place, forms in found.items() if forms}

    @property
    def size(self) -> int:
        return sum(len(text) for texts in self._texts.values() for text in texts)
