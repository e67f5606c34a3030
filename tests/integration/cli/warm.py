"""`relay ...` in a process of its own, forked from one that has loaded the command already.

Loading is most of what a short run takes, and some hundred tests run one. Such a process is what
`relay` is behind its imports: it has memory, files, environment and exit code of its own. How the
command starts from nothing is shown by the tests that start it in a shell, in a terminal, or to
stop it.
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
    """Runs it to its end; `scratch` is a folder for what goes in and what comes out."""
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
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process lives
    sys.argv = ["relay", *arguments]
    app()
