"""One connection: a request, its answer, and whether another may follow."""

import asyncio
import select
from typing import Final, cast

from relay.http1.errors import ConnectionLostError, ExchangeTimeoutError, NotHttpError
from relay.http1.response_parser import ResponseParser

_PEER_CLOSED: Final = getattr(select, "POLLRDHUP", 0)  # Linux only; elsewhere POLLIN says it too


class Connection(asyncio.Protocol):
    """Carries one request at a time, and is used again only after an orderly answer."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._reader: ResponseParser | None = None
        self._answer: asyncio.Future[ResponseParser]
        self._transport: asyncio.Transport
        self._poll = select.poll()
        self._lost = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport, and the socket under it for `is_dead`."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN | _PEER_CLOSED)

    def data_received(self, data: bytes) -> None:
        """Reads on; bytes nobody asked for end the connection."""
        if self._reader is None or self._answer.done():
            self.abort()
            return
        try:
            if self._reader.feed(data):
                self._answer.set_result(self._reader)
        except NotHttpError as error:
            self._fail(error)

    def connection_lost(self, _: Exception | None) -> None:
        """Whatever head has come by now is the answer; without one the exchange has failed."""
        self._lost = True
        self._settle(ConnectionLostError())

    # What the engine calls.

    def is_dead(self, *, kept: bool) -> bool:
        """Whether the peer has ended it, asked of the system itself, without waiting.

        The event loop cannot be asked: after the freeze between two invocations it has not yet
        seen what arrived meanwhile. A new connection may have bytes to read (TLS tickets); on a
        kept one they can only be an end.
        """
        if self._lost or self._transport.is_closing():
            return True
        harmless = 0 if kept else select.POLLIN
        return any(event & ~harmless for _, event in self._poll.poll(0))

    async def exchange(self, request: bytes, timeout_seconds: float) -> ResponseParser:
        """Writes the request and waits for its answer.

        `timeout_seconds` runs from the first byte written to the last byte read. Raises
        `ExchangeTimeoutError`, `ConnectionLostError`, `NotHttpError`; after any of them, and after
        a cancellation, the peer may have got the request and the connection is closed.
        """
        loop = asyncio.get_running_loop()
        self._reader = ResponseParser()
        self._answer = loop.create_future()
        timer = loop.call_later(timeout_seconds, self._settle, ExchangeTimeoutError())
        try:
            self._transport.write(request)
            return await self._answer
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()

    def abort(self) -> None:
        """Closes without a farewell: the peer may be the one who does not listen any more."""
        self._lost = True
        self._transport.abort()

    def _settle(self, error: Exception) -> None:
        """Nothing more comes: the status that came decides, or else the error stands."""
        if self._reader is None or self._answer.done():
            return
        if self._reader.end():
            self._answer.set_result(self._reader)
        else:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._answer.set_exception(error)
        self.abort()
