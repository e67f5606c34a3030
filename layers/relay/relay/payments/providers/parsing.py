"""Reads what a provider sent: strictly, by path, and only the fields of an allow-list.

A path is written with dots; a number in it is an index into a list: `lines.data.0.quantity`. Error
messages name the path of what is wrong and never its value.
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
"""An allow-list, by field name. None keeps a text, number or boolean; a shape keeps the fields it
names in an object, or in each object of a list."""

LONGEST_TEXT: Final = 500
"""Characters: Stripe's limit for a metadata value. Ids and customer hints are shorter."""

MOST_ELEMENTS: Final = 20
"""The elements of a list that are kept. Nothing here needs more than the first few."""

_MOST_DIGITS: Final = 18
_LATEST_MILLISECONDS: Final = 253_402_300_799_999  # the end of the year 9999
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_DIGITS: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
_PLATFORMS: Final = frozenset({"ios", "android", "web"})


# The whole body


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
    """The fields of an object that an allow-list names, without absent, empty or mistyped values.

    Texts of more than 500 characters are left out too, and list elements after the first twenty.
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
    """Whether a value is a boolean, a number of bounded size, or a short text with valid UTF-8."""
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT and not _has_lone_surrogate(value)
    if isinstance(value, Decimal):
        digits = len(value.as_tuple().digits)
        return abs(value.adjusted()) < _MOST_DIGITS and digits <= LONGEST_PLAIN
    return isinstance(value, bool | int)


def _has_lone_surrogate(text: str) -> bool:
    """Whether a text contains half a surrogate pair, which has no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


# One field


def at(content: object, path: str) -> Any:
    """The value at a path; None if there is none."""
    for part in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(part)
        elif isinstance(content, list) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        else:
            return None
    return content


def text_or_none(content: object, path: str) -> str | None:
    """A text without surrounding white space; None if it is absent or blank."""
    value = at(content, path)
    if value is None:
        return None
    if not isinstance(value, str) or not _is_bounded_scalar(value):
        raise UnreadableWebhookError(f"{path} is not a text of at most {LONGEST_TEXT} characters")
    return value.strip() or None


def text(content: object, path: str) -> str:
    """A required text."""
    return _required(text_or_none(content, path), path)


def identifier_or_none(content: object, path: str) -> str | None:
    """A provider's id: visible ASCII, at most 128 characters; None if it is absent."""
    given = text_or_none(content, path)
    if given is not None and _IDENTIFIER.fullmatch(given) is None:
        raise UnreadableWebhookError(f"{path} is not an id of at most 128 visible characters")
    return given


def identifier(content: object, path: str) -> str:
    """A required id of the provider."""
    return _required(identifier_or_none(content, path), path)


def whole_or_none(content: object, path: str) -> int | None:
    """A whole number, as a JSON number or as digits in a text; None if it is absent."""
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
    """A required whole number."""
    return _required(whole_or_none(content, path), path)


def number_or_none(content: object, path: str) -> Decimal | None:
    """An exact JSON number; None if it is absent."""
    value = at(content, path)
    if value is None:
        return None
    number = decimal_of(value)
    if number is None or abs(number.adjusted()) >= _MOST_DIGITS:
        raise UnreadableWebhookError(f"{path} is not a number of at most 18 digits")
    return number


def number(content: object, path: str) -> Decimal:
    """A required JSON number."""
    return _required(number_or_none(content, path), path)


def flag(content: object, path: str) -> bool:
    """A boolean; false if it is absent."""
    value = at(content, path)
    if value is not None and not isinstance(value, bool):
        raise UnreadableWebhookError(f"{path} is not true or false")
    return bool(value)


def currency(content: object, path: str) -> str:
    """A required ISO 4217 code, converted to upper case."""
    given = text(content, path)
    code = given.upper() if given.isascii() else given
    if _CURRENCY.fullmatch(code) is None:
        raise UnreadableWebhookError(f"{path} is not a currency code of three letters")
    return code


def objects(content: object, path: str) -> list[Mapping[str, Any]]:
    """The objects of a list; empty if it is absent."""
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
    """A moment from Unix milliseconds; None if it is absent."""
    given = whole_or_none(content, path)
    if given is None:
        return None
    milliseconds = given * milliseconds_each
    if not 0 <= milliseconds <= _LATEST_MILLISECONDS:
        raise UnreadableWebhookError(f"{path} is not a moment")
    return from_milliseconds(milliseconds)


def moment_of_milliseconds(content: object, path: str) -> datetime:
    """A required moment from Unix milliseconds."""
    return _required(moment_of_milliseconds_or_none(content, path), path)


def moment_of_unix_or_none(content: object, path: str) -> datetime | None:
    """A moment from Unix seconds; None if it is absent."""
    return moment_of_milliseconds_or_none(content, path, milliseconds_each=1000)


def moment_of_unix(content: object, path: str) -> datetime:
    """A required moment from Unix seconds."""
    return _required(moment_of_unix_or_none(content, path), path)


def moment_of_iso_or_none(content: object, path: str) -> datetime | None:
    """A moment from ISO 8601 with an offset, cut to milliseconds; None if it is absent."""
    given = text_or_none(content, path)
    if given is None:
        return None
    moment = parse_iso(given, needs_offset=True)
    if moment is None:
        raise UnreadableWebhookError(f"{path} is not a moment")
    return moment


def moment_of_iso(content: object, path: str) -> datetime:
    """A required moment from ISO 8601 with an offset."""
    return _required(moment_of_iso_or_none(content, path), path)


# Customer hints and links


def hint_shape(keys: HintKeys, prefix: str = "") -> Shape:
    """The allow-list of metadata: the four keys that the source's settings name."""
    return {f"{prefix}{key}": None for key in keys.model_dump().values()}


def hints_from(metadata: object, keys: HintKeys, prefix: str = "") -> CustomerHints:
    """The customer hints in metadata; a value that is no text or whole number gives none."""
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
    """A ref for each thing, by its sort; things without an id are left out."""
    return tuple(f"{sort}:{given}" for sort, given in ids.items() if given)


def chain(
    refs: Sequence[Ref],
    hints: CustomerHints,
    trial_end: datetime | None = None,
    started: datetime | None = None,
) -> tuple[Link, ...]:
    """Links between things that belong together, ordered from the money towards the customer.

    Each links to all that follow it; a link without any information is left out. For a customer
    node, keep only `customer_user_id`: a customer may have several devices and apps. The end of a
    trial and the start belong to the subscription.
    """
    links = (
        Link(
            ref,
            to=tuple(refs[position + 1 :]),
            hints=_hints_for(ref, hints),
            trial_end=trial_end if ref.startswith("subscription:") else None,
            started=started if ref.startswith("subscription:") else None,
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
