"""What the layer carries, and what is developed with: every package by its digest."""

import re
import tomllib
from pathlib import Path

from scripts.audit_lists import OPTIONS
from tests.support.builders import Json
from tests.support.every import every

ROOT = Path(__file__).parents[2]
LAYER = (ROOT / "layers" / "relay" / "requirements.txt").read_text(encoding="utf-8")
REQUIREMENTS = [
    line for line in LAYER.replace("\\\n", "").splitlines() if line and line.lstrip()[:1] != "#"
]
LOCKED: list[Json] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
OTHERS = [package for package in LOCKED if "editable" not in package["source"]]
"""All but this project itself."""


@every("line", REQUIREMENTS, ids=lambda line: line.partition(" ")[0])
def test_requirement_of_the_layer_is_one_version_by_its_digests(line: str) -> None:
    assert re.fullmatch(
        r"[a-z0-9-]+==[^\s;]+( ; [^\\]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line
    )


def test_layer_requires_what_the_project_does_but_for_what_is_the_command_s() -> None:
    """And boto3, which the Lambda runtime brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[><=~ ]", one)[0] for one in project["dependencies"]}
    layer = {line.partition("==")[0] for line in REQUIREMENTS}

    assert wanted - layer == {"boto3", "rich", "typer"}


def test_uv_itself_is_one_version_by_its_digests() -> None:
    """It installs all the rest, so it comes first. That others are refused: test_digests.py."""
    pinned = (ROOT / "scripts" / "uv.txt").read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in pinned.splitlines() if not line.startswith("#")]

    assert len(lines) == 1
    assert re.fullmatch(r"uv==[0-9.]+(\s+--hash=sha256:[0-9a-f]{64})+\s*", lines[0])


def test_project_is_built_with_what_is_locked() -> None:
    """In an isolated build, uv would fetch the newest of what builds it, by no digest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    builders = set(project["build-system"]["requires"]) | {"editables"}

    assert builders <= {package["name"] for package in OTHERS}
    assert project["tool"]["uv"]["no-build-isolation-package"] == [project["project"]["name"]]


def _files(package: Json) -> list[Json]:
    """The archives that a locked package may be installed from."""
    return [*package.get("wheels", []), *filter(None, [package.get("sdist")])]


def test_every_locked_package_comes_from_an_index_by_its_digests() -> None:
    wrong = [
        package["name"]
        for package in OTHERS
        if package["source"].keys() != {"registry"}
        or not _files(package)
        or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]) for file in _files(package))
    ]

    assert len(OTHERS) > 100
    assert wrong == []


def test_audit_lets_nothing_pass_that_it_could_not_look_up() -> None:
    """Without `--strict`, pip-audit is content with a package that the service does not know."""
    assert {"--strict", "--require-hashes"} <= set(OPTIONS)
