"""What a failed request means: surely not recorded, or perhaps (E16).

The one place where httpx's exceptions, and what lies under them, become ours.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import httpx

from relay.appsflyer.transport import NothingSentError
from relay.errors import SendFailedError


class Meaning(NamedTuple):
    """A stable code for logs and metrics, and whether AppsFlyer surely recorded nothing."""

    reason: str
    sure: bool


MEANINGS: Final[Mapping[type[httpx.RequestError], Meaning]] = {
    # Surely not recorded: nothing of the request had been written.
    httpx.ConnectError: Meaning("connect_failed", sure=True),
    httpx.ConnectTimeout: Meaning("connect_timed_out", sure=True),
    NothingSentError: Meaning("reset_before_write", sure=True),
    httpx.UnsupportedProtocol: Meaning("unsupported_protocol", sure=True),
    # Uncertain: all others.
    httpx.PoolTimeout: Meaning("pool_timed_out", sure=False),
    httpx.ReadTimeout: Meaning("read_timed_out", sure=False),
    httpx.WriteTimeout: Meaning("write_timed_out", sure=False),
    httpx.TimeoutException: Meaning("timed_out", sure=False),
    httpx.ReadError: Meaning("reset_after_write", sure=False),
    httpx.WriteError: Meaning("reset_after_write", sure=False),
    httpx.CloseError: Meaning("reset_after_write", sure=False),
    httpx.NetworkError: Meaning("network_failed", sure=False),
    httpx.RemoteProtocolError: Meaning("not_http", sure=False),
    httpx.LocalProtocolError: Meaning("malformed_request", sure=False),
    httpx.ProtocolError: Meaning("protocol_failed", sure=False),
    httpx.ProxyError: Meaning("proxy_failed", sure=False),
    httpx.DecodingError: Meaning("answer_undecodable", sure=False),
    httpx.TooManyRedirects: Meaning("redirected", sure=False),
    httpx.TransportError: Meaning("transport_failed", sure=False),
    httpx.RequestError: Meaning("request_failed", sure=False),
}

_CONNECT_REASONS: Final[Mapping[type[OSError], str]] = {
    ssl.SSLError: "tls_failed",
    ConnectionRefusedError: "connect_refused",
    socket.gaierror: "name_not_resolved",
}


def failure_of(error: httpx.RequestError) -> SendFailedError:
    """The failure as the relay knows it: without address, header or body."""
    reason, sure = next(MEANINGS[kind] for kind in type(error).__mro__ if kind in MEANINGS)
    if isinstance(error, httpx.ConnectError):
        reason = _connect_reason(error) or reason
    return SendFailedError(reason, sure=sure)


def _connect_reason(error: BaseException) -> str | None:
    """What lies under a failed connect: httpx has one exception for all of it."""
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
