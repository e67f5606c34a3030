"""Run a module like `python -m`, in a process that never outlives its parent.

It is started by path, not as a module: a function's process must not see the sandbox's packages.
    python -P bound_child.py PARENT_PID MODULE [ARGUMENT ...]
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.5


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


def main() -> None:
    """Run the module that the command line names (see the module docstring)."""
    end_with(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
