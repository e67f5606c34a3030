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
        """Seconds until then; negative once it is over."""
        return self._remaining()

    def allows(self, seconds: float) -> bool:
        """Whether work that takes up to `seconds` would still finish in time."""
        return self.remaining_seconds >= seconds

    def sooner_by(self, seconds: float) -> "Deadline":
        """A deadline before this one, so that these seconds are kept for something else."""
        return Deadline(lambda: self._remaining() - seconds)


class CurrentDeadline:
    """The deadline of a process's invocation, for what lives longer than one invocation."""

    def __init__(self) -> None:
        self._deadline: Deadline | None = None

    def begin(self, deadline: Deadline) -> None:
        """An invocation begins. A process has one at a time."""
        self._deadline = deadline

    def allows(self, seconds: float) -> bool:
        """As `Deadline.allows`; outside of an invocation there is time for everything."""
        return self._deadline is None or self._deadline.allows(seconds)
