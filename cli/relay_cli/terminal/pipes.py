"""Readers of standard output that stop early, as `head` does: no error of anybody's."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Ends what is written where nobody reads on; what was to be done besides goes on."""
    try:
        yield
    except BrokenPipeError:
        write_nowhere()


def write_nowhere() -> None:
    """What is still to be written to standard output is not, so that nothing fails at the end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
