"""Durations as text."""

from datetime import timedelta
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def format_duration(duration: timedelta) -> str:
    """A duration in its two largest units at most, such as `1 d 3 h`."""
    seconds = int(duration.total_seconds())
    for position, (size, name) in enumerate(_UNITS):
        if seconds >= size:
            text = f"{seconds // size} {name}"
            rest = seconds % size
            if position + 1 < len(_UNITS) and (more := rest // _UNITS[position + 1][0]):
                text += f" {more} {_UNITS[position + 1][1]}"
            return text
    return "0 s"
