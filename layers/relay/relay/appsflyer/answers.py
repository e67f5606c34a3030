"""What AppsFlyer's answer means for an event (rules E10 to E17)."""

import re
from http import HTTPStatus
from typing import Final

from relay.domain.kinds import Kind
from relay.domain.outcomes import CREDENTIALS_REASON, Outcome, Ruling

DELIVERED: Final = Ruling(Outcome.DELIVERED, "E10", "delivered")

_OWN_APP_ID: Final = re.compile(r"failed to authenticate|\bapp_id\b", re.IGNORECASE)  # E12
_SURELY_NOT_RECORDED: Final = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
)


def ruling_of_answer(kind: Kind, status: int, text: str) -> Ruling:
    """E10 to E17: the status decides, and for a mobile 400 also the text (E12)."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return DELIVERED
    if status == HTTPStatus.BAD_REQUEST:
        if kind is Kind.MOBILE_EVENT and _OWN_APP_ID.search(text):
            return Ruling(Outcome.HELD, "E12", CREDENTIALS_REASON)
        return Ruling(Outcome.REFUSED, "E11", "bad_request")
    if status == HTTPStatus.UNAUTHORIZED:
        return Ruling(Outcome.HELD, "E13", CREDENTIALS_REASON)
    if status == HTTPStatus.FORBIDDEN:
        return Ruling(Outcome.BLOCKED, "E14", "account_blocked")
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        return Ruling(Outcome.REFUSED, "E15", "content_type")
    if _is_transient(status):
        uncertain = status not in _SURELY_NOT_RECORDED
        return Ruling(Outcome.DEFERRED, "E16", f"status_{status}", uncertain)
    return Ruling(Outcome.REFUSED, "E17", f"status_{status}")


def ruling_of_failure(reason: str, *, sure: bool) -> Ruling:
    """E16 where no answer came at all."""
    return Ruling(Outcome.DEFERRED, "E16", reason, uncertain=not sure)


def _is_transient(status: int) -> bool:
    return (
        status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )
