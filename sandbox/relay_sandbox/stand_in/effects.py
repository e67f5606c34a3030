"""What a fault does to the response on its way to the client."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from relay_sandbox.http.server import Connection, Response
from relay_sandbox.stand_in.faults import Fault

GARBAGE = b"\x00\xff This is not HTTP.\r\n\r\n"

_PHRASES = {int(status): status.phrase for status in HTTPStatus}


def client_status(fault: Fault | None, usual: Response) -> int | None:
    """The status that the client gets; None if it gets no HTTP response."""
    if fault is None or not fault.replaces_response:
        return usual.status
    return fault.status


async def apply(fault: Fault, usual: Response, connection: Connection) -> Response | None:
    """Respond as the fault demands; `usual` is the response without a fault.

    Waits end when the client disconnects or the server stops. Raises `ConnectionError` if the
    client disconnects during a slow drip.
    """
    if fault.status is not None:
        return _status_response(fault, fault.status)
    if fault.reset:
        connection.abort()
    elif fault.time_out:
        await connection.until_closed()
    elif fault.garbage:
        connection.writer.write(GARBAGE)
        await connection.writer.drain()
    elif fault.slow_drip_seconds is not None:
        await _drip(usual, connection, fault.slow_drip_seconds)
    else:
        return usual
    return None


def _status_response(fault: Fault, status: int) -> Response:
    headers = [
        (name, str(value))
        for name, value in (("retry-after", fault.retry_after), ("location", fault.location))
        if value is not None
    ]
    body = _PHRASES.get(status, "") if fault.body is None else fault.body
    return Response.text(status, body, tuple(headers))


async def _drip(response: Response, connection: Connection, seconds: float) -> None:
    for byte in _serialized(response):
        if connection.writer.is_closing() or connection.reader.at_eof():
            connection.abort()
            message = "the client hung up in the middle of the answer"
            raise ConnectionError(message)
        connection.writer.write(bytes([byte]))
        await connection.writer.drain()
        await asyncio.sleep(seconds)


def _serialized(response: Response) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, '')}",
        *(f"{name}: {value}" for name, value in response.headers),
        f"content-length: {len(response.body)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + response.body
