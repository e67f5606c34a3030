"""What a failed request means: surely not recorded, or perhaps recorded (E16).

This is the only place that translates the errors of `relay.http1` into `SendFailedError`.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from relay.errors import SendFailedError
from relay.http1.errors import (
    ClosedAtOnceError,
    ConnectionLostError,
    ExchangeError,
    ExchangeTimeoutError,
    NoConnectionError,
    NoConnectionInTimeError,
    NotHttpError,
)


class Meaning(NamedTuple):
    """A stable code for logs and metrics, and whether AppsFlyer surely recorded nothing."""

    reason: str
    sure: bool


MEANINGS: Final[Mapping[type[ExchangeError], Meaning]] = {
    # Surely not recorded: nothing of the request was written.
    NoConnectionError: Meaning("connect_failed", sure=True),
    NoConnectionInTimeError: Meaning("connect_timed_out", sure=True),
    ClosedAtOnceError: Meaning("reset_before_write", sure=True),
    # Uncertain.
    ExchangeTimeoutError: Meaning("read_timed_out", sure=False),
    ConnectionLostError: Meaning("reset_after_write", sure=False),
    NotHttpError: Meaning("not_http", sure=False),
}
"""Every error that an exchange can end with."""

_CONNECT_REASONS: Final[Mapping[type[OSError], str]] = {
    ssl.SSLError: "tls_failed",
    ConnectionRefusedError: "connect_refused",
    socket.gaierror: "name_not_resolved",
}


def failure_of(error: ExchangeError) -> SendFailedError:
    """The relay's error for the failure, without address, header or body."""
    reason, sure = MEANINGS[type(error)]
    if isinstance(error, NoConnectionError):
        reason = _connect_reason(error) or reason
    return SendFailedError(reason, sure=sure)


def _connect_reason(error: BaseException) -> str | None:
    """The reason of a failed connect, from its causes; None if it is none of the known ones."""
    for cause in _causes(error):
        for kind, reason in _CONNECT_REASONS.items():
            if isinstance(cause, kind):
                return reason
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
