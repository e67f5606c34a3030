"""A small HTTP/1.1 server on asyncio: `h11` implements the protocol, this module moves the bytes.

It serves the sandbox and tests on one machine, so it only binds the loopback interface, and answers
403 to web pages and names that are not its own (`access`).

A handler is `async def handler(request, connection) -> Response | None`. It gets a request whose
body has been read completely. Returning `None` means that the handler took over the connection (it
wrote its own bytes to `connection.writer`, or called `connection.abort()`); the server then only
closes it.

    async with Server(handler) as server:
        print(server.url)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import h11

from relay_sandbox.http.access import Access
from relay_sandbox.http.messages import READ_BYTES, Connection, Headers, Request, Response

if TYPE_CHECKING:
    import ssl

__all__ = ["Connection", "Handler", "Headers", "Request", "Response", "Server", "utc_now"]

_LOGGER = logging.getLogger(__name__)
STALLED_SECONDS = 10.0  # how long the reader of a stream may take nothing
_LINGER_SECONDS = 1.0  # how long a rejected client may keep sending before it is cut off
_CLOSE: Headers = (("connection", "close"),)
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_PHRASES = {int(status): status.phrase for status in HTTPStatus}

Handler = Callable[[Request, Connection], Awaitable[Response | None]]


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


class _BodyTooLargeError(Exception):
    """The request's body exceeds the server's limit."""


@dataclass(slots=True)
class _Session:
    """One client connection: requests in, responses out, until either side closes it."""

    connection: Connection
    handler: Handler
    max_body_bytes: int
    clock: Callable[[], datetime]
    access: Access
    protocol: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER))

    async def run(self) -> None:
        try:
            while await self._serve_one_request():
                self.protocol.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint)
        except _BodyTooLargeError:
            await self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except h11.LocalProtocolError:
            _LOGGER.exception("the handler's answer is not valid HTTP; the client gets none")

    async def _serve_one_request(self) -> bool:
        """Serve one request; True if the connection can be reused."""
        request = await self._read_request()
        response = await self._respond(request) if request else None
        if request is None or response is None:
            return False
        if response.stream is not None and request.method != "HEAD":
            await self._send_stream(response, response.stream)
            return False
        await self._send(response, with_body=request.method != "HEAD")
        return self.protocol.our_state is h11.DONE and self.protocol.their_state is h11.DONE

    async def _read_request(self) -> Request | None:
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None  # the client disconnected between two requests
        return Request(
            method=head.method.decode("ascii"),
            target=head.target.decode("latin-1"),
            headers=tuple((k.decode("ascii"), v.decode("latin-1")) for k, v in head.headers),
            body=await self._read_body(),
            peer=self.connection.peer,
            arrived=self.clock(),
        )

    async def _read_body(self) -> bytes:
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > self.max_body_bytes:
                raise _BodyTooLargeError
        return bytes(body)

    async def _next_event(self) -> object:
        while (event := self.protocol.next_event()) is h11.NEED_DATA:
            if self.protocol.they_are_waiting_for_100_continue:
                proceed = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                await self._write(self.protocol.send(proceed))
            self.protocol.receive_data(await self.connection.reader.read(READ_BYTES))
        return event

    async def _respond(self, request: Request) -> Response | None:
        refusal = self.access.refusal(request.headers, self.connection.listener)
        if refusal is not None:
            return Response.text(HTTPStatus.FORBIDDEN, refusal, _CLOSE)
        return await self._call_handler(request)

    async def _call_handler(self, request: Request) -> Response | None:
        try:
            return await self.handler(request, self.connection)
        except Exception:
            if self.connection.writer.is_closing():
                return None  # the client disconnected while the handler wrote
            _LOGGER.exception("the handler failed; the client gets status 500")
            return Response.text(500, "Internal server error", _CLOSE)

    async def _send(self, response: Response, *, with_body: bool) -> None:
        body = b"" if response.status in _WITHOUT_BODY else response.body
        head = h11.Response(
            status_code=response.status,
            headers=_with_content_length(response.headers, len(body)),
            reason=_PHRASES.get(response.status, ""),
        )
        parts = [self.protocol.send(head)]
        if with_body and body:
            parts.append(self.protocol.send(h11.Data(data=body)))
        parts.append(self.protocol.send(h11.EndOfMessage()))
        await self._write(b"".join(part for part in parts if part))

    async def _send_stream(self, response: Response, stream: AsyncGenerator[bytes]) -> None:
        """Send pieces as they come, until there are no more or the client has gone."""
        head = h11.Response(
            status_code=response.status,
            headers=[*response.headers, ("connection", "close")],
            reason=_PHRASES.get(response.status, ""),
        )
        await self._write(self.protocol.send(head))
        pieces = asyncio.ensure_future(self._send_pieces(stream))
        gone = asyncio.ensure_future(self.connection.until_closed())
        try:
            await asyncio.wait({pieces, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pieces, gone):
                task.cancel()
            await asyncio.gather(pieces, gone, return_exceptions=True)

    async def _send_pieces(self, stream: AsyncGenerator[bytes]) -> None:
        async with contextlib.aclosing(stream):
            async for piece in stream:
                async with asyncio.timeout(STALLED_SECONDS):
                    await self._write(self.protocol.send(h11.Data(data=piece)))
        await self._write(self.protocol.send(h11.EndOfMessage()))

    async def _refuse(self, status: int) -> None:
        """Respond to a request that could not be read, and close without losing the response."""
        if self.protocol.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self._send(Response.text(status, _PHRASES[status], _CLOSE), with_body=True)
        # Closing a socket with unread bytes resets it, and the reset overtakes the response.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.connection.until_closed(), _LINGER_SECONDS)

    async def _write(self, data: bytes | None) -> None:
        self.connection.writer.write(data or b"")
        await self.connection.writer.drain()


def _with_content_length(headers: Iterable[tuple[str, str]], length: int) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return [*kept, ("content-length", str(length))]


class Server:
    """Listens on 127.0.0.1 inside its `async with` block; an event loop can run several.

    `port` 0 takes any free port. A body over `max_body_bytes` gets status 413. `ssl_context` makes
    it an HTTPS server. `access` says by which names it may be called; without it, by those of the
    loopback interface. Leaving the block closes every connection at once and cancels its handler.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        max_body_bytes: int = 8 * 1024 * 1024,
        clock: Callable[[], datetime] = utc_now,
        access: Access | None = None,
    ) -> None:
        self._handler = handler
        self._wanted_port = port
        self._ssl_context = ssl_context
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._access = access or Access()
        self._sessions: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; raises RuntimeError when it does not listen."""
        if self._listener is None:
            message = "the server does not listen; use it inside `async with`"
            raise RuntimeError(message)
        return int(self._listener.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash: "http://127.0.0.1:54321"."""
        scheme = "https" if self._ssl_context else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Start listening; raises OSError if the port is taken."""
        bounds: dict[str, Any] = {}
        if self._ssl_context:
            bounds = {"ssl_handshake_timeout": 5.0, "ssl_shutdown_timeout": 1.0}
        self._listener = await asyncio.start_server(
            self._accept, "127.0.0.1", self._wanted_port, ssl=self._ssl_context, **bounds
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and close all connections."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        sessions = list(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        if sys.version_info >= (3, 13):
            listener.abort_clients()  # those still in their TLS handshake have no session yet
            await listener.wait_closed()

    async def pause(self) -> None:
        """Stop listening, until `resume`; connections are closed."""
        self._wanted_port = self.port
        await self.__aexit__()

    async def resume(self) -> None:
        """Listen again, on the same port."""
        await self.__aenter__()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(Connection(reader, writer)))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _serve(self, connection: Connection) -> None:
        session = _Session(
            connection, self._handler, self._max_body_bytes, self._clock, self._access
        )
        try:
            with contextlib.suppress(OSError):
                await session.run()
            connection.writer.close()
            with contextlib.suppress(OSError):
                await connection.writer.wait_closed()
        finally:
            connection.writer.transport.abort()
