"""Reads an HTTP/1.1 answer from bytes as they come (RFC 9112); no I/O.

Once the head is complete the answer stands, whatever happens to its body: the status decides
(E16). So a broken, oversized or cut body only ends the reading and the connection's reuse.
"""

import re
from typing import Final

LARGEST_HEAD: Final = 65_536
LARGEST_BODY: Final = 65_536
"""Bytes; more is not read: AppsFlyer answers with a line or two."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_END_OF_LINE: Final = re.compile(rb"\r?\n")
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE: Final = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_START: Final = b"HTTP/1."
_BODILESS: Final = frozenset({204, 304})
_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL_STATUS: Final = 200


class NotHttpError(Exception):
    """What came is not the head of an HTTP/1 answer."""


class AnswerReader:
    """One answer: `feed` it until it says that the answer is complete.

    `status` is `None` until the head is complete. `reusable` says whether the connection may
    carry another request.
    """

    __slots__ = ("_body_left", "_buffer", "_chunked", "body", "headers", "reusable", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.reusable = True
        self._buffer = b""
        self._chunked = False
        self._body_left: int | None = None  # None: until the peer closes

    def feed(self, data: bytes) -> bool:
        """Takes what came; true when the answer is complete. Raises `NotHttpError`."""
        self._buffer = self._buffer + data if self._buffer else data
        while self.status is None:
            if not self._read_head():
                return False
        return self._read_chunks() if self._chunked else self._read_plain_body()

    def end(self) -> bool:
        """No more will come: true when a head came, so that there is an answer."""
        self.reusable = False
        return self.status is not None

    def _read_head(self) -> bool:
        """One head, or nothing yet; an interim answer (1xx) is passed over."""
        start = self._buffer[: len(_START)]
        if not _START.startswith(start):
            raise NotHttpError
        end = _END_OF_HEAD.search(self._buffer, 0, LARGEST_HEAD)
        if end is None:
            if len(self._buffer) >= LARGEST_HEAD:
                raise NotHttpError
            return False
        lines = _END_OF_LINE.split(self._buffer[: end.start()])
        self._buffer = self._buffer[end.end() :]
        self._read_status_line(lines[0])
        if self.status is not None:
            self._read_headers(lines[1:])
            self._frame()
        return True

    def _read_status_line(self, line: bytes) -> None:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise NotHttpError
        status = int(match[2])
        if status == _SWITCHING_PROTOCOLS:
            raise NotHttpError
        if status >= _FIRST_FINAL_STATUS:
            self.status = status
            self.reusable = match[1] == b"1"

    def _read_headers(self, lines: list[bytes]) -> None:
        """A line that is no header is dropped: the status decides, but the framing is in doubt."""
        for line in lines:
            name, colon, value = line.partition(b":")
            if colon and name and not name[:1].isspace() and not name[-1:].isspace():
                self.headers.append((name, value.strip(b" \t")))
            else:
                self.reusable = False

    def _frame(self) -> None:
        """How the body ends (RFC 9112, 6.3). Where that is in doubt: with the connection."""
        lengths: set[bytes] = set()
        codings: list[bytes] = []
        for name, value in self.headers:
            match name.lower():
                case b"content-length":
                    lengths.add(value)
                case b"transfer-encoding":
                    codings.append(value.lower())
                case b"connection" if b"close" in value.lower():
                    self.reusable = False
        if self.status in _BODILESS:
            self._body_left = 0
        elif codings:
            self._chunked = codings == [b"chunked"]
            self.reusable = self.reusable and self._chunked and not lengths
        elif len(lengths) == 1 and _DIGITS.fullmatch(length := lengths.pop()):
            self._body_left = int(length)
        else:
            self.reusable = False

    def _read_plain_body(self) -> bool:
        self.body, self._buffer = self.body + self._buffer, b""
        if self._body_left is not None and len(self.body) >= self._body_left:
            self.reusable = self.reusable and len(self.body) == self._body_left
            self.body = self.body[: self._body_left]
            return True
        return self._is_too_large()

    def _read_chunks(self) -> bool:
        """Takes whole chunks only; trailers are passed over."""
        while not self._is_too_large():
            line = _END_OF_LINE.search(self._buffer)
            if line is None:
                return len(self._buffer) > LARGEST_HEAD and self._give_up()
            size = _CHUNK_SIZE.fullmatch(self._buffer[: line.start()])
            if size is None:
                return self._give_up()
            length = int(size[1], 16)
            if length == 0:
                return self._read_trailers(line.start())
            end = line.end() + length
            if length > LARGEST_BODY or self._buffer[end : end + 2] not in {b"", b"\r", b"\r\n"}:
                return self._give_up()
            if len(self._buffer) < end + 2:
                return False
            self.body += self._buffer[line.end() : end]
            self._buffer = self._buffer[end + 2 :]
        return True

    def _read_trailers(self, end_of_size: int) -> bool:
        """The end is an empty line, right after the last chunk's size or after trailers."""
        end = _END_OF_HEAD.search(self._buffer, end_of_size)
        if end is None:
            return len(self._buffer) > LARGEST_HEAD and self._give_up()
        self.reusable = self.reusable and end.end() == len(self._buffer)
        return True

    def _is_too_large(self) -> bool:
        return len(self.body) > LARGEST_BODY and self._give_up()

    def _give_up(self) -> bool:
        """Ends the reading, and the connection with it: the rest is not worth it or not sound."""
        self.reusable = False
        return True
