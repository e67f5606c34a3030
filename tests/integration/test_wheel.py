"""The command as `pip install` of its wheel gives it: no checkout, only what it requires."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from relay_cli.resources import CHECKOUT as ROOT

PACKAGES = [ROOT / "layers/relay/relay", ROOT / "sandbox/relay_sandbox", ROOT / "cli/relay_cli"]
STORY = "tests/data/payment_stories/stripe/stripe_trial_converted.json"
WEBHOOK = "tests/data/webhooks/stripe_invoice_paid_first.json"
NOWHERE = "http://127.0.0.1:1/000000000000/queue"
COMMANDS: dict[str, int] = {
    "--version": 0,
    "--help": 0,
    "sandbox": 2,
    "demo --once": 2,
    "rule M22": 0,
    "openapi": 0,
    "openapi --check docs/openapi.json": 0,
    "check events/forward_mobile_purchase.json": 0,
    f"payments story {STORY}": 0,
    f"payments explain {WEBHOOK}": 0,
    f"payments verify {WEBHOOK} --header stripe-signature:t=1,v1=0": 1,
    f"dlq list --queue {NOWHERE}": 2,
}
OF_THE_SANDBOX = ("relay_cli.local.", "relay_cli.openapi.document")
DRIVER = """
import contextlib, importlib, io, json, pkgutil, shlex, sys
import relay_cli
from relay_cli.main import app

told = {"missing": [], "commands": {}}
for module in pkgutil.walk_packages(relay_cli.__path__, "relay_cli."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        told["missing"].append(module.name)
for command in json.load(sys.stdin):
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = app(shlex.split(command)) or 0
        except SystemExit as end:
            code = end.code
    told["commands"][command] = (code, out.getvalue(), err.getvalue())
print(json.dumps(told))
"""


def _closure(name: str, extras: frozenset[str], seen: set[str]) -> Iterator[str]:
    """The names of a distribution and of all that it requires."""
    if name not in seen:
        seen.add(name)
        yield name
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        applies = any(
            wanted.marker is None or wanted.marker.evaluate({"extra": extra})
            for extra in (extras or {""})
        )
        if applies and wanted.name not in seen:
            yield from _closure(wanted.name, frozenset(wanted.extras), seen)


def _tops(one: Distribution) -> set[str]:
    """What it puts beside others' files; to look at each of its thousands takes longer."""
    lines = (one.read_text("RECORD") or "").splitlines()
    return {re.split("[/,]", line, maxsplit=1)[0] for line in lines} - {"..", "__pycache__"}


def _link(requirement: str, folder: Path) -> None:
    wanted = Requirement(requirement)
    for name in _closure(wanted.name, frozenset(wanted.extras), set()):
        one = distribution(name)
        for part in _tops(one):
            with_name = folder / part
            if not with_name.exists():
                with_name.symlink_to(Path(str(one.locate_file(part))))


def _unpack(wheel: Path, site: Path) -> None:
    """With what Python made of the checkout's modules, where those of the wheel are the same."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for source in PACKAGES:
        for module in (site / source.name).rglob("*.py"):
            original = source / module.relative_to(site / source.name)
            if module.read_bytes() == original.read_bytes():
                os.utime(module, ns=(0, original.stat().st_mtime_ns))
            if not (cache := module.with_name("__pycache__")).exists():
                cache.symlink_to(original.with_name("__pycache__"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[int, str, str]]]:
    """What each command said, and which modules were not there, in one process."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    site, packages = folder / "site", folder / "packages"
    _unpack(wheel, site)
    packages.mkdir()
    (metadata,) = site.glob("*.dist-info/METADATA")
    for line in metadata.read_text(encoding="utf-8").splitlines():
        if line.startswith("Requires-Dist: "):
            _link(line.removeprefix("Requires-Dist: "), packages)
    home = folder / "home"
    home.mkdir()
    for name in ("events", "tests", "docs"):  # as files that a user has somewhere
        (home / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-S", "-c", DRIVER],
        cwd=home,
        env={"PYTHONPATH": f"{site}:{packages}", "RELAY_WEBHOOK_SECRET": "whsec_of_a_test"}
        | {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
        | {"AWS_MAX_ATTEMPTS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(list(COMMANDS)),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, tuple[int, str, str]]] = json.loads(done.stdout)
    return found


def test_wheel_requires_all_that_its_commands_import(
    told: dict[str, dict[str, tuple[int, str, str]]],
) -> None:
    """But for what runs the sandbox, which needs a checkout."""
    assert [one for one in told["missing"] if not one.startswith(OF_THE_SANDBOX)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_wheel_ends_as_in_a_checkout(
    told: dict[str, dict[str, tuple[int, str, str]]], command: str
) -> None:
    code, output, problem = told["commands"][command]

    assert (code, "fault of relay's own" in problem) == (COMMANDS[command], False), problem
    assert (output + problem).strip() or "--check" in command


@pytest.mark.parametrize("command", ["sandbox", "demo --once"])
def test_command_that_needs_a_checkout_says_so_in_one_sentence(
    told: dict[str, dict[str, tuple[int, str, str]]], command: str
) -> None:
    _, output, problem = told["commands"][command]

    assert output == ""
    assert problem.startswith(f"relay: `relay {command.split(maxsplit=1)[0]}` ")
    assert "make run" in problem
    assert len(problem.splitlines()) == 1
