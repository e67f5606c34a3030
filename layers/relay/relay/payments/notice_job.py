"""One notice, to be mapped to an event. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from relay.aws.sqs import MAX_MESSAGE_BYTES, size_of
from relay.domain.outcomes import Verdict
from relay.messages.notice import Notice, write_notice


@dataclass(frozen=True, slots=True)
class NoticeJob:
    """One notice, to be mapped to an event; a `relay.consumer.job.Job`."""

    message_id: str
    notice: Notice

    @property
    def group(self) -> str:
        """The notice's source."""
        return self.notice.source

    @property
    def attempts(self) -> int:
        """How many earlier attempts to map it failed."""
        return self.notice.attempts

    @property
    def held_since(self) -> datetime | None:
        """Since when it is held."""
        return self.notice.held_since

    @property
    def held_since_after_attempt(self) -> datetime | None:
        """Unchanged: a failed attempt does not end a hold, what it waits for is still unknown."""
        return self.notice.held_since

    def held_from(self, since: datetime) -> Self:
        """The same job, held since then."""
        return replace(self, notice=self.notice.model_copy(update={"held_since": since}))

    def waiting_body(self, **changes: object) -> str:
        """The notice, with these fields replaced."""
        return write_notice(self.notice, **changes)

    def dead_letter(self, verdict: Verdict, now: datetime, attempts: int | None) -> str:
        """The notice with the reason."""
        added_fields = {
            "reason": verdict.reason,
            "outcome": verdict.outcome,
            "message": verdict.detail,
            "dead_since": now,
            "attempts": self.attempts if attempts is None else attempts,
        }
        body = write_notice(self.notice, **added_fields)
        # No webhook is this large. If one ever is, its digest still identifies it.
        if size_of(body) > MAX_MESSAGE_BYTES:
            body = write_notice(self.notice, **added_fields, content=None)
        return body
