"""What senders' values are forgiven: edges, types and placeholders (G1, G2, G4 of the contract).

One table says which field is forgiven what, and one function reads a field by it, in the contract's
order: `null`, G1, blank, G2, G4. What comes out is the field's own rule's to judge, and what that
rule does not take is left out (G3) or rejected there.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from relay.exact_json import UnwritableError, decimal_of, plain_number
from relay.rules.identity_fields import HASHED_FIELDS

# Edges, by G1

_EDGE_CHARACTERS: Final = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""What stands around a value unseen, besides white space."""
_WHITE_SPACE: Final = "".join(map(chr, filter(lambda code: chr(code).isspace(), range(0x3001))))
"""Unicode's white space, and U+001C to U+001F; the last is U+3000."""
_EDGES: Final = _WHITE_SPACE + _EDGE_CHARACTERS


def trim(text: str) -> str:
    r"""G1: the text without white space and unseen characters around it.

    >>> trim("\ufeff u-1\t\u200b")
    'u-1'
    """
    return text.strip(_EDGES)


def is_blank(value: object) -> bool:
    """Whether a value is a text of which nothing is left after G1."""
    return isinstance(value, str) and not value.strip(_EDGES)


def is_absent(value: object) -> bool:
    """Section 0: `null` is absent, and so is a blank text in an optional field."""
    return value is None or is_blank(value)


def without_edge_characters(text: str) -> str:
    """The text without G1's characters, wherever they stand (E8)."""
    return text.translate(_NO_EDGES)


_NO_EDGES: Final = dict.fromkeys(map(ord, _EDGES))

# Types, by G2: each function returns the one form that a value has


class _Unconvertible:
    """The value has not exactly one right form."""


_NONE: Final = _Unconvertible()


def id_of(value: object) -> str | None:
    """G2, *id*: a whole number as its digits; None for anything else, a text too.

    >>> id_of(Decimal("1e3")), id_of(-5), id_of(0.5)
    ('1000', None, None)
    """
    number = decimal_of(value)
    if number is None or abs(number.adjusted()) > _LONGEST_ID or number < 0:
        return None
    if number != number.to_integral_value():
        return None
    digits = format(number.to_integral_value().copy_abs(), "f")  # -0 is 0
    return digits if len(digits) <= _LONGEST_ID else None


_LONGEST_ID: Final = 400


def ascii_lower(text: str) -> str:
    """The text with `A` to `Z` in lower case, and no other letter (section 0)."""
    return text.lower() if text.isascii() else text.translate(_TO_LOWER)


def ascii_upper(text: str) -> str:
    """The text with `a` to `z` in upper case, and no other letter (section 0)."""
    return text.upper() if text.isascii() else text.translate(_TO_UPPER)


_LOWER_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_TO_LOWER: Final = str.maketrans(_LOWER_LETTERS.upper(), _LOWER_LETTERS)
_TO_UPPER: Final = str.maketrans(_LOWER_LETTERS, _LOWER_LETTERS.upper())


def _to_id(value: object) -> Any:
    digits = id_of(value)
    return _NONE if digits is None else digits


def _to_text(value: object) -> Any:
    number = decimal_of(value)
    try:
        return _NONE if number is None else plain_number(number)
    except UnwritableError:
        return _NONE


def to_integer(value: object) -> Any:
    """G2, *integer*: text of digits, and a whole number; anything else as it is."""
    if isinstance(value, str):
        digits = value.lstrip("0") or value[:1]
        fits = _DIGITS.fullmatch(value) is not None and len(digits) <= _LONGEST_ID
        return int(digits) if fits else value
    number = decimal_of(value)
    if number is None or abs(number.adjusted()) > _LONGEST_ID:
        return value
    return int(number) if number == number.to_integral_value() else value


_DIGITS: Final = re.compile(r"[0-9]+")
PLAIN_AMOUNT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
"""M4: digits, an optional leading minus, an optional decimal point followed by digits."""


def _to_boolean(value: object) -> Any:
    return _BOOLEANS.get(ascii_lower(value), value) if isinstance(value, str) else value


_BOOLEANS: Final = {"true": True, "false": False}


def _to_number(value: object) -> Any:
    if isinstance(value, str) and PLAIN_AMOUNT.fullmatch(value):
        return Decimal(value)
    return value


# Placeholders, by G4

Placeholders = Literal["ids", "users", "regions"]

_NOBODY: Final = frozenset({"null", "none", "nil", "undefined", "(null)"})
_NO_ID: Final = _NOBODY | {"n/a", "na", "unknown", "nan", "[null]", "get gaid failed"}
_LISTS: Final[Mapping[str, frozenset[str]]] = {
    "ids": _NO_ID,
    "users": _NOBODY,  # a user may be called unknown, or 0
    "regions": _NO_ID - {"na"},  # Namibia
}
_ZEROS: Final = re.compile(r"-*0[0-]*")


def is_placeholder(text: str, placeholders: Placeholders = "ids") -> bool:
    """G4: whether a trimmed text stands for nothing."""
    # Most texts are longer than any word of the lists, and begin with neither 0 nor a hyphen.
    if len(text) <= _LONGEST_WORD and text.lower() in _LISTS[placeholders] and text.isascii():
        return True
    return text[:1] in _ZEROS_BEGIN and placeholders != "users" and bool(_ZEROS.fullmatch(text))


_LONGEST_WORD: Final = max(map(len, _NO_ID))
_ZEROS_BEGIN: Final = frozenset("0-")

# The table


class Form(NamedTuple):
    """What the values of one field are forgiven: a row of the table of section 0."""

    trims: bool = False
    """G1."""
    convert: Callable[[object], Any] | None = None
    """G2; None: strict."""
    placeholders: Placeholders | None = None
    """G4."""
    blank_is_wrong: bool = False
    """Section 0: a blank text is a wrong type here, and not absent."""

    @property
    def keeps_text(self) -> bool:
        """Whether a text stays a text (G2)."""
        return self.convert not in _OF_TEXT


class Reading(NamedTuple):
    """A field's value after G1, G2 and G4."""

    value: Any
    """None: absent, by itself or as a placeholder."""
    is_changed: bool = False
    """Whether G1 or G2 changed it: a repair, if it is sent."""
    is_placeholder: bool = False


_ABSENT: Final = Reading(None)
_PLACEHOLDER: Final = Reading(None, is_placeholder=True)


def read(value: object, form: Form) -> Reading:
    """A field's value as it is meant, by the row of its field; a blank text is absent."""
    if value is None:
        return _ABSENT
    trims, convert, placeholders, blank_is_wrong = form
    meant: Any = value
    if isinstance(value, str):
        trimmed = value.strip(_EDGES)
        if not trimmed:
            return Reading(value) if blank_is_wrong else _ABSENT
        if trims:
            meant = trimmed
    if convert is not None and (not isinstance(meant, str) or convert in _OF_TEXT):
        meant = convert(meant)
        if meant is _NONE:
            return Reading(value)
    if placeholders is not None and isinstance(meant, str) and is_placeholder(meant, placeholders):
        return _PLACEHOLDER
    return Reading(meant, is_changed=meant is not value and is_converted(meant, value))


def _in_each_case(two: str) -> list[str]:
    return [one + other for one in {two[0], two[0].upper()} for other in {two[1], two[1].upper()}]


MAY_BE_A_PLACEHOLDER: Final = frozenset(
    ("", "0", "00", "0-", "-0", "--", *(two for word in _NO_ID for two in _in_each_case(word[:2])))
)
"""The first two characters of all placeholders; an empty text has to be looked at, too."""


def is_converted(meant: object, value: object) -> bool:
    """Whether a value had to be converted to be read as `meant` (G1, G2)."""
    if type(meant) is type(value):
        return meant != value
    # An integer of many digits is parsed as a decimal (`exact_json`), and is one all the same.
    is_long_integer = isinstance(value, Decimal) and value.as_tuple().exponent == 0 and value != 0
    return not (type(meant) is int and is_long_integer)


_OF_TEXT: Final = frozenset({to_integer, _to_boolean, _to_number})

ID: Final = Form(trims=True, convert=_to_id, placeholders="ids")
USER: Final = Form(trims=True, convert=_to_id, placeholders="users")
STRICT_ID: Final = Form(trims=True, placeholders="ids")
REGION: Final = Form(trims=True, placeholders="regions")
TRIMMED: Final = Form(trims=True)
VERSION: Final = Form(trims=True, convert=_to_text)
TEXT: Final = Form(convert=_to_text)
INTEGER: Final = Form(convert=to_integer)
BOOLEAN: Final = Form(convert=_to_boolean)
AS_IT_IS: Final = Form()

FORMS: Final[Mapping[str, Form]] = {
    # both surfaces
    "customer_user_id": USER,
    "ip": STRICT_ID,
    "phone_region": REGION,
    # mobile
    "appsflyer_id": STRICT_ID,
    "eventName": TRIMMED,
    "eventCurrency": STRICT_ID,
    "eventTime": TRIMMED,
    "advertising_id": ID,
    "oaid": ID,
    "amazon_aid": ID,
    "imei": ID,
    "app_set_id": AS_IT_IS,
    "app_set_id.scope": INTEGER,
    "app_set_id.id": STRICT_ID,
    "idfa": STRICT_ID,
    "idfv": STRICT_ID,
    "att": INTEGER,
    "aie": BOOLEAN,
    "os": VERSION,
    "bundleIdentifier": ID,
    "sharing_filter": TRIMMED,
    "consent_data": Form(blank_is_wrong=True),
    "app_type": AS_IT_IS,
    "fb_login_id": ID,
    "app_version_name": TEXT,
    "app_store": TEXT,
    "ua": TEXT,
    "custom_dimension": TEXT,
    # web
    "user_id.customer_user_id": USER,
    "user_id.appsflyer_id": ID,
    "event_name": TRIMMED,
    "event_revenue": Form(convert=_to_number, blank_is_wrong=True),
    "event_revenue_currency": STRICT_ID,
    "event_url": STRICT_ID,
    "timestamp": Form(trims=True, blank_is_wrong=True),
    "event_value": Form(blank_is_wrong=True),
    "user_agent": TEXT,
    "http_referrer": TEXT,
    "customer_dedup_id": ID,
    # section 3
    **dict.fromkeys(HASHED_FIELDS, TRIMMED),
}
"""The contract's table of fields. A field that is not here is read as it is."""
