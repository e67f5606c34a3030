"""What `sam build` makes of the functions and the layer."""

import os
import subprocess
import sys

import pytest

from tests.integration.emulator import FUNCTIONS, Build, why_not_here

pytestmark = [
    pytest.mark.xdist_group("built"),  # one build for all of them
    pytest.mark.skipif(why_not_here() is not None, reason=str(why_not_here())),
]


def test_built_layer_is_far_from_the_limit_of_lambda(built: Build) -> None:
    """250 MB for a function and its layers, unzipped; more is slow to load besides."""
    size = sum(file.stat().st_size for file in built.layer.rglob("*") if file.is_file())

    assert size < 30 * 1024 * 1024


def test_built_layer_has_all_that_its_modules_import(built: Build) -> None:
    """`finish.sh` takes out of libraries what is never imported."""
    modules = sorted(
        ".".join(one.relative_to(built.layer).with_suffix("").parts)
        for one in (built.layer / "relay").rglob("*.py")
        if one.name != "__init__.py"
    )
    found = subprocess.run(
        [sys.executable, "-S", "-c", f"import {', '.join(modules)}"],
        env={"PYTHONPATH": f"{built.layer}{os.pathsep}{built.runtime}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(modules) > 50
    assert (found.returncode, found.stderr) == (0, "")


def test_built_layer_is_compiled(built: Build) -> None:
    """Lambda could not keep what it compiled: the layer is read-only there."""
    modules = list((built.layer / "relay").rglob("*.py"))

    assert len(modules) > 50
    assert [
        one for one in modules if not list(one.parent.glob(f"__pycache__/{one.stem}.*.pyc"))
    ] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_built_function_is_one_module(built: Build, name: str) -> None:
    """What it shares is in the layer."""
    files = [file.name for file in (built.folder / FUNCTIONS[name]).iterdir()]

    assert files == ["app.py"]
