"""Stories of money, and what AppsFlyer must hear of each in the end.

`tests/data/payment_stories/<provider>/` holds stories and, in `expected.json`, the answers.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Json
from tests.ledger_stories import Heard, heard, played

STORIES = Path(__file__).parents[3] / "data" / "payment_stories"

pytestmark = pytest.mark.untraced  # each part of what they run through has its own tests


def content_of(path: Path) -> Json:
    content: Json = json.loads(path.read_text("utf-8"))
    return content


def answers() -> dict[Path, list[Any]]:
    """The events that each story expects, by the story's file."""
    return {
        expected.with_name(f"{name}.json"): answer["events"]
        for expected in sorted(STORIES.rglob("expected.json"))
        for name, answer in content_of(expected).items()
    }


def test_stories_end_as_expected() -> None:
    wrong = {}
    for path, events in answers().items():
        harness = played(content_of(path))
        told, expected = heard(harness), Counter(map(Heard.of_answer, events))
        if told != expected:
            dead = [(letter.get("type"), letter["reason"]) for letter in harness.dead]
            wrong[path.stem] = {"told": told, "expected": expected, "dead": dead}

    assert wrong == {}


def test_each_story_has_an_answer() -> None:
    stories = {path for path in STORIES.rglob("*.json") if path.stem != "expected"}

    assert stories == answers().keys()
