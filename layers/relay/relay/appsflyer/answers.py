"""What AppsFlyer's response means for an event (rules E10 to E17)."""

import re
from http import HTTPStatus
from typing import Final

from relay.domain.kinds import Kind
from relay.domain.outcomes import (
    CREDENTIALS_REASON,
    AppsFlyerResponse,
    Outcome,
    Verdict,
)
from relay.errors import SendFailedError

DELIVERED: Final = Verdict(Outcome.DELIVERED, "E10", "delivered")

_OWN_APP_ID: Final = re.compile(r"failed to authenticate|\bapp_id\b", re.IGNORECASE)  # E12
_FOR_ALL: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.MISDIRECTED_REQUEST}
)
"""E17: like a redirect, they say nothing about one event. Something in front of AppsFlyer answers,
or the app's path is gone."""
_SURELY_NOT_RECORDED: Final = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
)


def verdict_of_response(kind: Kind, response: AppsFlyerResponse) -> Verdict:
    """E10 to E17: the status decides, and for a mobile 400 also the text (E12)."""
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        return DELIVERED
    return _refusal(kind, response.status, response.text)._replace(response=response)


def _refusal(kind: Kind, status: int, text: str) -> Verdict:
    if status == HTTPStatus.BAD_REQUEST:
        if kind is Kind.MOBILE_EVENT and _OWN_APP_ID.search(text):
            return Verdict(Outcome.HELD, "E12", CREDENTIALS_REASON)
        return Verdict(Outcome.REFUSED, "E11", "bad_request")
    if status == HTTPStatus.UNAUTHORIZED:
        return Verdict(Outcome.HELD, "E13", CREDENTIALS_REASON)
    if status == HTTPStatus.FORBIDDEN:
        return Verdict(Outcome.BLOCKED, "E14", "account_blocked")
    if status in _FOR_ALL or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Verdict(Outcome.BLOCKED, "E17", f"status_{status}")
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        return Verdict(Outcome.REFUSED, "E15", "content_type")
    if _is_transient(status):
        uncertain = status not in _SURELY_NOT_RECORDED
        return Verdict(Outcome.DEFERRED, "E16", f"status_{status}", uncertain)
    return Verdict(Outcome.REFUSED, "E17", f"status_{status}")


def verdict_of_failure(error: SendFailedError) -> Verdict:
    """E16, if no response came at all."""
    return Verdict(Outcome.DEFERRED, "E16", error.reason, uncertain=not error.sure)


def _is_transient(status: int) -> bool:
    return (
        status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )
