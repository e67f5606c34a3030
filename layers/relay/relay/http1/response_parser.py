"""Parses an HTTP/1.1 response incrementally, with llhttp; no I/O.

Once the head is complete, the response is valid whatever happens to its body: the status decides
(E16). So a broken, oversized or truncated body only ends the parsing and the connection's reuse.
Those for whom the body matters look at `complete`.
"""

from typing import Final

import httptools

from relay.http1.errors import NotHttpError

LARGEST_HEAD: Final = 65_536
LARGEST_ANSWER: Final = 131_072
"""Bytes; more is not read. For the relay's requests, AppsFlyer and DynamoDB return less."""

_START: Final = b"HTTP/1."
_INTERIM_STATUSES: Final = frozenset({100, 102, 103})
_FINAL_STATUSES: Final = range(200, 600)


class ResponseParser:
    """Parses one response: call `feed` until it returns true.

    `status` is `None` until the head is complete. `complete` says whether the whole body came: it
    is false for one that only the end of the connection ends, which may have been cut off.
    `reusable` says whether the connection may carry another request. llhttp calls the methods
    named `on_...`.
    """

    __slots__ = ("_parser", "_size", "body", "complete", "headers", "reusable", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.reusable = True
        self.complete = False
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        """Parses more bytes; true once the response is complete. Raises `NotHttpError`."""
        self._check_start(data)
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._settle_for_status()
            return self._give_up()
        if self.status is None and self._size > LARGEST_HEAD:
            raise NotHttpError
        return self.complete or (self._size > LARGEST_ANSWER and self._give_up())

    def end(self) -> bool:
        """No more bytes will come; true if a complete head came, so that there is a response."""
        self.reusable = False
        return self.status is not None

    def on_message_begin(self) -> None:
        """A message after the response was not asked for; one after a 1xx is the response."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, unless it belongs to bytes after the response."""
        if not self.complete:
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """The head is complete; interim responses (1xx) are skipped."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status in _INTERIM_STATUSES:
            self.headers.clear()
        elif status in _FINAL_STATUSES:
            self.status = status
        else:
            raise NotHttpError

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self.complete:
            self.body += body

    def on_message_complete(self) -> None:
        """The end of the response, or of an interim one."""
        if self.status is not None and not self.complete:
            self.complete = True
            self.reusable = self.reusable and self._parser.should_keep_alive()

    def _check_start(self, data: bytes) -> None:
        """Refuses the heads of other protocols, which llhttp accepts too."""
        start = _START[self._size :]
        if not (start.startswith(data) or data.startswith(start)):
            raise NotHttpError

    def _settle_for_status(self) -> None:
        """The rest cannot be parsed. If the status could, it decides (E16)."""
        if self.status is None:
            status = self._parser.get_status_code()
            if status not in _FINAL_STATUSES:
                raise NotHttpError from None
            self.status = status

    def _give_up(self) -> bool:
        """Ends the parsing and the connection's reuse: the rest is too large or broken."""
        self.reusable = False
        return True
