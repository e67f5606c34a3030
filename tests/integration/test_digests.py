"""What is installed is what was looked at: another file by the same name and version is refused.

The index is a folder with one made-up package; nothing is fetched.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = """#!/bin/sh
case "$*" in
    *-m\\ venv*) exit 1 ;; # as where ensurepip is a separate package
    *print*) echo "$0" ;; # it is found as the Python there is
    *) PYTHONPATH=%s exec %s "$@" ;;
esac
"""


def pip() -> Path:
    """Pip's own wheel: it runs from there, which spares making an environment."""
    found = importlib.util.find_spec("ensurepip")
    wheels = Path(found.origin).parent.rglob("pip-*.whl") if found and found.origin else []
    for wheel in wheels:
        return wheel
    return pytest.skip("this Python brings no pip")


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def make_wheel(folder: Path, name: str) -> None:
    """Write a wheel that has nothing in it."""
    folder.mkdir()
    info = f"{name}-99.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-99.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env=os.environ | variables
    )


def test_another_uv_is_not_installed(tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "uv")
    executable(tmp_path / "bin" / "uv", "#!/bin/sh\nexit 1\n")
    executable(tmp_path / "bin" / "python3", PYTHON % (pip(), sys.executable))
    executable(tmp_path / "scripts" / "uv", (ROOT / "scripts" / "uv").read_text(encoding="utf-8"))
    (tmp_path / "scripts" / "uv.txt").write_text(f"uv==99.0 --hash=sha256:{'0' * 64}\n")

    found = run(
        tmp_path / "scripts" / "uv",
        PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(tmp_path / "index"),
    )

    assert "DO NOT MATCH THE HASHES" in found.stderr
    assert "uv could not be installed" in found.stderr
    assert (found.returncode, found.stdout) == (1, "")
    assert not (tmp_path / ".tools" / "uv").exists()


@pytest.mark.parametrize("digest", ["", f"--hash=sha256:{'0' * 64}"])
def test_layer_is_built_of_nothing_by_another_digest_or_none(tmp_path: Path, digest: str) -> None:
    make_wheel(tmp_path / "index", "made_up")
    shutil.copy(ROOT / "layers" / "relay" / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").write_text(f"made_up==99.0 {digest}\n")

    found = run(
        *("make", "-C", tmp_path, "build-RelayLayer"),
        *(f"ARTIFACTS_DIR={tmp_path / 'out'}", f"UV={ROOT / 'scripts' / 'uv'}"),
        UV_OFFLINE="1",
        UV_FIND_LINKS=str(tmp_path / "index"),
    )

    assert found.returncode != 0
    assert "hash" in found.stderr.lower()
    assert not list((tmp_path / "out").rglob("made_up*"))
