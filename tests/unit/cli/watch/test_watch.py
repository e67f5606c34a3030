"""Lines and objects that say what became of events; rules read from their tables."""

from collections.abc import Iterator
from typing import Any

import pytest

from relay_cli.clients.page import Message
from relay_cli.main import with_seconds
from relay_cli.rules.table import rules_of, sources_of
from relay_cli.watch.lines import SIGNS, event_line
from relay_cli.watch.result import OUTCOMES, is_good, most_telling, result_of
from relay_cli.watch.tail import news
from relay_sandbox.journal.trace import Fate

ROW: dict[str, Any] = {
    "key": "t-1",
    "event_id": "order-1042",
    "app_id": "website-www.example.com",
    "kind": "web_event",
    "source": "payments:stripe",
    "name": "af_purchase",
    "outcome": "delivered",
    "reason": None,
    "rules": ["M12", "T8"],
    "findings": [{"rule": "M12", "severity": "warn", "field": "os", "message": "is missing"}],
    "came_in": "2026-11-27T10:00:00.000Z",
    "ended": "2026-11-27T10:00:01.000Z",
    "recorded": {
        "time": "2026-11-27T10:00:01.000Z",
        "source": "arrival",
        "rule": "T8",
        "sure": True,
    },
}


@pytest.mark.parametrize("width", [50, 80, 200])
def test_line_has_everything_and_breaks_between_words_only(width: int) -> None:
    text = event_line(ROW, width).plain

    assert all(len(line) <= width for line in text.splitlines())
    assert " ".join(text.split()) == (
        "10:00:00 ✓ stripe website-www.example.com af_purchase order-1042 delivered M12 "
        "27 Nov 10:00:01 arrival (T8)"
    )


def test_line_shortens_what_a_sender_made_too_long() -> None:
    text = event_line({**ROW, "name": "n" * 300, "event_id": "\x1b[2J"}, 80).plain

    assert "n" * 39 + "…" in text
    assert "\x1b" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_every_outcome_has_a_sign_and_one_of_the_promised_names() -> None:
    assert SIGNS.keys() == {fate.value for fate in Fate}
    assert {result_of({**ROW, "outcome": fate.value})["outcome"] for fate in Fate} == {*OUTCOMES}
    good = [fate.value for fate in Fate if is_good({**ROW, "outcome": fate.value})]
    assert good == ["delivered", "duplicate"]


def test_of_several_with_one_id_the_delivered_one_tells_most() -> None:
    first = {**ROW, "key": "a"}
    again = {**ROW, "key": "b", "outcome": "duplicate"}
    waiting = {**ROW, "key": "c", "outcome": "held", "ended": None}

    assert most_telling([first, again, waiting])["key"] == "a"
    assert most_telling([again, waiting, again])["key"] == "c"
    assert most_telling([waiting, again, again])["key"] == "c"


def test_tail_tells_each_new_outcome_once() -> None:
    def row(key: str, outcome: str) -> dict[str, Any]:
        return {**ROW, "key": key, "outcome": outcome}

    def messages() -> Iterator[Message]:
        yield Message("snapshot", {"traces": [row("b", "queued"), row("a", "held")], "state": {}})
        yield Message("traces", [row("a", "held"), row("b", "delivered")])
        yield Message("state", {})
        yield Message("traces", [row("a", "delivered"), row("b", "delivered")])

    told = [(one["key"], one["outcome"]) for one in news(messages())]

    assert told == [("a", "held"), ("b", "delivered"), ("a", "delivered")]


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (["send", "f", "--wait"], ["send", "f", "--wait", "60"]),
        (["send", "f", "--wait", "--json"], ["send", "f", "--wait", "60", "--json"]),
        (["send", "--wait", "f"], ["send", "--wait", "60", "f"]),
        (["send", "f", "--wait", "2.5"], ["send", "f", "--wait", "2.5"]),
        (["send", "f"], ["send", "f"]),
    ],
)
def test_wait_without_a_number_gets_one(given: list[str], becomes: list[str]) -> None:
    assert with_seconds(given) == becomes


def test_rules_are_read_whatever_the_columns_of_their_tables() -> None:
    document = (
        "- **A**: [A guide](https://example.com/a), of AppsFlyer's\n"
        "- **R**: our own decision\n\n"
        "| # | Rule | Severity | Where | Source |\n|---|---|---|---|---|\n"
        "| M1 | `a \\| b` is needed | reject | `x:y` | A R |\n\n"
        "| # | Rule | Outcome |\n|---|---|---|\n| E10 | It is taken | delivered |\n"
        "\n| Name | More |\n|---|---|\n| Other | table |\n"
    )

    rules, sources = rules_of(document), sources_of(document)

    assert rules.keys() == {"M1", "E10"}
    assert (rules["M1"].severity, rules["M1"].sources) == ("reject", ("A", "R"))
    assert rules["E10"].severity == "delivered"
    assert sources["A"].url == "https://example.com/a"
    assert sources["R"].url is None
