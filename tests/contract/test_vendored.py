"""What others wrote and stands here: the recorded version, file by file, and nothing beside it."""

import base64
import hashlib
import json
import re
from pathlib import Path

from tests.support.builders import Json

ROOT = Path(__file__).parents[2]
VENDORED: dict[str, Json] = json.loads((ROOT / "scripts" / "vendored.json").read_text("utf-8"))


def _digest(file: Path) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()


def _found(package: Json) -> dict[str, str]:
    folder = ROOT / package["into"]
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): _digest(file) for file in files}


def test_vendored_files_are_those_whose_digests_are_recorded() -> None:
    assert len(VENDORED) > 1
    assert {name: _found(one) for name, one in VENDORED.items()} == {
        name: one["files"] for name, one in VENDORED.items()
    }


def test_each_vendored_package_is_one_version_with_its_digest_and_its_licence() -> None:
    wrong = [
        name
        for name, package in VENDORED.items()
        if not re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        or not re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"])
        or "LICENSE" not in package["files"]
    ]

    assert wrong == []


def test_every_folder_of_vendored_files_is_recorded() -> None:
    """No file of others comes in without its origin."""
    folders = {
        folder.relative_to(ROOT).as_posix()
        for top in ("sandbox", "cli", "layers", "functions", "tests")
        for vendor in (ROOT / top).rglob("vendor")
        for folder in vendor.iterdir()
    }

    assert folders == {package["into"] for package in VENDORED.values()}
