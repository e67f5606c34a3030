"""What the settler needs to know of a job, which is the content of one record."""

from datetime import datetime
from typing import Protocol

from relay.domain.outcomes import Verdict


class Job(Protocol):
    """The content of one record, seen by the settler: how to wait and how to be dead-lettered."""

    @property
    def message_id(self) -> str:
        """The id of the SQS message that brought it."""
        ...

    @property
    def group(self) -> str:
        """The message group for messages that are queued for it."""
        ...

    @property
    def attempts(self) -> int:
        """How many attempts failed before this one."""
        ...

    @property
    def held_since(self) -> datetime | None:
        """Since when it is held; None when it is not held."""
        ...

    @property
    def held_since_after_attempt(self) -> datetime | None:
        """The value of `held_since` after one more failed attempt."""
        ...

    def waiting_body(self, **changes: object) -> str:
        """The message body in which it waits; `changes` replace fields, None removes one."""
        ...

    def dead_letter(self, verdict: Verdict, now: datetime, attempts: int | None) -> str:
        """The dead letter, with the reason. `attempts` None: the number made so far."""
        ...
