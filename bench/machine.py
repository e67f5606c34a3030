"""The machine a figure was taken on, and its cores."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path


def cores() -> list[int]:
    """The cores this process may use; none where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))


def pin(process_id: int, chosen: list[int]) -> None:
    """Keeps a process on these cores, where the system can do that."""
    if chosen and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process_id, chosen)


def facts() -> str:
    """One line: what the figures depend on."""
    packages = ("httpx", "aws-lambda-powertools", "pydantic")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    python = platform.python_version()
    return f"{_processor()}, {len(cores()) or os.cpu_count()} cores, Python {python}, {versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else f"{platform.machine()} ({sys.platform})"
