"""One connection: sends a request, reads the response, and says if it can be used again."""

import asyncio
import select
from typing import Final, cast

from relay.http1.errors import ConnectionLostError, ExchangeTimeoutError, NotHttpError
from relay.http1.response_parser import ResponseParser

_PEER_CLOSED: Final = getattr(select, "POLLRDHUP", 0)  # Linux only; elsewhere POLLIN signals it


class Connection(asyncio.Protocol):
    """Carries one request at a time, and is used again only after a complete, valid response."""

    def __init__(self) -> None:
        self.opened_at = 0.0
        self.idle_since = 0.0
        self._parser: ResponseParser | None = None
        self._response: asyncio.Future[ResponseParser]
        self._transport: asyncio.Transport
        self._poll = select.poll()
        self._lost = False

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport, and registers its socket for `is_dead`."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN | _PEER_CLOSED)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; bytes outside an exchange close the connection."""
        if self._parser is None or self._response.done():
            self.abort()
            return
        try:
            if self._parser.feed(data):
                self._response.set_result(self._parser)
        except NotHttpError as error:
            self._fail(error)

    def connection_lost(self, _: Exception | None) -> None:
        """If a response's head has arrived, that is the response; otherwise the exchange failed."""
        self._lost = True
        self._settle(ConnectionLostError())

    # Called by the pool.

    def is_dead(self, *, kept: bool) -> bool:
        """Whether the peer has closed it. Asks the operating system, without waiting.

        The event loop does not know: after the freeze between two invocations it has not yet seen
        what arrived meanwhile. A new connection may have bytes to read (TLS tickets); on a kept one
        they always mean that it was closed.
        """
        if self._lost or self._transport.is_closing():
            return True
        harmless = 0 if kept else select.POLLIN
        return any(event & ~harmless for _, event in self._poll.poll(0))

    async def exchange(self, request: bytes, timeout_seconds: float) -> ResponseParser:
        """Writes the request and waits for its response.

        `timeout_seconds` runs from the first byte written to the last byte read. Raises
        `ExchangeTimeoutError`, `ConnectionLostError`, `NotHttpError`. After any of them, and after
        a cancellation, the peer may have received the request, and the connection is closed.
        """
        loop = asyncio.get_running_loop()
        self._parser = ResponseParser()
        self._response = loop.create_future()
        timer = loop.call_later(timeout_seconds, self._settle, ExchangeTimeoutError())
        try:
            self._transport.write(request)
            return await self._response
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()

    def abort(self) -> None:
        """Closes at once, without a TLS shutdown: the peer may no longer be listening."""
        self._lost = True
        self._transport.abort()

    def _settle(self, error: Exception) -> None:
        """Ends the exchange: with the response if its head has arrived, else with the error."""
        if self._parser is None or self._response.done():
            return
        if self._parser.end():
            self._response.set_result(self._parser)
        else:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._response.set_exception(error)
        self.abort()
