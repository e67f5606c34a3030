"""The notice: the body of every record on the payments queue, and of its dead letters."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay.domain.movements import ParsedWebhook, Treatment
from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, UnwritableError, dumps_for_queue, loads
from relay.instants import iso_form
from relay.validation import Moment, faults_of_stranger

DEAD_LETTER_FIELDS: Final = frozenset({"reason", "outcome", "message", "dead_since"})

UNKNOWN_TYPE: Final = "unknown_type"
UNREADABLE: Final = "unreadable"


_Name = Annotated[str, Field(min_length=1, max_length=64)]


class Notice(BaseModel):
    """One item of a webhook from a payment provider."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    provider: _Name
    source: _Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the webhook's body; identifies the provider's copy of it."""
    size: Annotated[int, Field(ge=0, strict=True)] = 0
    """Size of that body, in bytes."""
    id: str | None = None
    """The webhook's id, to look it up at the provider."""
    type: str | None = None
    problem: str | None = None
    """Why it cannot be interpreted (`unknown_type`, `unreadable: ...`), else None."""
    occurred_at: Moment | None = None
    test: bool = False
    content: dict[str, Any] = Field(default_factory=dict)
    """Fields of the provider's allow-list, and no others."""
    first_seen: Moment
    """When the webhook came in."""
    attempts: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    held_since: Moment | None = None
    not_before: Moment | None = None

    @classmethod
    def of_webhook(
        cls, webhook: ParsedWebhook, provider: str, source: str, body: bytes, at: datetime
    ) -> Self:
        """The notice of one parsed item of a webhook."""
        return cls(
            provider=provider,
            source=source,
            sha256=_digest(body),
            size=len(body),
            id=webhook.id,
            type=webhook.type,
            problem=_problem(webhook),
            occurred_at=webhook.occurred_at,
            test=webhook.test,
            content=dict(webhook.content),
            first_seen=at,
        )

    @classmethod
    def of_unreadable(
        cls, problem: str, provider: str, source: str, body: bytes, at: datetime
    ) -> Self:
        """The notice of a webhook with a valid signature that cannot be read."""
        return cls(
            provider=provider,
            source=source,
            sha256=_digest(body),
            size=len(body),
            problem=f"{UNREADABLE}: {problem}",
            first_seen=at,
        )


def _problem(webhook: ParsedWebhook) -> str | None:
    if webhook.problem is not None:
        return f"{UNREADABLE}: {webhook.problem}"
    return UNKNOWN_TYPE if webhook.treatment is Treatment.UNKNOWN else None


def parse_notice(body: str) -> Notice:
    """Parses a record's body; raises `NotAnEnvelopeError`, which never quotes the body."""
    try:
        content = loads(body)
    except InvalidJsonError as error:
        raise NotAnEnvelopeError(str(error)) from None
    if not isinstance(content, dict):
        message = "must be a JSON object"
        raise NotAnEnvelopeError(message)
    try:
        notice = Notice.model_validate(content)
        write_notice(notice)  # fail now: it could neither be put back nor dead-lettered
    except ValidationError as error:
        raise NotAnEnvelopeError(faults_of_stranger(error)) from None
    except UnwritableError as error:
        raise NotAnEnvelopeError(f"content: {error}") from None
    return notice


def write_notice(notice: Notice, **changes: object) -> str:
    """A notice as a message body; `changes` replace fields or add those of a dead letter.

    None and empty values are left out.
    """
    fields: Mapping[str, object] = {**dict(notice), **changes}
    return dumps_for_queue({name: _json_value(value) for name, value in fields.items() if value})


def _json_value(value: object) -> object:
    return iso_form(value) if isinstance(value, datetime) else value


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
