"""The version stands in pyproject.toml, and what else tells it follows."""

import json
import re
import tomllib
from importlib import metadata
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
HEADINGS = re.findall(
    r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
)
RELEASES = [(name, rest) for name, rest in HEADINGS if name != "Unreleased"]


def test_changelog_s_newest_release_is_the_version() -> None:
    """What is not released yet may stand above it."""
    assert RELEASES[0][0] == VERSION
    assert len(HEADINGS) - len(RELEASES) <= 1
    assert HEADINGS.index(RELEASES[0]) <= 1


def test_changelog_has_the_newest_release_first_each_with_its_day() -> None:
    numbers = [tuple(map(int, name.split("."))) for name, _ in RELEASES]
    days = [rest.removeprefix(" - ") for _, rest in RELEASES]

    assert all(newer > older for newer, older in pairwise(numbers))
    assert [day for day in days if not re.fullmatch(r"\d{4}-\d\d-\d\d", day)] == []


def test_version_is_told_as_it_stands_in_the_project() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))

    assert metadata.version("appsflyer-relay") == VERSION
    assert document["info"]["version"] == VERSION


def test_version_stands_nowhere_else() -> None:
    """In code, that is; what is made from pyproject.toml has it too."""
    folders = ("cli", "layers", "sandbox", "functions", "scripts", "bench")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    files += [ROOT / "template.yaml", ROOT / "Makefile"]

    told = [path.name for path in files if f'"{VERSION}"' in path.read_text(encoding="utf-8")]
    assert len(files) > 200
    assert told == []
