"""A sandbox run as a command announces itself, stops when told to, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay_sandbox.serving import write_whole

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")

CODE = """
import sys
from pathlib import Path
from relay_sandbox.sandbox import SandboxOptions
from relay_sandbox.serving import run_sandbox

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
def served(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a sandbox in a process of its own; it is up when the block begins."""
    command = [sys.executable, "-c", CODE, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if state(pid) not in {"gone", "Z"}}


def state(pid: int) -> str:
    """Give the letter of a process's state; one that has ended may still be listed, as Z."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path) as process:
        ready = json.loads((tmp_path / "ready.json").read_text())
        started = children(process.pid)
        process.send_signal(number)

        assert process.wait(30) == 0
    assert ready["api"].startswith("http://127.0.0.1:")
    assert len(started) >= 4, "the local AWS and three functions"
    assert not alive(started)
    assert not (tmp_path / "ready.json").exists()


def test_kill_leaves_no_process_behind(tmp_path: Path) -> None:
    with served(tmp_path) as process:
        started = children(process.pid)
        process.kill()

    assert len(started) >= 4, "the local AWS and three functions"
    until(lambda: not alive(started))


def test_file_that_is_written_whole_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ready.json"

    write_whole(path, "{}")

    assert path.read_text() == "{}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
