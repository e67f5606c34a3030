"""Runs `relay ...` in its own process, forked from one that has loaded the command already.

Loading takes most of a short run, and some hundred tests run one. The process equals a real one
after its imports: it has its own memory, files, environment and exit code. Tests that start the
command in a shell, in a terminal, or in order to stop it, cover a cold start.
"""

import multiprocessing
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import relay_cli

_SECONDS = 120
_MODULES = [
    *(found.name for found in pkgutil.walk_packages(relay_cli.__path__, "relay_cli.")),
    *("boto3", "relay_sandbox.sandbox", "rich.console", "rich.table"),
]

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(_MODULES)


def run(
    arguments: Sequence[str], *, stdin: bytes, cwd: Path, env: Mapping[str, str], scratch: Path
) -> subprocess.CompletedProcess[bytes]:
    """Runs it to its end; `scratch` is a folder for input and output."""
    files = [scratch / name for name in ("stdin", "stdout", "stderr")]
    files[0].write_bytes(stdin)
    process = _processes.Process(target=_relay, args=(arguments, files, cwd, env))
    process.start()
    process.join(_SECONDS)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(["relay", *arguments], _SECONDS)
    _, stdout, stderr = (file.read_bytes() for file in files)
    return subprocess.CompletedProcess(["relay", *arguments], process.exitcode, stdout, stderr)


def _relay(
    arguments: Sequence[str], files: Sequence[Path], cwd: Path, env: Mapping[str, str]
) -> None:
    from relay_cli.main import app  # noqa: PLC0415 - the tests' own process need not load it

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, file in enumerate(files):
        descriptor = os.open(file, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - open as long as the process lives
    sys.argv = ["relay", *arguments]
    app()
