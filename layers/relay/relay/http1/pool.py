"""A pool of keep-alive connections, over asyncio's own TLS.

Why not an existing pool: with 50 requests in flight, httpx's takes about 2,800 µs of CPU a request,
aiohttp 300, pyreqwest and this one a little over 100. And only our own pool can tell whether any
byte of a failed request was written (E16, docs/decisions.md).

Proxies are not supported, and redirects are not followed. The system resolves the name for every
new connection, and none lives for longer than `LONGEST_LIFE_SECONDS`, however busy it is.
"""

import asyncio
import ssl
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from relay.http1.connection import Connection
from relay.http1.errors import ClosedAtOnceError, NoConnectionError, NoConnectionInTimeError
from relay.http1.response_parser import ResponseParser

KEEP_ALIVE_SECONDS: Final = 20.0
"""How long an idle connection may be reused: well below load balancers' limits (60 and more)."""
LONGEST_LIFE_SECONDS: Final = 300.0
"""How long a connection may be reused at all, busy or not: an address that a service has left is
left after so long. A new connection costs a TLS handshake, which is little in five minutes."""

_HAPPY_EYEBALLS_SECONDS: Final = 0.25  # RFC 8305: when to try the next address beside the first


class Origin(NamedTuple):
    """The server that a connection leads to."""

    host: str
    port: int
    encrypted: bool


class Pool:
    """Sends requests over at most `connections` connections, and returns the responses.

    If a kept connection died while idle (the function was frozen, the server cleaned up), the pool
    notices that before it writes anything, and replaces it. A request that may have been written is
    never written twice. Connecting (name, TCP, TLS) may take `connect_timeout_seconds`; the rest,
    from the first byte written to the last byte read, `read_timeout_seconds`. Together they bound
    an exchange.

    Nothing is opened before the first exchange; from then on the pool belongs to that event loop.
    `make_tls` is called once, on first use: loading the certificate authorities takes about 20 ms.
    """

    def __init__(
        self,
        connections: int,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        make_tls: Callable[[], ssl.SSLContext],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # The wall clock: a monotonic clock may stop while the function is frozen.
        self._clock = clock
        self._connect_timeout_seconds = connect_timeout_seconds
        self._read_timeout_seconds = read_timeout_seconds
        self._free = asyncio.Semaphore(connections)
        self._kept: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        self._make_tls = make_tls
        self._tls: ssl.SSLContext | None = None

    async def exchange(self, origin: Origin, message: bytes) -> ResponseParser:
        """Sends the bytes of a request and returns the response. Raises `ExchangeError`."""
        async with self._free:
            connection = self._take(origin) or await self._connect(origin)
            response = await connection.exchange(message, self._read_timeout_seconds)
            self._keep(origin, connection, response)
        return response

    def close(self) -> None:
        """Closes every kept connection."""
        for connections in self._kept.values():
            while connections:
                connections.pop().abort()

    def _take(self, origin: Origin) -> Connection | None:
        """The most recently used connection, so that surplus connections age and are closed."""
        connections = self._kept[origin]
        while connections:
            connection = connections.pop()
            if self._is_fresh(connection) and not connection.is_dead(kept=True):
                return connection
            connection.abort()
        return None

    def _keep(self, origin: Origin, connection: Connection, response: ResponseParser) -> None:
        connections = self._kept[origin]
        while connections and not self._is_fresh(connections[0]):
            connections.popleft().abort()
        connection.idle_since = self._clock()
        if response.reusable and self._is_fresh(connection):
            connections.append(connection)
        else:
            connection.abort()

    def _is_fresh(self, connection: Connection) -> bool:
        now = self._clock()
        return (
            0 <= now - connection.idle_since < KEEP_ALIVE_SECONDS
            and 0 <= now - connection.opened_at < LONGEST_LIFE_SECONDS
        )

    async def _connect(self, origin: Origin) -> Connection:
        """A new connection after its TLS handshake. Writes nothing of the request."""
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
            raise NoConnectionInTimeError("no connection in time") from error
        except OSError as error:
            raise NoConnectionError("no connection") from error
        if connection.is_dead(kept=False):
            connection.abort()
            raise ClosedAtOnceError("closed by the peer at once")
        connection.opened_at = self._clock()
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = self._make_tls()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2  # E7
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
