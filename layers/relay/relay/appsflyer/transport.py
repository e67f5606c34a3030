"""Our keep-alive connections (`relay.http1`) as a transport of httpx.

The environment is read for one thing only: `SSL_CERT_FILE` or `SSL_CERT_DIR`, which replace the
certificate authorities that come with httpx.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import cast

import httpx

from relay.http1.pool import Origin, Pool
from relay.http1.response_parser import ResponseParser


def make_transport(
    connections: int, connect_timeout_seconds: float, read_timeout_seconds: float
) -> httpx.AsyncBaseTransport:
    """The transport of `Client`: one a process, with as many `connections` as requests in flight.

    May be made without an event loop; nothing is opened or read before the first request.
    """
    return KeepAliveTransport(connections, connect_timeout_seconds, read_timeout_seconds)


class KeepAliveTransport(httpx.AsyncBaseTransport):
    """Sends requests over keep-alive connections; `Pool` says what it promises of those.

    It raises `relay.http1.errors.ExchangeError` rather than httpx's errors, which do not say
    whether anything had been written (E16).
    """

    def __init__(
        self,
        connections: int,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pool = Pool(
            connections,
            connect_timeout_seconds,
            read_timeout_seconds,
            httpx.create_ssl_context,
            clock=clock,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request; its body is sent as one piece, with the headers as they are."""
        message = await _message(request)
        return _response(await self._pool.exchange(_origin(str(request.url)), message))

    async def aclose(self) -> None:
        """Closes every kept connection."""
        self._pool.close()


@lru_cache(maxsize=1024)
def _origin(url: str) -> Origin:
    """Cached: a process meets few URLs (one an app), many times."""
    parsed = httpx.URL(url)
    encrypted = parsed.scheme == "https"
    return Origin(parsed.host, parsed.port or (443 if encrypted else 80), encrypted)


async def _message(request: httpx.Request) -> bytes:
    """The request as it goes over the wire."""
    stream = cast("httpx.AsyncByteStream", request.stream)
    body = b"".join([part async for part in stream])
    head = [request.method.encode("ascii"), b" ", request.url.raw_path, b" HTTP/1.1\r\n"]
    for name, value in request.headers.raw:
        head += (name, b": ", value, b"\r\n")
    return b"".join([*head, b"\r\n", body])


def _response(response: ResponseParser) -> httpx.Response:
    status = cast("int", response.status)  # set: the response is complete
    return httpx.Response(status, headers=response.headers, stream=httpx.ByteStream(response.body))
