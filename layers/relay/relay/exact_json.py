"""JSON that keeps numbers exact.

Numbers are read as `int` or `Decimal`, never as binary floats, and written with the same digits and
no exponent (M4). The output is compact, and non-ASCII text is not escaped (E5).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

_LONGEST_INT: Final = 18
"""Digits that always fit into 64 bits, the most that orjson can write."""

LONGEST_PLAIN: Final = 400
"""Most characters of a plain number; the largest double has 309 digits before the point."""

MOST_VALUES: Final = 100_000
"""Names and values that a text may hold. Each takes up to 150 bytes of memory when it is read,
whatever its length, so that 2 bytes of JSON may take 150 (docs/decisions.md). No text of up to
`_NEVER_TOO_MANY` characters can hold so many."""

_NEVER_TOO_MANY: Final = 65_536
_EXPONENT_WEIGHT: Final = 6
"""For how many more values a number with an exponent counts: it is written with up to 400 digits.
The shortest, `1e10` with its comma, has 5 characters; so 64 KiB of them still fit."""
_WEIGHED: Final = re.compile(
    r""" "[^"\\]*+ (?:\\.[^"\\]*+)*+ "?   # a string, to the end of the text if it is not closed
    | ([,:\[{])                             # begins a value, or ends a name
    | ([0-9][eE][+-]?[0-9]{2})              # an exponent of two digits or more
    """,
    re.DOTALL | re.VERBOSE,
)


_TOO_DEEP: Final = "not JSON that can be handled: nested too deeply"


class InvalidJsonError(ValueError):
    """The text is not JSON. The message never quotes the text."""


class TooManyValuesError(InvalidJsonError):
    """The text holds more names and values than are read; perhaps it is JSON, perhaps not."""


class NameTwiceError(InvalidJsonError):
    """An object of the text holds one name twice: which value is meant cannot be told (G5).

    `name` is the first of those names, `rest` the text's value without them (`DoubledObject`).
    """

    def __init__(self, name: str, rest: Any) -> None:
        super().__init__("JSON in which an object holds one name twice")
        self.name = name
        self.rest = rest


class DoubledObject(dict[str, Any]):
    """An object that holds a name twice, or encloses one that does; it has neither of the values.

    `own` are the names that stand twice in this very object, `name` is the first one that does,
    here or deeper.
    """

    def __init__(self, content: Mapping[str, Any], own: Sequence[str], name: str) -> None:
        super().__init__(content)
        self.own = tuple(own)
        self.name = name


class UnwritableError(ValueError):
    """The value has no JSON form: a lone surrogate, NaN, hundreds of digits, nested too deeply."""


def loads(text: str | bytes, most_values: int = MOST_VALUES) -> Any:
    """Parses strict JSON (no NaN, no Infinity) with exact numbers.

    Raises `InvalidJsonError`, which says where the mistake is and never quotes the text, and
    `TooManyValuesError` before it builds more than `most_values` names and values.
    """
    return _parsed(text, most_values, _DECODER)


def loads_once(text: str | bytes, most_values: int = MOST_VALUES) -> Any:
    """Like `loads`, for the text of an event, in which no object may hold a name twice (G5).

    Raises `NameTwiceError`, which is an `InvalidJsonError`, and what `loads` raises.
    """
    try:
        return _parsed(text, most_values, _STRICT_DECODER)
    except _NameTwice:
        rest = _parsed(text, most_values, _MARKING_DECODER)
    try:
        marked, name = _enclosed(rest)
    except RecursionError:
        raise InvalidJsonError(_TOO_DEEP) from None
    raise NameTwiceError(name or "", marked)


def _parsed(text: str | bytes, most_values: int, decoder: json.JSONDecoder) -> Any:
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        _check_values(decoded, most_values)
        return decoder.decode(decoded)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        message = f"not JSON: not UTF-8 at byte {error.start}"
    except RecursionError:
        message = _TOO_DEEP
    except TooManyValuesError:
        raise
    except InvalidOperation:
        message = "not JSON that can be handled: a number with an exponent beyond all bounds"
    except InvalidJsonError as error:
        message = str(error)
    raise InvalidJsonError(message)


def _check_values(text: str, most: int) -> None:
    """Counts what would be built, in the text itself; usual texts are passed by a rough count."""
    if len(text) <= _NEVER_TOO_MANY:
        return
    separators = sum(map(text.count, ",:[{"))  # also those within strings
    if (separators + 1) * (1 + _EXPONENT_WEIGHT) <= most:
        return
    values = 0
    for found in _WEIGHED.finditer(text):
        if found.lastindex is not None:
            values += 1 if found.lastindex == 1 else _EXPONENT_WEIGHT
            if values > most:
                message = f"JSON with more names and values than are read at once ({most:,})"
                raise TooManyValuesError(message)


def dumps(value: Any) -> bytes:
    """Writes UTF-8 JSON: compact, keys in order, non-ASCII unescaped, numbers without exponent.

    Raises `UnwritableError`.
    """
    return _encode(value, 0)


def dumps_sorted(value: Any) -> bytes:
    """Like `dumps`, with the keys of every object sorted, for digests. Raises `UnwritableError`."""
    return _encode(value, orjson.OPT_SORT_KEYS)


def _encode(value: Any, option: int) -> bytes:
    try:
        return orjson.dumps(value, default=_plain_fragment, option=option)
    except orjson.JSONEncodeError:
        pass
    try:
        return orjson.dumps(_with_exact_numbers(value), default=_plain_fragment, option=option)
    except (orjson.JSONEncodeError, RecursionError) as error:
        message = (
            "cannot be written as JSON: half a surrogate pair, a number of hundreds of digits, "
            "or nested too deeply"
        )
        raise UnwritableError(message) from error


def dumps_for_queue(value: Any) -> str:
    """Like `dumps`, but returns the text of an SQS message. Raises `UnwritableError`."""
    # SQS refuses these two characters. In JSON they occur only inside strings.
    return dumps(value).decode().replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def dumps_with_room(value: Any) -> bytes:
    """Like `dumps`, but refuses nesting that would be too deep inside an envelope.

    Raises `UnwritableError`.
    """
    return dumps([[[[[[[[value]]]]]]]])[8:-8]


def without_lone_surrogates(value: Any) -> Any:
    """The value with U+FFFD for each half of a surrogate pair, in names and texts at any depth.

    Raises `UnwritableError` if it is nested too deeply to be written.
    """
    try:
        return _without_lone_surrogates(value)
    except RecursionError:
        raise UnwritableError(_TOO_DEEP) from None


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {
            _without_lone_surrogates(key): _without_lone_surrogates(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    return value


_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def plain_number(number: Decimal) -> str:
    """A decimal with all its digits and no exponent: `1E+3` gives `1000`.

    Raises `UnwritableError` for NaN, infinity and numbers of more than 400 characters.
    """
    if not number.is_finite():
        message = "not a finite number"
        raise UnwritableError(message)
    # Looked at first, so that no number is written out whose exponent has billions of digits.
    if abs(number.adjusted()) <= LONGEST_PLAIN:
        plain = format(number, "f")
        if len(plain) <= LONGEST_PLAIN:
            return plain
    message = "a number with too many digits"
    raise UnwritableError(message)


def _parse_int(digits: str) -> int | Decimal:
    # Longer numbers become decimals: still exact, writable, and no quadratic conversion. -0 becomes
    # one too, because `int` has no -0.
    if len(digits) > _LONGEST_INT or digits == "-0":
        return Decimal(digits)
    return int(digits)


def _refuse_constant(_name: str) -> NoReturn:
    message = "not JSON: NaN and Infinity are no JSON numbers"
    raise InvalidJsonError(message)


class _NameTwice(Exception):  # noqa: N818 - a signal within this module
    """The text has to be parsed once more, with all of such names marked."""


def _refuse_doubled(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise _NameTwice
    return content


def _mark_doubled(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    counted = Counter(name for name, _ in pairs)
    own = [name for name, times in counted.items() if times > 1]
    return DoubledObject({name: value for name, value in pairs if counted[name] == 1}, own, own[0])


def _enclosed(value: Any) -> tuple[Any, str | None]:
    """The value with every object marked that encloses a marked one, and the first such name."""
    if isinstance(value, list):
        items = [_enclosed(item) for item in value]
        named = next((name for _, name in items if name is not None), None)
        return [item for item, _ in items], named
    if not isinstance(value, dict):
        return value, None
    fields = {key: _enclosed(item) for key, item in value.items()}
    content = {key: item for key, (item, _) in fields.items()}
    own = value.own if isinstance(value, DoubledObject) else ()
    names = (*own, *(name for _, name in fields.values() if name is not None))
    return (DoubledObject(content, own, names[0]), names[0]) if names else (content, None)


def _decoder(
    pairs_hook: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None,
) -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_float=Decimal,
        parse_int=_parse_int,
        parse_constant=_refuse_constant,
        object_pairs_hook=pairs_hook,
    )


_DECODER: Final = _decoder()
_STRICT_DECODER: Final = _decoder(_refuse_doubled)
_MARKING_DECODER: Final = _decoder(_mark_doubled)


def _plain_fragment(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(plain_number(value))
    raise TypeError


def _with_exact_numbers(value: Any) -> Any:
    """Slow path for integers beyond 64 bits, which orjson cannot write."""
    if isinstance(value, dict):
        return {key: _with_exact_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_exact_numbers(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def decimal_of(value: object) -> Decimal | None:
    """A JSON number as an exact decimal; None for anything else, including NaN and infinity.

    A float (only Python callers can pass one) becomes the shortest decimal that prints the same.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Decimal) and value.is_finite():
        return value
    return None
