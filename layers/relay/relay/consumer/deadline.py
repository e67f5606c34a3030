"""How long an invocation may still run."""

from collections.abc import Callable

Remaining = Callable[[], float]
"""Seconds that the invocation may still run."""


class Deadline:
    """The end of one invocation: Lambda ends it then, whatever is under way."""

    def __init__(self, remaining: Remaining) -> None:
        self._remaining = remaining

    def allows(self, seconds: float) -> bool:
        """Whether something that takes up to `seconds` still ends in time."""
        return self._remaining() >= seconds
