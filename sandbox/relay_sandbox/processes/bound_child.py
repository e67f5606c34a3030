"""Run a module like `python -m`, in a process that never outlives its parent.

It is started by path, not as a module: a function's process must not see the sandbox's packages.
    python -P bound_child.py PARENT_PID MODULE [ARGUMENT ...]
    python -P bound_child.py PARENT_PID --fork SOCKET [LIBRARY ...]

The second form loads libraries and then forks a process for each request on the socket, which is
inherited: to load them is most of what a function's start costs. A LIBRARY is a module, or a file
of Python (`*.py`), which is run. A request is a packet of JSON with `command`, `environment` and
`folder`, and the descriptor that the output goes to. Answers are `{"started": PID}`, in the order
of the requests, and `{"ended": PID, "status": STATUS}`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.5
_MAX_REQUEST_BYTES = 256 * 1024


def end_with(parent: int) -> None:
    """Kill this process when process `parent` ends, for whatever reason."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # the parent ended before the lines above took effect
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def fork_on_request(requests: socket.socket, libraries: Sequence[str]) -> list[str]:
    """Load the libraries and fork until the socket is closed.

    Returns in the forked processes only, with the command that was asked for.
    """
    for library in libraries:
        try:
            _load(library)
        except Exception:  # noqa: BLE001, S112 - the function that needs it says so, with its traceback
            continue
    gc.freeze()  # so that looking for garbage does not copy what is shared
    forks = selectors.DefaultSelector()
    forks.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in forks.select():
            if key.fileobj is not requests:
                forks.unregister(key.fileobj)
                _tell_end(requests, key.data, key.fd)
                continue
            packet, outputs, *_ = socket.recv_fds(requests, _MAX_REQUEST_BYTES, maxfds=1)
            if not packet:
                sys.exit()
            asked, parent = json.loads(packet), os.getpid()
            pid = os.fork()
            if not pid:
                for other in list(forks.get_map().values()):
                    os.close(other.fd)
                requests.detach()
                return _become(asked, outputs[0], parent)
            os.close(outputs[0])
            with contextlib.suppress(ProcessLookupError):  # it has ended already
                os.setpgid(pid, pid)  # here, so that who is told of it can kill the group
            forks.register(os.pidfd_open(pid), selectors.EVENT_READ, data=pid)
            requests.send(json.dumps({"started": pid}).encode())


def _load(library: str) -> None:
    if library.endswith(".py"):
        runpy.run_path(library, run_name="__main__")
    else:
        importlib.import_module(library)


def _tell_end(requests: socket.socket, pid: int, descriptor: int) -> None:
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    ended = {"ended": pid, "status": os.waitstatus_to_exitcode(status)}
    requests.send(json.dumps(ended).encode())


def _become(asked: dict[str, Any], output: int, parent: int) -> list[str]:
    """Make this process what a started one would be; return its command."""
    end_with(parent)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    command: list[str] = asked["command"]
    return command


def main() -> None:
    """Run what the command line names (see the module docstring)."""
    end_with(int(sys.argv[1]))
    command = sys.argv[2:]
    if command[0] == "--fork":
        requests = socket.socket(fileno=int(command[1]))
        command = fork_on_request(requests, command[2:])
    sys.argv = command
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
