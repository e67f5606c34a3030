"""What is installed is what was looked at: another file by the same name and version is refused.

The index is a folder with one made-up package; nothing is fetched.
"""

import ensurepip
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
(PIP,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
"""pip runs from its wheel, which spares making an environment."""
PYTHON = f"""#!/bin/sh
case "$*" in
    *-m\\ venv*) exit 1 ;; # as where ensurepip is a separate package
    *print*) echo "$0" ;; # it is found as the Python there is
    *) PYTHONPATH={PIP} exec {sys.executable} "$@" ;;
esac
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def make_wheel(folder: Path, name: str) -> str:
    """Write a wheel with a program of its own name; return the file's SHA-256."""
    folder.mkdir()
    path = folder / f"{name}-99.0-py3-none-any.whl"
    info = f"{name}-99.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        program = zipfile.ZipInfo(f"{name}-99.0.data/scripts/{name}")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, "#!/bin/sh\necho this is $1\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env=os.environ | variables
    )


def run_uv(project: Path, digest: str) -> subprocess.CompletedProcess[str]:
    """What `scripts/uv well` does where there is no uv yet, and one with this digest is wanted."""
    executable(project / "bin" / "python3", PYTHON)
    executable(project / "scripts" / "uv", (ROOT / "scripts" / "uv").read_text(encoding="utf-8"))
    (project / "scripts" / "uv.txt").write_text(f"uv==99.0 --hash=sha256:{digest}\n")
    return run(
        project / "scripts" / "uv",
        "well",
        PATH=f"{project / 'bin'}:/usr/bin:/bin",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(project / "index"),
    )


def test_uv_is_installed_by_its_digest(tmp_path: Path) -> None:
    found = run_uv(tmp_path, make_wheel(tmp_path / "index", "uv"))

    assert (found.returncode, found.stdout) == (0, "this is well\n")


def test_another_uv_is_not_installed(tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "uv")

    found = run_uv(tmp_path, "0" * 64)

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
