"""Which processes there are, by Linux's /proc; elsewhere none is seen."""

import sys
from pathlib import Path


def descendants(pid: int) -> set[int]:
    """The processes that a process, or one of these, has started and has not waited for."""
    if sys.platform != "linux":
        return set()
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    children = {int(child) for child in listed.read_text().split()} if listed.exists() else set()
    return children.union(*map(descendants, children))


def alive(pids: set[int]) -> set[int]:
    """Those of them that have not ended."""
    return {pid for pid in pids if _state(pid) not in {"gone", "Z"}}


def _state(pid: int) -> str:
    """The letter of a process's state; one that has ended may still be listed, as Z."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"
