"""A sandbox that is killed leaves no process behind. The command's tests cover the rest."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay_sandbox.serve import write_atomically
from tests.integration.processes import alive, descendants

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")

CODE = """
import sys
from pathlib import Path
from relay_sandbox.sandbox import SandboxOptions
from relay_sandbox.serve import run_sandbox

async def when_up(sandbox):
    print("up", flush=True)

folder = Path(sys.argv[1])
run_sandbox(SandboxOptions(work_dir=folder), folder / "ready.json", when_up=when_up)
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 30 s"
        time.sleep(0.05)


@contextlib.contextmanager
def sandbox_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a sandbox in its own process; it is up when the block begins."""
    command = [sys.executable, "-c", CODE, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def test_kill_leaves_no_process_behind(tmp_path: Path) -> None:
    with sandbox_process(tmp_path) as process:
        started = descendants(process.pid)
        process.kill()

    assert len(started) >= 4, "the local AWS and three functions"
    until(lambda: not alive(started))


def test_file_that_is_written_atomically_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ready.json"

    write_atomically(path, "{}")

    assert path.read_text() == "{}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_file_that_is_written_atomically_is_its_owners_whatever_was_there_before(
    tmp_path: Path,
) -> None:
    """Also where the umask allows everything, and where something lies in the way."""
    path, others = tmp_path / "ready.json", tmp_path / "others"
    for before in (path, others):
        before.write_text("old")
        before.chmod(0o666)
    (tmp_path / f".ready.json.{os.getpid()}").symlink_to(others)
    umask = os.umask(0)
    try:
        write_atomically(path, "{}")
    finally:
        os.umask(umask)

    assert path.read_text() == "{}"
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert others.read_text() == "old"


def test_file_that_cannot_be_written_atomically_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.mkdir()

    with pytest.raises(OSError, match="ready"):
        write_atomically(path, "{}")

    assert list(tmp_path.iterdir()) == [path]
