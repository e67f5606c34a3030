"""docs/appsflyer.md: the rules, and where the code meets them."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "relay" / "relay"
TEXT = (ROOT / "docs" / "appsflyer.md").read_text(encoding="utf-8")
NUMBERS = {"E": 18, "M": 23, "H": 9, "T": 11, "W": 14, "S": 6}
SEVERITIES = {"reject", "warn", "repair"}

_RULE = re.compile(r"\b[EMHTWS]\d{1,2}\b")
_PLACE = re.compile(r"`([a-z_.0-9]+:[A-Za-z_.]+)`")


class Row(NamedTuple):
    """One rule as the page has it."""

    rule: str
    text: str
    severity: str
    where: str
    source: str


def _rows() -> Iterator[Row]:
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if _RULE.fullmatch(cells[0]):
            yield Row(*cells)


ROWS = {row.rule: row for row in _rows()}


def _modules() -> list[Path]:
    return sorted(LAYER.rglob("*.py"))


def _findings() -> Iterator[tuple[str, str]]:
    """Rule and severity of each finding that the code raises by a literal rule number."""
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=severity), args=[ast.Constant(value=str(rule)), *_]
                ) if severity in SEVERITIES and _RULE.fullmatch(rule):
                    yield rule, severity


def test_page_has_every_rule_once_and_in_order() -> None:
    numbers = [f"{letter}{n}" for letter, last in NUMBERS.items() for n in range(1, last + 1)]

    assert [row.rule for row in _rows()] == numbers


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(LAYER)))
def test_page_has_every_rule_that_the_code_cites(path: Path) -> None:
    cited = set(_RULE.findall(path.read_text(encoding="utf-8")))

    assert cited <= set(ROWS)


def test_page_gives_each_rule_the_severities_that_the_code_raises() -> None:
    found = set(_findings())

    assert found
    assert {(r, severity) for r, severity in found if severity not in ROWS[r].severity} == set()


@pytest.mark.parametrize("place", sorted(set(_PLACE.findall(TEXT))))
def test_page_names_places_that_exist(place: str) -> None:
    module, _, name = place.partition(":")

    found = reduce(getattr, name.split("."), importlib.import_module(f"relay.{module}"))

    assert callable(found)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_page_says_of_each_rule_where_it_is_met_and_where_it_comes_from(row: Row) -> None:
    assert _PLACE.search(row.where) or row.rule == "S5"
    assert set(row.source.split()) <= {"A", "B", "C", "D", "R"}
    assert row.source


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/appsflyer.md",
             "docs/operations.md", "events/README.md"]
)  # fmt: skip
def test_page_links_to_files_that_exist(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", path.read_text(encoding="utf-8"))

    assert [link for link in links if not (path.parent / link).exists()] == []
