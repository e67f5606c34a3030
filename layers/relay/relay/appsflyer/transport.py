"""The keep-alive connections of `relay.http1`, as a transport for httpx.

It reads only `SSL_CERT_FILE` or `SSL_CERT_DIR` from the environment, which replace httpx's
certificate authorities.
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
    """The transport of `Client`: one per process, with as many `connections` as requests in flight.

    It can be created without an event loop; it opens and reads nothing before the first request.
    """
    return KeepAliveTransport(connections, connect_timeout_seconds, read_timeout_seconds)


class KeepAliveTransport(httpx.AsyncBaseTransport):
    """Sends requests over keep-alive connections, with the guarantees of `Pool`.

    It raises `relay.http1.errors.ExchangeError` instead of httpx's errors, which do not say
    whether anything was written (E16).
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
        """Sends the request: the body in one piece, the headers unchanged."""
        message = await _message(request)
        return _response(await self._pool.exchange(_origin(str(request.url)), message))

    async def aclose(self) -> None:
        """Closes every kept connection."""
        self._pool.close()


@lru_cache(maxsize=1024)
def _origin(url: str) -> Origin:
    """Cached: a process uses few URLs (one for each app), many times."""
    parsed = httpx.URL(url)
    encrypted = parsed.scheme == "https"
    return Origin(parsed.host, parsed.port or (443 if encrypted else 80), encrypted)


async def _message(request: httpx.Request) -> bytes:
    """The bytes of the request."""
    stream = cast("httpx.AsyncByteStream", request.stream)
    body = b"".join([part async for part in stream])
    head = [request.method.encode("ascii"), b" ", request.url.raw_path, b" HTTP/1.1\r\n"]
    for name, value in request.headers.raw:
        head += (name, b": ", value, b"\r\n")
    return b"".join([*head, b"\r\n", body])


def _response(response: ResponseParser) -> httpx.Response:
    status = cast("int", response.status)  # set: the response is complete
    return httpx.Response(status, headers=response.headers, stream=httpx.ByteStream(response.body))
