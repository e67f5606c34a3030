"""The HTTP server speaks HTTP/1.1 over real sockets, and survives clients that do not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trustme

from relay_sandbox.http.access import Access
from relay_sandbox.http.server import Connection, Request, Response, Server
from tests.support.local_http import local_client

ARRIVAL = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def echo(request: Request, connection: Connection) -> Response:
    """Return what the server understood."""
    return Response.json(
        200,
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body.decode(),
            "repeated": [value for name, value in request.headers if name == "x-repeated"],
            "joined": request.header("X-Repeated"),
            "absent": request.header("x-absent"),
            "arrived": request.arrived.isoformat(),
            "peer_port": connection.peer[1],
        },
    )


@contextlib.asynccontextmanager
async def client_of(server: Server, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Open an httpx client for this server only."""
    async with local_client(base_url=server.url, **options) as client:
        yield client


def addressed(server: Server, data: bytes) -> bytes:
    """The bytes of requests, with the server's own address as their host."""
    return data.replace(b"Host: x\r\n", b"Host: 127.0.0.1:%d\r\n" % server.port)


async def send_raw(server: Server, data: bytes) -> bytes:
    """Write bytes to the server's address, then read until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(addressed(server, data))
    response = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return response


async def test_request_with_content_length_reaches_the_handler_whole() -> None:
    async with Server(echo, clock=lambda: ARRIVAL) as server, client_of(server) as client:
        response = await client.post("/a%20b?c=d%20e", content="hé")

    body = response.json()
    assert response.status_code == 200
    assert (body["method"], body["path"], body["query"]) == ("POST", "/a%20b", "c=d%20e")
    assert body["body"] == "hé"
    assert body["arrived"] == "2026-11-22T12:00:00+00:00"


async def test_request_in_chunks_reaches_the_handler_whole() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one,"
        yield b"two"

    async with Server(echo) as server, client_of(server) as client:
        response = await client.post("/", content=chunks())

    assert response.json()["body"] == "one,two"


async def test_request_with_a_repeated_header_keeps_each_value_and_joins_on_request() -> None:
    async with Server(echo) as server, client_of(server) as client:
        response = await client.get("/", headers=[("X-Repeated", "1"), ("x-repeated", "2")])

    body = response.json()
    assert body["repeated"] == ["1", "2"]
    assert body["joined"] == "1, 2"
    assert body["absent"] is None


async def test_connection_is_kept_for_the_next_request() -> None:
    async with Server(echo) as server, client_of(server) as client:
        ports = [(await client.get("/")).json()["peer_port"] for _ in range(3)]

    assert len(set(ports)) == 1


async def test_connection_of_http_1_0_is_closed_after_the_response() -> None:
    async with Server(echo) as server:
        response = await send_raw(server, b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")

    assert response.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_requests_sent_without_waiting_are_answered_in_order() -> None:
    two = (
        b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    async with Server(echo) as server:
        response = await send_raw(server, two)

    assert response.index(b'"/1"') < response.index(b'"/2"')


async def test_head_request_gets_the_length_and_no_body() -> None:
    request = b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with Server(echo) as server:
        response = await send_raw(server, request)

    assert response.endswith(b"\r\n\r\n")
    assert b"content-length: " in response


async def test_sender_that_waits_for_100_continue_gets_100_first() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    async with Server(echo) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(addressed(server, head))
        first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.write(b"ab")
        second = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()
        await writer.wait_closed()

    assert first.startswith(b"HTTP/1.1 100")
    assert second.startswith(b"HTTP/1.1 200")


async def test_body_over_the_limit_gets_413() -> None:
    async with Server(echo, max_body_bytes=10) as server, client_of(server) as client:
        largest = await client.post("/", content=b"x" * 10)
        over = await client.post("/", content=b"x" * 11)

    assert (largest.status_code, over.status_code) == (200, 413)


async def test_body_far_over_the_limit_still_gets_its_response() -> None:
    """The response must not be lost to the reset that unread bytes would cause."""
    async with Server(echo, max_body_bytes=10) as server, client_of(server) as client:
        response = await client.post("/", content=b"x" * 1_000_000)

    assert response.status_code == 413


@pytest.mark.parametrize(
    "bad",
    [
        b"this is not HTTP\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n",
    ],
    ids=["prose", "tls", "length", "chunk", "header"],
)
async def test_bad_input_gets_400(bad: bytes) -> None:
    async with Server(echo) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(addressed(server, bad))
        writer.write_eof()
        response = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()

    assert response.startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_client_that_vanishes_in_the_middle_of_a_request_does_no_harm() -> None:
    async with Server(echo) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            addressed(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        )
        await writer.drain()
        writer.transport.abort()
        async with client_of(server) as client:
            response = await client.get("/")

    assert response.status_code == 200


async def test_client_that_vanishes_before_its_response_does_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vanished = asyncio.Event()

    async def slow(request: Request, connection: Connection) -> Response:
        if request.path == "/slow":
            await connection.until_closed()
            vanished.set()
        return Response(body=b"x" * 1_000_000)

    async with Server(slow) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(addressed(server, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
        await writer.drain()
        writer.transport.abort()
        await asyncio.wait_for(vanished.wait(), 10)
        async with client_of(server) as client:
            response = await client.get("/")

    assert response.status_code == 200
    assert not caplog.records


async def test_handler_that_fails_gives_500_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_request: Request, _connection: Connection) -> Response:
        message = "out of order"
        raise ValueError(message)

    with caplog.at_level(logging.ERROR):
        async with Server(broken) as server, client_of(server) as client:
            response = await client.get("/")

    assert response.status_code == 500
    assert "out of order" not in response.text
    assert "out of order" in caplog.text


async def test_handler_whose_response_is_not_http_costs_only_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def forger(request: Request, _connection: Connection) -> Response:
        return Response(headers=(("x-y", "a\r\nb"),) if request.path == "/bad" else ())

    async with Server(forger) as server, client_of(server) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/bad")
        response = await client.get("/good")

    assert response.status_code == 200
    assert "not valid HTTP" in caplog.text


@pytest.mark.parametrize("status", [204, 304])
async def test_response_that_may_not_have_a_body_has_none(status: int) -> None:
    async def empty(_request: Request, _connection: Connection) -> Response:
        return Response(status)

    async with Server(empty) as server, client_of(server) as client:
        responses = [await client.get("/"), await client.get("/")]

    assert [(each.status_code, each.content) for each in responses] == [
        (status, b""),
        (status, b""),
    ]


async def test_connection_that_the_handler_aborts_is_reset() -> None:
    async def reset(_request: Request, connection: Connection) -> None:
        connection.abort()

    async with Server(reset) as server:
        with pytest.raises(ConnectionResetError):
            await send_raw(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


async def test_connection_that_the_handler_took_over_carries_its_bytes_only() -> None:
    async def take_over(_request: Request, connection: Connection) -> None:
        connection.writer.write(b"hello, I am no web server")
        await connection.writer.drain()

    async with Server(take_over) as server:
        response = await send_raw(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert response == b"hello, I am no web server"


@pytest.mark.parametrize(
    "foreign",
    [
        {"host": "evil.example"},
        {"host": "localhost"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_server_answers_403_to_a_foreign_name_or_page_without_its_handler(
    method: str, foreign: dict[str, str]
) -> None:
    called = []

    async def note(request: Request, _connection: Connection) -> Response:
        called.append(request.method)
        return Response()

    async with Server(note) as server, client_of(server) as client:
        response = await client.request(method, "/", headers=foreign)
        own = await client.request(method, "/", headers={"origin": server.url})

    assert response.status_code == 403
    assert method == "HEAD" or response.text.startswith("This sandbox ")
    assert not [name for name in response.headers if name.startswith("access-control-")]
    assert own.status_code == 200
    assert called == [method]


async def test_server_answers_to_the_names_that_it_is_given() -> None:
    access = Access.allowing(["relay.test"])
    async with Server(echo, access=access) as server, client_of(server) as client:
        statuses = [
            (await client.get("/", headers={"host": host})).status_code
            for host in ("relay.test", f"relay.test:{server.port}", "other.test")
        ]

    assert statuses == [200, 200, 403]


async def test_server_that_stops_cancels_a_handler_that_waits() -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def forever(_request: Request, _connection: Connection) -> Response:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Response()

    async with Server(forever) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(addressed(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        await asyncio.wait_for(entered.wait(), 10)

    assert cancelled.is_set()
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_server_that_stops_hangs_up_on_idle_connections_and_frees_its_port() -> None:
    async with Server(echo) as server, client_of(server) as client:
        await client.get("/")
        port = server.port

    async with Server(echo, port=port) as again:
        assert again.port == port


async def test_server_that_does_not_listen_has_no_port() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = Server(echo).port


async def test_several_servers_share_an_event_loop() -> None:
    async def second(_request: Request, _connection: Connection) -> Response:
        return Response.text(200, "second")

    async with (
        Server(echo) as one,
        Server(second) as two,
        client_of(one) as first_client,
        client_of(two) as second_client,
    ):
        responses = await asyncio.gather(first_client.get("/"), second_client.get("/"))

    assert responses[0].json()["path"] == "/"
    assert responses[1].text == "second"


def _tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    return server_tls, client_tls


async def test_server_with_a_certificate_speaks_https() -> None:
    server_tls, client_tls = _tls_contexts()
    async with (
        Server(echo, ssl_context=server_tls) as server,
        client_of(server, verify=client_tls) as client,
    ):
        response = await client.post("/tls", content="x" * 300_000)
        own = await client.get("/", headers={"origin": server.url})
        other = await client.get("/", headers={"origin": f"http://127.0.0.1:{server.port}"})

    assert (own.status_code, other.status_code) == (200, 403)
    assert response.request.url.scheme == "https"
    assert len(response.json()["body"]) == 300_000


async def test_server_with_a_certificate_resets_when_the_handler_aborts() -> None:
    async def reset(_request: Request, connection: Connection) -> None:
        connection.abort()

    server_tls, client_tls = _tls_contexts()
    async with (
        Server(reset, ssl_context=server_tls) as server,
        client_of(server, verify=client_tls) as client,
    ):
        with pytest.raises(httpx.ReadError):
            await client.get("/")


async def test_server_with_a_certificate_stops_although_a_handshake_is_under_way() -> None:
    server_tls, _ = _tls_contexts()
    async with Server(echo, ssl_context=server_tls) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)

    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()
