"""Values that break things, and looking at what became of the event that held them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from relay.domain.kinds import App, Kind
from relay.rules.prepare import Prepared, prepare
from tests.support.builders import (
    MOBILE_APP,
    NOW,
    WEB_APP,
    make_event,
    make_web_event,
    make_web_visit,
)

IOS, ANDROID, WINDOWS = MOBILE_APP, "com.example.shop", "9nblggh4nns1"

SURROGATE = "\ud800"
"""Half a character: JSON can say it, UTF-8 cannot."""


def nested(levels: int) -> Any:
    """Objects within objects, built without recursion."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


_WRONG_TYPES: dict[str, object] = {
    "int": 5,
    "decimal": Decimal("1.5"),
    "float": 1.5,
    "true": True,
    "false": False,
    "array": [],
    "array of text": ["x"],
    "object": {},
    "object of text": {"a": "x"},
    "20000 levels": nested(20_000),
}


def wrong_types(*but: str) -> pytest.MarkDecorator:
    """Parametrises `value` with every JSON type but text and those that the field takes."""
    left = {name: value for name, value in _WRONG_TYPES.items() if name not in but}
    return pytest.mark.parametrize("value", list(left.values()), ids=list(left))


absent = pytest.mark.parametrize("value", [None, "", "  \t"], ids=["null", "empty", "blank"])
"""Parametrises `value` with all that counts as absent."""


def prepared(app_id: str = IOS, /, **fields: Any) -> Prepared:
    """A mobile event without a fault, with these fields instead of its own."""
    return prepare(Kind.MOBILE_EVENT, App(app_id), make_event(**fields), NOW)


def prepared_web(**fields: Any) -> Prepared:
    """A web event without a fault, with these fields instead of its own."""
    return prepare(Kind.WEB_EVENT, App(WEB_APP), make_web_event(**fields), NOW)


def prepared_visit(**fields: Any) -> Prepared:
    """A web visit without a fault, with these fields instead of its own."""
    return prepare(Kind.WEB_VISIT, App(WEB_APP), make_web_visit(**fields), NOW)


def found(event: Prepared) -> list[tuple[str, str, str]]:
    """Severity, rule and field of each finding."""
    return [(item.severity.value, item.rule, item.field) for item in event.findings]


def sent(event: Prepared) -> dict[str, Any]:
    """The payload of an event that may be sent."""
    assert event.body is not None, event.findings
    body: dict[str, Any] = json.loads(event.body)
    return body
