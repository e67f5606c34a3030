"""How long an invocation may still run."""

from collections.abc import Callable

Remaining = Callable[[], float]
"""Returns the seconds that the invocation may still run."""


class Deadline:
    """The end of one invocation: Lambda then stops it, even in the middle of work."""

    def __init__(self, remaining: Remaining) -> None:
        self._remaining = remaining

    @property
    def remaining_seconds(self) -> float:
        """How long the invocation may still run."""
        return self._remaining()

    def allows(self, seconds: float) -> bool:
        """Whether work that takes up to `seconds` would still finish in time."""
        return self._remaining() >= seconds
