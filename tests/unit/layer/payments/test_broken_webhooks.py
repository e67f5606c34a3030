"""Each field of each sample, replaced by what it should not be: unreadable at worst, no crash."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps, loads
from relay.payments.providers import paddle, stripe
from relay.payments.providers.protocol import Provider
from relay.payments.providers.registry import PROVIDERS as ALL
from tests.support.every import every

pytestmark = pytest.mark.untraced  # tens of thousands of readings, which tracing makes slow

SAMPLES = Path(__file__).parents[3] / "data" / "webhooks"
PROVIDERS: dict[str, Provider[Any]] = {"paddle": paddle, "stripe": stripe}
CASES = [
    (provider, path.stem)
    for provider in PROVIDERS
    for path in sorted(SAMPLES.glob(f"{provider}_*.json"))
]
PRIVATE = "jane.roe@example.com"
ODD: list[object] = [
    *(None, "", 0, -1, 7, 10**30, 0.5, True, PRIVATE, "x" * 600, "half \ud800", "\x00"),
    *([], {}, [PRIVATE], [{}], {"name": PRIVATE}, [[[[{}]]]]),
]


def places(content: object, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value."""
    inner = dict(enumerate(content)) if isinstance(content, list) else content
    if isinstance(inner, dict):
        for key, value in inner.items():
            yield (*before, key)
            yield from places(value, (*before, key))


def put(content: Any, place: tuple[Any, ...], value: object) -> Any:
    """The content with another value there; copied are only the containers on the way."""
    if not place:
        return value
    changed = content.copy()
    changed[place[0]] = put(content[place[0]], place[1:], value)
    return changed


def said_of(provider: Provider[Any], settings: SourceSettings, content: object) -> str:
    """Whatever is said when it is read and understood, by way of the queue."""
    try:
        for told in provider.parse(json.dumps(content).encode(), settings):
            provider.interpret(told.type, loads(dumps(told.content)), settings)
    except UnreadableWebhookError as error:
        return str(error)
    return ""


@every("name, case", CASES)
def test_provider_odd_value_anywhere_is_unreadable_at_worst_and_never_quoted(
    name: str, case: str
) -> None:
    sample = json.loads((SAMPLES / f"{case}.json").read_text("utf-8"))
    settings = PROVIDERS[name].SETTINGS(provider=name, apps=SourceApps())
    assert said_of(PROVIDERS[name], settings, sample) == ""

    said = {
        said_of(PROVIDERS[name], settings, put(sample, place, odd))
        for place in places(sample)
        for odd in ODD
    }

    assert len(said) > 5
    assert [text for text in said if PRIVATE in text or "xxx" in text] == []


ON_THE_QUEUE = [
    (provider, path.stem) for provider in ALL for path in sorted(SAMPLES.glob(f"{provider}_*.json"))
]


@every("name, case", ON_THE_QUEUE)
def test_provider_odd_value_anywhere_in_what_was_queued_is_unreadable_at_worst(
    name: str, case: str
) -> None:
    """Somebody's own redrive can have put it there."""
    body = (SAMPLES / f"{case}.json").read_bytes()
    settings = ALL[name].SETTINGS(provider=name, apps=SourceApps())
    provider = ALL[name]

    said = {
        said_of_content(provider, settings, told.type, put(dict(told.content), place, odd))
        for told in provider.parse(body, settings)
        for place in places(told.content)
        for odd in ODD
    }

    assert [text for text in said if PRIVATE in text or "xxx" in text] == []


def said_of_content(
    provider: Provider[Any], settings: SourceSettings, kind: str, content: Any
) -> str:
    try:
        provider.interpret(kind, content, settings)
    except UnreadableWebhookError as error:
        return str(error)
    return ""
