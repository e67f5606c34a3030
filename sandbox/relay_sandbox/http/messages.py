"""Requests, responses and the connection under them: what `server` hands around."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import parse_qsl

READ_BYTES = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request, read whole.

    `target` is what stood in the request line; `path` and `query` are its two halves, still
    percent-encoded. `headers` keeps order and repeats, names in lower case. `peer` is (host, port).
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    peer: tuple[str, int]
    arrived: datetime

    @property
    def path(self) -> str:
        """The part of the target before the question mark, percent-encoded as it came."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The part of the target after the question mark, without it; "" when there is none."""
        return self.target.partition("?")[2]

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The query as decoded pairs, in the order sent, empty values kept."""
        return tuple(parse_qsl(self.query, keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """Give the value of a header; repeats joined with ", "; None when it was not sent."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `content-length` is added; a `connection: close` header ends the connection."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""

    @classmethod
    def text(cls, status: int, text: str, headers: Headers = ()) -> Self:
        """Make an answer of plain text, UTF-8."""
        return cls(status, (("content-type", "text/plain; charset=utf-8"), *headers), text.encode())

    @classmethod
    def json(cls, status: int, value: object, headers: Headers = ()) -> Self:
        """Make an answer of JSON; `value` is anything that `json.dumps` takes."""
        body = json.dumps(value).encode()
        return cls(status, (("content-type", "application/json"), *headers), body)


@dataclass(frozen=True, slots=True)
class Connection:
    """The wire under a request, for a handler that takes it over."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def peer(self) -> tuple[str, int]:
        """Host and port of the client; ("", 0) when it has already gone."""
        name = self.writer.get_extra_info("peername") or ("", 0)
        return str(name[0]), int(name[1])

    def abort(self) -> None:
        """Reset the connection: the client gets ECONNRESET, not the end of a stream."""
        raw_socket = self.writer.get_extra_info("socket")
        if raw_socket is not None:  # a TLS connection that has ended has none
            with contextlib.suppress(OSError):  # it is closed already
                raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Wait until the client has hung up, dropping whatever it still sends."""
        with contextlib.suppress(OSError):
            while await self.reader.read(READ_BYTES):
                pass
