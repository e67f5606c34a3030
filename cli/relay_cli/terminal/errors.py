"""Errors and exit codes of the command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command of `relay`."""

    OK = 0
    """Everything succeeded."""
    FAILED = 1
    """Something was rejected, not accepted, or did not end as expected."""
    INVALID_INPUT = 2
    """Invalid input or configuration: nothing was done."""


class CliError(Exception):
    """An error message for the user: what is wrong, and what to do.

    It never holds the content of a file or a message. `code` is the exit code of the command.
    """

    def __init__(self, message: str, *, code: ExitCode = ExitCode.INVALID_INPUT) -> None:
        super().__init__(message)
        self.code = code
