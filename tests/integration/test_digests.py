"""What is installed is what was looked at: another file by the same name and version is refused.

And how uv is installed, which installs the rest.

The index is a folder with one made-up package; nothing is fetched.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = f"""#!/bin/sh
case "$*" in
    *print*) echo "$0" ;; # it is found as the Python there is
    *) exec {sys.executable} "$@" ;;
esac
"""
"""This one, by another name. It has a pip, which pip-audit wants."""


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


def own_uv(folder: Path, python: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`scripts/uv --version` where there is no uv, and this script as the only Python."""
    executable(folder / "bin" / "uv", "#!/bin/sh\nexit 1\n")
    executable(folder / "bin" / "python3", python)
    executable(folder / "scripts" / "uv", (ROOT / "scripts" / "uv").read_text(encoding="utf-8"))
    (folder / "scripts" / "uv.txt").write_text(f"uv==99.0 --hash=sha256:{'0' * 64}\n")
    path = f"{folder / 'bin'}:/usr/bin:/bin"
    return run(folder / "scripts" / "uv", "--version", PATH=path, **variables)


def test_another_uv_is_not_installed(tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "uv")

    found = own_uv(tmp_path, PYTHON, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path / "index"))

    assert found.stderr.count("DO NOT MATCH THE HASHES") == 1  # no second try by another way
    assert "uv could not be installed" in found.stderr
    assert (found.returncode, found.stdout) == (1, "")
    assert not (tmp_path / ".tools" / "uv").exists()


MADE_UP = """#!/bin/sh
has() { case " $HAS " in *" $1 "*) ;; *) return 1 ;; esac; }
become() { mkdir -p "${1%/*}" && cp "$0" "$1"; }
case "$*" in
    *version_info*) ;; # it is new enough
    *print*) echo "$0" ;;
    "-c import pip") has pip || has broken-pip ;;
    "-m pip --version") has pip ;;
    "-m pip install "*" --target "*" --require-hashes "*) has pip && become "$7/bin/uv" ;;
    "-m venv "*) has venv && become "$3/bin/python" ;;
    "-m pip install "*" --require-hashes "*) become "${0%/*}/uv" ;; # in its environment
    --version) echo "uv 99.0" ;; # as uv
esac
"""
"""A Python that has some of `pip`, `broken-pip` and `venv`."""


@pytest.mark.parametrize(
    ("has", "made"),
    [
        ("pip venv", ["uv"]),
        ("pip", ["uv"]),
        ("venv", ["python", "uv"]),
        ("broken-pip venv", ["python", "uv"]),
        ("broken-pip", None),
        ("", None),
    ],
)
def test_uv_is_got_with_pip_or_else_from_an_environment(
    tmp_path: Path, has: str, made: list[str] | None
) -> None:
    """To make one takes longer than all else, and some Pythons cannot."""
    found = own_uv(tmp_path, MADE_UP, HAS=has)

    tools = tmp_path / ".tools" / "uv" / "bin"
    if made is None:
        assert "give that Python pip or venv" in found.stderr
        assert (found.returncode, tools.exists()) == (1, False)
    else:
        assert (found.returncode, found.stdout) == (0, "uv 99.0\n")
        assert sorted(one.name for one in tools.iterdir()) == made


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
