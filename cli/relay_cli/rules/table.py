"""Reads the rules from the tables of docs/appsflyer.md, whatever their columns. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(r"[A-Z]{1,3}\d{1,3}")
_SOURCE: Final = re.compile(
    r"- \*\*(?P<mark>[A-Z]{1,3})\*\*: (?:\[(?P<title>[^\]]+)\]\((?P<url>[^)]+)\))?(?P<more>.*)"
)
_CELL: Final = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule stands: a title, and an address if it is a page."""

    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    number: str
    text: str
    severity: str
    sources: tuple[str, ...]
    """The marks of its sources."""


def rules_of(document: str) -> dict[str, Rule]:
    """All rules of a document, by number."""
    return {rule.number: rule for rule in _rules(document)}


def _rules(document: str) -> Iterator[Rule]:
    names: list[str] = []
    for line in document.splitlines():
        cells = [cell.strip() for cell in _CELL.split(line.strip())[1:-1]]
        if not cells:
            names = []
        elif not names:
            names = [cell.lower() for cell in cells]
        elif _NUMBER.fullmatch(cells[0].strip("*`")):
            row = dict(zip(names, cells, strict=False))
            yield Rule(
                cells[0].strip("*`"),
                row.get("rule", cells[1] if len(cells) > 1 else ""),
                row.get("severity") or row.get("outcome") or "",
                tuple(row.get("source", "").split()),
            )


def sources_of(document: str) -> Mapping[str, Source]:
    """The sources of a document, by their marks."""
    found = {}
    for line in document.splitlines():
        if match := _SOURCE.match(line):
            title = (match["title"] or "") + match["more"]
            found[match["mark"]] = Source(title.strip(), match["url"])
    return found
