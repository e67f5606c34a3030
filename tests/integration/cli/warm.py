"""Runs `relay ...` in a process of its own, forked from one that has loaded the command already.

Loading takes most of a short run, and some hundred tests run one. The process equals a real one
after its imports: it has its own session, memory, files, environment and exit code. Tests that
start the command in order to stop it cover a cold start, and so do the blocks of the README.
"""

import atexit
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

_SECONDS = 120
_SERVER = Path(__file__).with_name("warm_server.py")
_PROGRAM = """#!{python} -IS
import json, os, socket, sys

told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), None]).encode() + b"\\n"
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [told], [0, 1, 2])
    sys.exit(int(server.recv(16)))
"""


def run(
    arguments: Sequence[str],
    *,
    stdin: bytes,
    cwd: Path,
    env: Mapping[str, str],
    scratch: Path,
    memory_mib: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs it to its end; `scratch` is a folder for input and output.

    With `memory_mib` it gets no more memory than that, over what it has when it starts (Linux).
    """
    told = json.dumps([list(arguments), str(cwd), dict(env), memory_mib]).encode() + b"\n"
    read, *written = (scratch / name for name in ("stdin", "stdout", "stderr"))
    read.write_bytes(stdin)
    with socket.socket(socket.AF_UNIX) as server, read.open("rb") as given:
        server.settimeout(_SECONDS)
        server.connect(_address())
        with written[0].open("wb") as out, written[1].open("wb") as err:
            socket.send_fds(server, [told], [given.fileno(), out.fileno(), err.fileno()])
        code = int(server.recv(16))  # TimeoutError; the process is then killed
    stdout, stderr = (file.read_bytes() for file in written)
    return subprocess.CompletedProcess(["relay", *arguments], code, stdout, stderr)


@cache
def program() -> Path:
    """A program `relay` for shells and terminals that does the same. Signals do not reach it."""
    path = Path(_address()).with_name("relay")
    path.write_text(_PROGRAM.format(python=sys.executable, address=_address()), "utf-8")
    path.chmod(0o755)
    return path


@cache
def _address() -> str:
    """The socket of the server; both are there until these tests end."""
    folder = Path(tempfile.mkdtemp(prefix="warm"))  # short: a socket's path has 107 bytes at most
    address = str(folder / "socket")
    server = subprocess.Popen(
        [sys.executable, "-P", str(_SERVER), address],
        stdin=subprocess.PIPE,  # its end is the server's
        stdout=subprocess.PIPE,
    )

    def end() -> None:
        server.communicate()
        shutil.rmtree(folder)

    atexit.register(end)
    assert server.stdout
    assert server.stdout.readline() == b"ready\n"
    return address
