"""Connections that are kept open between requests, over asyncio's own TLS.

Why not a ready pool: with 50 requests in flight the one that comes with httpx takes some thousand
µs of CPU a request, aiohttp 300, pyreqwest and this one a bit over 100; and only who writes himself
knows what E16 asks: whether anything had been written when it failed (docs/decisions.md).

Proxies are not spoken to, and redirects are not followed. Names are resolved by the system for
every new connection, so a change of address is followed at once.
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
"""How long an unused connection is trusted: well below what load balancers allow (60 and more)."""

_HAPPY_EYEBALLS_SECONDS: Final = 0.25  # RFC 8305: when to try the next address beside the first


class Origin(NamedTuple):
    """Whom a connection leads to."""

    host: str
    port: int
    encrypted: bool


class Pool:
    """Exchanges requests for answers over at most `connections` connections.

    A kept connection that has died unused (the sandbox was frozen, the server tidied up) is noticed
    before anything is written and replaced; what may have been written is never written twice.
    Connecting (name, TCP, TLS) may take `connect_timeout_seconds`, and the rest, from the first
    byte written to the last byte read, `read_timeout_seconds`: both together bound an exchange.

    Nothing is opened before the first exchange; from then on the pool belongs to that event loop.
    `make_tls` is called once, on first use: reading the authorities takes some 20 ms.
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
        # The wall clock: a monotonic one may stand still while the sandbox is frozen.
        self._clock = clock
        self._connect_timeout_seconds = connect_timeout_seconds
        self._read_timeout_seconds = read_timeout_seconds
        self._free = asyncio.Semaphore(connections)
        self._kept: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        self._make_tls = make_tls
        self._tls: ssl.SSLContext | None = None

    async def exchange(self, origin: Origin, message: bytes) -> ResponseParser:
        """Sends a request as it goes over the wire; gives the response. Raises `ExchangeError`."""
        async with self._free:
            connection = self._take(origin) or await self._connect(origin)
            reader = await connection.exchange(message, self._read_timeout_seconds)
            self._keep(origin, connection, reader)
        return reader

    def close(self) -> None:
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

    def _keep(self, origin: Origin, connection: Connection, reader: ResponseParser) -> None:
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
            raise NoConnectionInTimeError("no connection in time") from error
        except OSError as error:
            raise NoConnectionError("no connection") from error
        if connection.is_dead(kept=False):
            connection.abort()
            raise ClosedAtOnceError("closed by the peer at once")
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = self._make_tls()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2  # E7
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
