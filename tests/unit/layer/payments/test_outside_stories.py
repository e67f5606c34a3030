"""Stories of money, and what AppsFlyer must hear of each in the end.

`tests/data/payment_stories/<provider>/` holds stories and, in `expected.json`, the answers. Where
the provider may tell a story in `any_order`, it ends alike backwards and told twice.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import Json
from tests.support.ledger_stories import Heard, heard, played

STORIES = Path(__file__).parents[3] / "data" / "payment_stories"

pytestmark = pytest.mark.untraced  # each part of what they run through has its own tests


def content_of(path: Path) -> Json:
    content: Json = json.loads(path.read_text("utf-8"))
    return content


def answers() -> dict[Path, Json]:
    """What each story expects, by the story's file."""
    return {
        expected.with_name(f"{name}.json"): answer
        for expected in sorted(STORIES.rglob("expected.json"))
        for name, answer in content_of(expected).items()
    }


def difference(story: Json, events: list[Any]) -> Json:
    """What AppsFlyer hears and should hear, and the dead letters; empty if it hears the right."""
    harness = played(story)
    told, expected = heard(harness), Counter(map(Heard.of_answer, events))
    dead = [(letter.get("type"), letter["reason"]) for letter in harness.dead]
    return {} if told == expected else {"told": told, "expected": expected, "dead": dead}


def orders(story: Json) -> list[list[Json]]:
    """Its webhooks, all at once: backwards, and each told twice, in another order."""
    webhooks = [{**webhook, "after_days": 0} for webhook in story["webhooks"]]
    return [webhooks[::-1], [*webhooks[1::2], *webhooks, *webhooks[::2]]]


def test_stories_end_as_expected() -> None:
    found = {
        path.stem: difference(content_of(path), answer["events"])
        for path, answer in answers().items()
    }

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_stories_end_alike_in_any_order() -> None:
    found = {
        (path.stem, number): difference({**story, "webhooks": webhooks}, answer["events"])
        for path, answer in answers().items()
        if answer.get("any_order")
        for story in [content_of(path)]
        for number, webhooks in enumerate(orders(story))
    }

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_each_story_has_an_answer() -> None:
    stories = {path for path in STORIES.rglob("*.json") if path.stem != "expected"}

    assert stories == answers().keys()
