"""Which processes there are, by Linux's /proc; elsewhere none is seen."""

import sys
from pathlib import Path


def children(pid: int) -> set[int]:
    """The processes that a process has started and that have not been waited for."""
    if sys.platform != "linux":
        return set()
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def alive(pids: set[int]) -> set[int]:
    """Those of them that have not ended."""
    return {pid for pid in pids if _state(pid) not in {"gone", "Z"}}


def _state(pid: int) -> str:
    """The letter of a process's state; one that has ended may still be listed, as Z."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"
