"""Requests, responses and their connection: the types that `server` uses."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self
from urllib.parse import parse_qsl

READ_BYTES = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds

Headers = tuple[tuple[str, str], ...]


class Listener(NamedTuple):
    """Where a server listens."""

    port: int
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its whole body.

    `target` is the target of the request line; `path` and `query` are its two halves, still
    percent-encoded. `headers` keeps order and duplicates, with names in lower case. `peer` is
    (host, port).
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    peer: tuple[str, int]
    arrived: datetime

    @property
    def path(self) -> str:
        """The part of the target before the question mark, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The part of the target after the question mark; "" if there is none."""
        return self.target.partition("?")[2]

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The query as decoded pairs, in the order sent, including empty values."""
        return tuple(parse_qsl(self.query, keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """Return the value of a header, duplicates joined with ", "; None if it was not sent."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Response:
    """A response. The server adds `content-length`; `connection: close` ends the connection.

    With a `stream` the body is what it yields, each piece sent at once; it ends with the
    connection, whose client is cut off when it takes nothing for `STALLED_SECONDS`.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    stream: AsyncGenerator[bytes] | None = None

    @classmethod
    def text(cls, status: int, text: str, headers: Headers = ()) -> Self:
        """Make a plain-text response, in UTF-8."""
        return cls(status, (("content-type", "text/plain; charset=utf-8"), *headers), text.encode())

    @classmethod
    def json(cls, status: int, value: object, headers: Headers = ()) -> Self:
        """Make a JSON response; `value` is anything that `json.dumps` accepts."""
        body = json.dumps(value).encode()
        return cls(status, (("content-type", "application/json"), *headers), body)


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection of a request, for handlers that take it over."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def peer(self) -> tuple[str, int]:
        """Host and port of the client; ("", 0) if it has already disconnected."""
        name = self.writer.get_extra_info("peername") or ("", 0)
        return str(name[0]), int(name[1])

    @property
    def listener(self) -> Listener:
        """Where the server that accepted it listens."""
        name = self.writer.get_extra_info("sockname") or ("", 0)
        scheme = "https" if self.writer.get_extra_info("sslcontext") else "http"
        return Listener(int(name[1]), scheme)

    def abort(self) -> None:
        """Reset the connection: the client gets ECONNRESET, not an end of stream."""
        raw_socket = self.writer.get_extra_info("socket")
        if raw_socket is not None:  # a closed TLS connection has none
            with contextlib.suppress(OSError):  # it may be closed already
                raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Wait until the client disconnects; discard whatever it still sends."""
        with contextlib.suppress(OSError):
            while await self.reader.read(READ_BYTES):
                pass
