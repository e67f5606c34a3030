"""Each field of each sample, replaced by what it should not be: unreadable at worst, no crash."""

import json
from typing import Any

import pytest

from relay.domain.payment_rules import SourceSettings
from relay.errors import UnreadableWebhookError
from relay.exact_json import dumps, loads
from relay.payments.providers.protocol import Provider
from relay.payments.providers.registry import PROVIDERS as ALL
from tests.support.builders import Json
from tests.support.every import every
from tests.support.providers import DATA, Place, body_of, places, put, settings_of

pytestmark = pytest.mark.untraced  # tens of thousands of readings, which tracing makes slow

SAMPLES = DATA / "webhooks"
CASES = [(name, path.stem) for name in ALL for path in sorted(SAMPLES.glob(f"{name}_*.json"))]
PRIVATE = "jane.roe@example.com"
ODD: list[object] = [
    *(None, "", 0, -1, 7, 10**30, 0.5, True, PRIVATE, "x" * 600, "half \ud800", "\x00"),
    *([], {}, [PRIVATE], [{}], {"name": PRIVATE}, [[[[{}]]]]),
]


def said_of(provider: Provider[Any], settings: SourceSettings, content: Json) -> str:
    """Whatever is said when it is read and understood, by way of the queue."""
    try:
        for told in provider.parse(body_of(content), settings):
            provider.interpret(told.type, loads(dumps(told.content)), settings)
    except UnreadableWebhookError as error:
        return str(error)
    return ""


def is_read(provider: Provider[Any], settings: SourceSettings, sample: Json, place: Place) -> bool:
    """Whether what stands there makes a difference; odd values of the rest need not be tried."""
    try:
        changed = provider.parse(body_of(put(sample, place, {"name": PRIVATE})), settings)
    except UnreadableWebhookError:
        return True
    return changed != provider.parse(body_of(sample), settings)


@every("name, case", CASES)
def test_provider_odd_value_anywhere_is_unreadable_at_worst_and_never_quoted(
    name: str, case: str
) -> None:
    sample = json.loads((SAMPLES / f"{case}.json").read_text("utf-8"))
    provider, settings = ALL[name], settings_of(name)
    assert said_of(provider, settings, sample) == ""

    read = [place for place in places(sample) if is_read(provider, settings, sample, place)]
    said = {said_of(provider, settings, put(sample, place, odd)) for place in read for odd in ODD}

    assert len(read) > 5
    assert len(said) > 5
    assert [text for text in said if PRIVATE in text or "xxx" in text] == []


@every("name, case", CASES)
def test_provider_odd_value_anywhere_in_what_was_queued_is_unreadable_at_worst(
    name: str, case: str
) -> None:
    """Somebody's own redrive can have put it there."""
    body = (SAMPLES / f"{case}.json").read_bytes()
    provider, settings = ALL[name], settings_of(name)

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
