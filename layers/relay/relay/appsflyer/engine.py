"""The engine under httpx's interface: kept HTTP/1.1 connections over asyncio's own TLS.

Why not a ready one: with 50 requests in flight the pool that comes with httpx takes some thousand
µs of CPU a request, aiohttp 300, pyreqwest and this one a bit over 100; and only who writes himself
knows what E16 asks: whether anything had been written when it failed (docs/decisions.md).

Proxies are not spoken to, and the environment is read for one thing only: `SSL_CERT_FILE` or
`SSL_CERT_DIR`, which replace the certificate authorities that come with httpx. Names are resolved
by the system for every new connection, so a change of address is followed at once.
"""

import asyncio
import ssl
import time
from collections import defaultdict, deque
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, cast

import httpx

from relay.appsflyer.connection import Connection, ConnectionLostError, ExchangeTimeoutError
from relay.appsflyer.http1 import AnswerReader, NotHttpError

KEEP_ALIVE_SECONDS: Final = 20.0
"""How long an unused connection is trusted: well below what load balancers allow (60 and more)."""

_HAPPY_EYEBALLS_SECONDS: Final = 0.25  # RFC 8305: when to try the next address beside the first


class NothingSentError(httpx.WriteError):
    """The connection was gone before a byte of the request was written."""


class Origin(NamedTuple):
    """Whom a connection leads to."""

    host: str
    port: int
    encrypted: bool


def make_transport(
    connections: int, connect_timeout_seconds: float, read_timeout_seconds: float
) -> httpx.AsyncBaseTransport:
    """The engine for `Client`: one a process, `connections` as many as requests in flight.

    May be made without an event loop; nothing is opened or read before the first request.
    """
    return KeptConnections(connections, connect_timeout_seconds, read_timeout_seconds)


class KeptConnections(httpx.AsyncBaseTransport):
    """Sends requests over at most `connections` connections, kept open between requests.

    A kept connection that has died unused (the sandbox was frozen, the server tidied up) is noticed
    before anything is written and replaced; what may have been written is never written twice.
    Connecting (name, TCP, TLS) may take `connect_timeout_seconds`, and the rest, from the first
    byte written to the last byte read, `read_timeout_seconds`: both together bound a request.

    Nothing is opened before the first request; from then on it belongs to that event loop. It
    raises `httpx.ConnectError` and `httpx.ConnectTimeout` (with their cause), `NothingSentError`,
    `httpx.ReadTimeout`, `httpx.ReadError` and `httpx.RemoteProtocolError`.
    """

    def __init__(
        self,
        connections: int,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # The wall clock: a monotonic one may stand still while the sandbox is frozen.
        self._clock = clock
        self._connect_timeout_seconds = connect_timeout_seconds
        self._read_timeout_seconds = read_timeout_seconds
        self._free = asyncio.Semaphore(connections)
        self._kept: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        self._tls: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request; its body is sent as one piece, with the headers as they are."""
        origin = _origin(str(request.url))
        message = await _message(request)
        async with self._free:
            connection = self._take(origin) or await self._connect(origin)
            reader = await self._exchange(connection, message)
            self._keep(origin, connection, reader)
        return _response(reader)

    async def aclose(self) -> None:
        """Closes every kept connection."""
        for connections in self._kept.values():
            while connections:
                connections.pop().abort()

    def _take(self, origin: Origin) -> Connection | None:
        """The connection used last, so that the surplus grows old and goes."""
        connections = self._kept[origin]
        while connections:
            connection = connections.pop()
            if self._is_fresh(connection) and not connection.is_dead(kept=True):
                return connection
            connection.abort()
        return None

    def _keep(self, origin: Origin, connection: Connection, reader: AnswerReader) -> None:
        connections = self._kept[origin]
        while connections and not self._is_fresh(connections[0]):
            connections.popleft().abort()
        if not reader.reusable:
            connection.abort()
            return
        connection.idle_since = self._clock()
        connections.append(connection)

    def _is_fresh(self, connection: Connection) -> bool:
        return 0 <= self._clock() - connection.idle_since < KEEP_ALIVE_SECONDS

    async def _connect(self, origin: Origin) -> Connection:
        """A new connection, its TLS handshake done. Nothing of the request is written here."""
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection,
                    origin.host,
                    origin.port,
                    ssl=self._tls_context() if origin.encrypted else None,
                    happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except OSError as error:
            raise httpx.ConnectError("no connection") from error
        if connection.is_dead(kept=False):
            connection.abort()
            raise NothingSentError("closed by the peer at once")
        return connection

    async def _exchange(self, connection: Connection, message: bytes) -> AnswerReader:
        try:
            return await connection.exchange(message, self._read_timeout_seconds)
        except ExchangeTimeoutError:
            raise httpx.ReadTimeout("no answer in time") from None
        except ConnectionLostError:
            raise httpx.ReadError("the connection broke before an answer came") from None
        except NotHttpError:
            raise httpx.RemoteProtocolError("what came back is not HTTP") from None

    def _tls_context(self) -> ssl.SSLContext:
        """Built once, on first use: reading the authorities takes some 20 ms."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2  # E7
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


@lru_cache(maxsize=1024)
def _origin(url: str) -> Origin:
    """Cached: a process meets few URLs (one an app), many times."""
    parsed = httpx.URL(url)
    encrypted = parsed.scheme == "https"
    return Origin(parsed.host, parsed.port or (443 if encrypted else 80), encrypted)


async def _message(request: httpx.Request) -> bytes:
    """The request as it goes over the wire."""
    stream = cast("httpx.AsyncByteStream", request.stream)
    body = b"".join([part async for part in stream])
    head = [request.method.encode("ascii"), b" ", request.url.raw_path, b" HTTP/1.1\r\n"]
    for name, value in request.headers.raw:
        head += (name, b": ", value, b"\r\n")
    return b"".join([*head, b"\r\n", body])


def _response(reader: AnswerReader) -> httpx.Response:
    status = cast("int", reader.status)  # a complete answer has one
    return httpx.Response(status, headers=reader.headers, stream=httpx.ByteStream(reader.body))
