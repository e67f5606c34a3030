"""Runs `aws ...` in a process of its own, forked from one that has loaded the AWS CLI already.

Loading takes nine tenths of a command. What is run is the real one, with the arguments, folder,
environment and files of who calls it; tests/integration/sandbox/test_aws.py starts it cold.
"""

import atexit
import importlib
import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_SERVICES = ("cloudformation", "cloudwatch", "sqs", "ssm")
"""Those that documents speak to: their models are read once."""

# Version 1 does not read AWS_ENDPOINT_URL for SQS.
_PROGRAM = """#!{python} -IS
import json, os, socket, sys

arguments = ["--endpoint-url", os.environ["AWS_ENDPOINT_URL"], *sys.argv[1:]]
told = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode() + b"\\n"
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [told], [0, 1, 2])
    sys.exit(int(server.recv(16)))
"""


@cache
def program() -> Path:
    """A program `aws`, for as long as these tests run."""
    folder = Path(tempfile.mkdtemp(prefix="aws"))  # short: a socket's path has 107 bytes at most
    address = str(folder / "socket")
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, address], cwd=_ROOT, stdout=subprocess.PIPE
    )

    def end() -> None:
        server.terminate()
        server.communicate()
        shutil.rmtree(folder)

    atexit.register(end)
    assert server.stdout
    assert server.stdout.readline() == b"ready\n"
    path = folder / "aws"
    path.write_text(_PROGRAM.format(python=sys.executable, address=address), "utf-8")
    path.chmod(0o755)
    return path


def _serve(address: str) -> None:
    clidriver: Any = importlib.import_module("awscli.clidriver")
    driver = clidriver.create_clidriver()
    for service in _SERVICES:
        driver.session.get_service_model(service)
    parent = os.getppid()

    class Command(socketserver.BaseRequestHandler):
        """One command, in the process that was forked for it."""

        def handle(self) -> None:
            told, descriptors, _, _ = socket.recv_fds(self.request, 65_536, 3)
            while not told.endswith(b"\n"):
                told += self.request.recv(65_536)
            arguments, folder, environment = json.loads(told)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
            try:
                code = driver.main(arguments)
            except SystemExit as end:
                code = end.code
            sys.stdout.flush()
            self.request.sendall(str(code).encode())

    class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
        def service_actions(self) -> None:
            """End with who started this, if that could not say so."""
            super().service_actions()
            if os.getppid() != parent:
                sys.exit()

    with Server(address, Command) as server:
        print("ready", flush=True)  # noqa: T201 - who started it waits for that
        server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1])
