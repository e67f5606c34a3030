"""What goes wrong in front of a person."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How every command of `relay` ends."""

    OK = 0
    """All went as it should."""
    FAILED = 1
    """Something was rejected, not taken, or did not end as expected."""
    INVALID_INPUT = 2
    """Nothing could be done: a file, an option or an address is of no use."""


class CliError(Exception):
    """A message for the person at the keyboard: what is wrong, and what to do.

    Never holds the content of a file or a message. `code` is how the command then ends.
    """

    def __init__(self, message: str, *, code: ExitCode = ExitCode.INVALID_INPUT) -> None:
        super().__init__(message)
        self.code = code
