"""JSON that keeps numbers exact.

Numbers are read as `int` or `Decimal`, never as binary floats, and written plainly: with the
digits they came with and no exponent (M4). Text is written compactly, non-ASCII unescaped (E5).
"""

import json
import math
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

_LONGEST_INT: Final = 18
"""Digits that surely fit the 64 bits which orjson can write."""

LONGEST_PLAIN: Final = 400
"""Characters of a number written plainly; the largest double has 309 digits before the point."""


class InvalidJsonError(ValueError):
    """The text is not JSON. Holds no part of the text."""


class UnwritableError(ValueError):
    """The value has no JSON form: a lone surrogate, NaN, hundreds of digits, nested too deeply."""


def loads(text: str | bytes) -> Any:
    """Parses strict JSON (no NaN, no Infinity) with exact numbers.

    Raises `InvalidJsonError`, which says where the text goes wrong and never quotes it.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        message = f"not JSON: not UTF-8 at byte {error.start}"
    except RecursionError:
        message = "not JSON that can be handled: nested too deeply"
    except InvalidOperation:
        message = "not JSON that can be handled: a number with an exponent beyond all bounds"
    except InvalidJsonError as error:
        message = str(error)
    raise InvalidJsonError(message)


def dumps(value: Any) -> bytes:
    """Writes UTF-8 JSON: compact, keys in their order, non-ASCII unescaped, numbers plain.

    Raises `UnwritableError`.
    """
    return _written(value, 0)


def dumps_sorted(value: Any) -> bytes:
    """As `dumps`, with the keys of every object sorted: for digests. Raises `UnwritableError`."""
    return _written(value, orjson.OPT_SORT_KEYS)


def _written(value: Any, option: int) -> bytes:
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
    """As `dumps`, as the text of a message. Raises `UnwritableError`."""
    # SQS refuses these two characters; in JSON they can only stand inside strings.
    return dumps(value).decode().replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def dumps_with_room(value: Any) -> bytes:
    """As `dumps`, for what we shall wrap: refuses nesting that would be too deep in an envelope.

    Raises `UnwritableError`.
    """
    return dumps([[[[[[[[value]]]]]]]])[8:-8]


def plain_number(number: Decimal) -> str:
    """A decimal with the digits it came with and no exponent: `1E+3` is `1000`.

    Raises `UnwritableError` for NaN, infinity and numbers of more than 400 digits.
    """
    if not number.is_finite():
        message = "not a finite number"
        raise UnwritableError(message)
    if abs(number.adjusted()) > LONGEST_PLAIN or len(number.as_tuple().digits) > LONGEST_PLAIN:
        message = "a number with too many digits"
        raise UnwritableError(message)
    return format(number, "f")


def _parse_int(digits: str) -> int | Decimal:
    # Longer ones as decimals: exact all the same, writable, and no quadratic conversion. And an
    # `int` has no -0.
    if len(digits) > _LONGEST_INT or digits == "-0":
        return Decimal(digits)
    return int(digits)


def _refuse_constant(_name: str) -> NoReturn:
    message = "not JSON: NaN and Infinity are no JSON numbers"
    raise InvalidJsonError(message)


_DECODER: Final = json.JSONDecoder(
    parse_float=Decimal, parse_int=_parse_int, parse_constant=_refuse_constant
)


def _plain_fragment(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(plain_number(value))
    raise TypeError


def _with_exact_numbers(value: Any) -> Any:
    """The slow way, for what orjson cannot write by itself: integers beyond 64 bits."""
    if isinstance(value, dict):
        return {key: _with_exact_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_exact_numbers(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def decimal_of(value: object) -> Decimal | None:
    """The exact number behind a JSON number; None for anything else, NaN and infinity included.

    A float (only a Python caller can hand one in) counts as the shortest decimal that prints it.
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
