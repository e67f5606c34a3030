"""What the settler asks of a job: the content of one record, on its way."""

from datetime import datetime
from typing import Protocol

from relay.domain.outcomes import Verdict


class Job(Protocol):
    """The content of one record, as far as it has to wait or is given up."""

    @property
    def message_id(self) -> str:
        """Of the SQS message that brought it."""
        ...

    @property
    def group(self) -> str:
        """The message group of what is put on a queue for it."""
        ...

    @property
    def attempts(self) -> int:
        """How many attempts were made before this one, without success."""
        ...

    @property
    def held_since(self) -> datetime | None:
        """Since when it is held; None when it is not."""
        ...

    @property
    def held_since_after_attempt(self) -> datetime | None:
        """The same, once one more attempt has failed."""
        ...

    def waiting_body(self, **changes: object) -> str:
        """The message in which it waits; `changes` replace fields, None takes one away."""
        ...

    def dead_letter(self, verdict: Verdict, now: datetime, attempts: int | None) -> str:
        """The dead letter, with the reason. `attempts`: None for as many as there were."""
        ...
