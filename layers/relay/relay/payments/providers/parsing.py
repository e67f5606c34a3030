"""Reading what a provider sent: strictly, by path, and never more of it than an allow-list names.

A path is written with dots, and a number in it counts in a list: `lines.data.0.quantity`. What is
wrong is told by its path and never by its value.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from relay.domain.movements import CustomerHints, Link, Ref
from relay.domain.payment_rules import HintKeys
from relay.errors import UnreadableWebhookError
from relay.exact_json import LONGEST_PLAIN, InvalidJsonError, decimal_of, loads
from relay.instants import from_milliseconds, parse_iso, whole_number

Value = TypeVar("Value")

Shape = Mapping[str, "Shape | None"]
"""An allow-list: names of the fields kept. None keeps a text, number or boolean; a shape keeps the
fields that it names of an object, or of each object of a list."""

LONGEST_TEXT: Final = 500
"""Characters: what Stripe allows for a value of metadata. Ids and clues are shorter."""

MOST_ELEMENTS: Final = 20
"""Of a list. Nothing here looks further than the first few."""

_MOST_DIGITS: Final = 18
_LATEST_MILLISECONDS: Final = 253_402_300_799_999  # the end of the year 9999
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_DIGITS: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
_PLATFORMS: Final = frozenset({"ios", "android", "web"})


# The whole


def read_object(body: bytes) -> dict[str, Any]:
    """A body as a JSON object with exact numbers; raises `UnreadableWebhookError`."""
    try:
        content = loads(body)
    except InvalidJsonError as error:
        raise UnreadableWebhookError(str(error)) from None
    if not isinstance(content, dict):
        raise UnreadableWebhookError("the body is not a JSON object")
    return content


def keep(content: object, shape: Shape) -> dict[str, Any]:
    """What an allow-list names of an object; what is absent, empty or of another kind is left out.

    A text of more than 500 characters is left out as well, and of a list all but the first twenty.
    """
    kept: dict[str, Any] = {}
    if isinstance(content, dict):
        for name, inner_shape in shape.items():
            value = _keep_value(content.get(name), inner_shape)
            if value not in (None, {}, []):
                kept[name] = value
    return kept


def _keep_value(value: object, shape: Shape | None) -> object:
    if shape is None:
        return value if _is_bounded_scalar(value) else None
    if isinstance(value, list):
        return [keep(element, shape) for element in value[:MOST_ELEMENTS]]
    return keep(value, shape)


def _is_bounded_scalar(value: object) -> bool:
    """A boolean, a number of bounded size, or a text that is short and can be written."""
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT and not _has_lone_surrogate(value)
    if isinstance(value, Decimal):
        digits = len(value.as_tuple().digits)
        return abs(value.adjusted()) < _MOST_DIGITS and digits <= LONGEST_PLAIN
    return isinstance(value, bool | int)


def _has_lone_surrogate(text: str) -> bool:
    """Whether a text holds half a surrogate pair, which has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


# One field


def at(content: object, path: str) -> Any:
    """What stands at a path; None where nothing does."""
    for part in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(part)
        elif isinstance(content, list) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        else:
            return None
    return content


def text_or_none(content: object, path: str) -> str | None:
    """A text without the white space around it; None where it is absent or blank."""
    value = at(content, path)
    if value is None:
        return None
    if not isinstance(value, str) or not _is_bounded_scalar(value):
        raise UnreadableWebhookError(f"{path} is not a text of at most {LONGEST_TEXT} characters")
    return value.strip() or None


def text(content: object, path: str) -> str:
    """A text that must be there."""
    return _required(text_or_none(content, path), path)


def identifier_or_none(content: object, path: str) -> str | None:
    """An id at the provider: visible ASCII, at most 128 characters; None where it is absent."""
    given = text_or_none(content, path)
    if given is not None and _IDENTIFIER.fullmatch(given) is None:
        raise UnreadableWebhookError(f"{path} is not an id of at most 128 visible characters")
    return given


def identifier(content: object, path: str) -> str:
    """An id at the provider that must be there."""
    return _required(identifier_or_none(content, path), path)


def whole_or_none(content: object, path: str) -> int | None:
    """A whole number, as JSON's number or as digits in a text; None where it is absent."""
    value = at(content, path)
    if value is None:
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    number = whole_number(value)
    if number is None or abs(number) >= 10**_MOST_DIGITS:
        raise UnreadableWebhookError(f"{path} is not a whole number of at most 18 digits")
    return number


def whole(content: object, path: str) -> int:
    """A whole number that must be there."""
    return _required(whole_or_none(content, path), path)


def number_or_none(content: object, path: str) -> Decimal | None:
    """A JSON number, exact; None where it is absent."""
    value = at(content, path)
    if value is None:
        return None
    number = decimal_of(value)
    if number is None or abs(number.adjusted()) >= _MOST_DIGITS:
        raise UnreadableWebhookError(f"{path} is not a number of at most 18 digits")
    return number


def number(content: object, path: str) -> Decimal:
    """A JSON number that must be there."""
    return _required(number_or_none(content, path), path)


def flag(content: object, path: str) -> bool:
    """A boolean; false where it is absent."""
    value = at(content, path)
    if value is not None and not isinstance(value, bool):
        raise UnreadableWebhookError(f"{path} is not true or false")
    return bool(value)


def currency(content: object, path: str) -> str:
    """An ISO 4217 code, in upper case."""
    given = text(content, path)
    code = given.upper() if given.isascii() else given
    if _CURRENCY.fullmatch(code) is None:
        raise UnreadableWebhookError(f"{path} is not a currency code of three letters")
    return code


def objects(content: object, path: str) -> list[Mapping[str, Any]]:
    """The objects of a list; empty where it is absent."""
    value = at(content, path)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(element, Mapping) for element in value):
        raise UnreadableWebhookError(f"{path} is not a list of objects")
    return value


# Moments


def moment_of_milliseconds_or_none(
    content: object, path: str, milliseconds_each: int = 1
) -> datetime | None:
    """A moment from Unix milliseconds; None where it is absent."""
    given = whole_or_none(content, path)
    if given is None:
        return None
    milliseconds = given * milliseconds_each
    if not 0 <= milliseconds <= _LATEST_MILLISECONDS:
        raise UnreadableWebhookError(f"{path} is not a moment")
    return from_milliseconds(milliseconds)


def moment_of_milliseconds(content: object, path: str) -> datetime:
    """A moment from Unix milliseconds that must be there."""
    return _required(moment_of_milliseconds_or_none(content, path), path)


def moment_of_unix_or_none(content: object, path: str) -> datetime | None:
    """A moment from Unix seconds; None where it is absent."""
    return moment_of_milliseconds_or_none(content, path, milliseconds_each=1000)


def moment_of_unix(content: object, path: str) -> datetime:
    """A moment from Unix seconds that must be there."""
    return _required(moment_of_unix_or_none(content, path), path)


def moment_of_iso_or_none(content: object, path: str) -> datetime | None:
    """A moment from ISO 8601 with an offset, cut to milliseconds; None where it is absent."""
    given = text_or_none(content, path)
    if given is None:
        return None
    moment = parse_iso(given, needs_offset=True)
    if moment is None:
        raise UnreadableWebhookError(f"{path} is not a moment")
    return moment


def moment_of_iso(content: object, path: str) -> datetime:
    """A moment from ISO 8601 that must be there."""
    return _required(moment_of_iso_or_none(content, path), path)


# Whose it is


def hint_shape(keys: HintKeys, prefix: str = "") -> Shape:
    """The allow-list of metadata: the four keys that the source's owner named."""
    return {f"{prefix}{key}": None for key in keys.model_dump().values()}


def hints_from(metadata: object, keys: HintKeys, prefix: str = "") -> CustomerHints:
    """Whose it is by its metadata. What is no text or whole number there is no clue."""
    platform = _hint(metadata, prefix + keys.platform)
    return CustomerHints(
        customer_user_id=_hint(metadata, prefix + keys.customer_user_id),
        appsflyer_id=_hint(metadata, prefix + keys.appsflyer_id),
        app_id=_hint(metadata, prefix + keys.app_id),
        platform=_platform(platform),
    )


def _hint(metadata: object, key: str) -> str | None:
    value = metadata.get(key) if isinstance(metadata, Mapping) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def _platform(given: str | None) -> str | None:
    platform = given.lower() if given else None
    return platform if platform in _PLATFORMS else None


def refs_of(**ids: str | None) -> tuple[Ref, ...]:
    """The provider's names of things, by their sorts; what has no id is left out."""
    return tuple(f"{sort}:{given}" for sort, given in ids.items() if given)


def chain(
    refs: Sequence[Ref], hints: CustomerHints, trial_end: datetime | None = None
) -> tuple[Link, ...]:
    """Facts about things that belong to each other, from the one nearest to the money outwards.

    Each leads to all behind it; of which nothing is known, nothing is said. Of a customer only who
    he is is kept: he may have several devices and apps. The end of a trial is the subscription's.
    """
    links = (
        Link(
            ref,
            to=tuple(refs[position + 1 :]),
            hints=_hints_for(ref, hints),
            trial_end=trial_end if ref.startswith("subscription:") else None,
        )
        for position, ref in enumerate(refs)
    )
    return tuple(link for link in links if link != Link(link.ref))


def _hints_for(ref: Ref, hints: CustomerHints) -> CustomerHints:
    if ref.startswith("customer:"):
        return CustomerHints(customer_user_id=hints.customer_user_id)
    return hints


def _required(value: Value | None, path: str) -> Value:
    if value is None:
        raise UnreadableWebhookError(f"{path} is missing")
    return value
