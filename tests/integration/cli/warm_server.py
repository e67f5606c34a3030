"""Forks itself for each command that it is told to run: `python warm_server.py SOCKET`.

A connection brings a line of JSON, `[arguments, folder, environment, MiB or null]`, and the
descriptors of standard input, output and error. The answer is the exit code, as text. Who hangs up
before that has the command killed.
"""

import functools
import gc
import importlib
import json
import os
import pkgutil
import resource
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import typer.main

import relay_cli
from relay_sandbox.lambda_runtime.preload import share_models

_MODULES = [
    *(found.name for found in pkgutil.walk_packages(relay_cli.__path__, "relay_cli.")),
    *("boto3", "relay_sandbox.sandbox", "rich.console", "rich.table"),
]
_SERVICES = ["sqs", "dynamodb", "ssm", "cloudformation"]


class Server:
    """Serves until its standard input ends, as it does with whoever started it."""

    def __init__(self, address: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen()
        self._running: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._ended, self._wakes = socket.socketpair()
        self._wakes.setblocking(False)  # noqa: FBT003 - it has no name for it
        self._selector.register(self._ended, selectors.EVENT_READ)

    def next_command(self) -> tuple[Any, list[int]]:
        """In the process that is to run it: what to run. The server itself never returns."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakes.fileno())
        print("ready", flush=True)  # noqa: T201 - who started it waits for that
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    os._exit(0)
                elif key.fileobj is self._ended:
                    self._ended.recv(4096)
                    self._reap()
                elif key.fileobj is not self._listener:
                    self._hung_up(key.fd)
                elif command := self._fork():
                    return command

    def _fork(self) -> tuple[Any, list[int]] | None:
        connection, _ = self._listener.accept()
        told, descriptors, _, _ = socket.recv_fds(connection, 65_536, 3)
        while not told.endswith(b"\n"):
            told += connection.recv(65_536)
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return json.loads(told), descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        self._running[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ)
        return None

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            connection = self._running.pop(pid)
            self._selector.unregister(connection)
            with connection:
                connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())

    def _hung_up(self, descriptor: int) -> None:
        for pid, connection in self._running.items():
            if connection.fileno() == descriptor:
                os.kill(pid, signal.SIGKILL)


def limit_memory(mib: int) -> None:
    """No more than that is added to what this process has (Linux)."""
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        limit = int(status["VmData"].split()[0]) * 1024 + mib * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    """Load the command; then be it, once for each that is told."""
    for module in _MODULES:
        importlib.import_module(module)
    _share_what_is_only_read()
    gc.collect()
    gc.freeze()  # what is loaded stays shared with the forks
    (arguments, folder, environment, mib), descriptors = Server(sys.argv[1]).next_command()

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # As Python opens them: those that are there know what they were opened for.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - open as long as the process lives
    sys.stdout = open(1, "w", buffering=1 if os.isatty(1) else -1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    if mib is not None:
        limit_memory(mib)
    sys.argv = ["relay", *arguments]
    os._exit(exit_code())


def _share_what_is_only_read() -> None:
    """What typer makes of the command's functions, and AWS's models as botocore reads them."""
    from relay_cli.main import app  # noqa: PLC0415 - loaded with all the others

    typer.main.get_command = functools.cache(typer.main.get_command)
    typer.main.get_command(app)
    share_models(_SERVICES)


def exit_code() -> int:
    """Of the command, once it has ended. To take down all that is loaded would take longer."""
    from relay_cli.main import app  # noqa: PLC0415 - loaded with all the others

    code: object = 0
    try:
        app()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - shown as Python shows it
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    main()
