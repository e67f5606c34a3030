"""The client against real sockets on localhost: what E16 calls sure and uncertain, and E7."""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from relay.appsflyer import Client, make_transport
from relay.appsflyer.transport import KeepAliveTransport
from relay.domain.kinds import Kind
from relay.domain.outcomes import AppsFlyerResponse
from relay.errors import SendFailedError
from relay.http1.pool import KEEP_ALIVE_SECONDS, LONGEST_LIFE_SECONDS
from relay.secrets import Secret
from tests.support.every import every

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
BODY = b'{"eventName":"af_purchase"}'
PATIENT = 10.0
IMPATIENT = 0.05

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts connections and keeps requests; `behaviour` does the rest, once a connection."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._behave(reader, writer)))

    async def _behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self.behaviour(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def read_request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        self.requests.append(head + await reader.readexactly(length))


@asynccontextmanager
async def serving(
    behaviour: Callable[[Server], Behaviour], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(lambda *_: asyncio.sleep(0))
    server.behaviour = behaviour(server)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
        await listener.wait_closed()


def answering(*answers: bytes) -> Callable[[Server], Behaviour]:
    """Reads a request and gives the next answer (the last one for ever), on each connection."""

    def behaviour(server: Server) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await server.read_request(reader)
                writer.write(answers[min(len(server.requests), len(answers)) - 1])

        return behave

    return behaviour


def after_request(action: Behaviour) -> Callable[[Server], Behaviour]:
    """Reads one request, then does something else than answering well."""

    def behaviour(server: Server) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            await action(reader, writer)

        return behave

    return behaviour


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with a TCP reset."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def never() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def client_of(
    port: int,
    *,
    scheme: str = "http",
    host: str = "127.0.0.1",
    connections: int = 5,
    connect_timeout: float = PATIENT,
    read_timeout: float = PATIENT,
) -> AsyncIterator[Client]:
    transport = make_transport(connections, connect_timeout, read_timeout)
    client = Client(transport, f"{scheme}://{host}:{port}")
    yield client
    await client.aclose()


async def send(client: Client, body: bytes = BODY) -> AppsFlyerResponse:
    path = "/inappevent/id123456789"
    return await client.send(Kind.MOBILE_EVENT, "id123456789", path, body, Secret("key"))


async def failure(client: Client) -> tuple[str, bool]:
    """The reason of a failing send, and whether it is sure."""
    with pytest.raises(SendFailedError) as caught:
        await send(client)
    return caught.value.reason, caught.value.sure


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that the client trusts through `SSL_CERT_FILE`."""
    authority = trustme.CA()
    bundle = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return authority


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


# A request and its answer


async def test_send_over_tls_writes_the_whole_request_and_reads_the_answer(
    authority: trustme.CA,
) -> None:
    async with (
        serving(answering(OK), server_tls(authority)) as server,
        client_of(server.port, scheme="https") as client,
    ):
        answer = await send(client)

    assert answer == AppsFlyerResponse(200, "OK", None)
    assert server.requests == [
        b"POST /inappevent/id123456789 HTTP/1.1\r\n"
        b"Host: 127.0.0.1:%d\r\n"
        b"authentication: key\r\n"
        b"Content-Type: application/json\r\n"
        b"Accept-Encoding: identity\r\n"
        b"User-Agent: appsflyer-relay\r\n"
        b"Content-Length: 27\r\n"
        b"\r\n" % server.port + BODY
    ]


async def test_send_large_body_arrives_whole() -> None:
    body = b'"' + b"x" * 1_000_000 + b'"'

    async with serving(answering(OK)) as server, client_of(server.port) as client:
        assert (await send(client, body)).status == 200

    assert server.requests[0].endswith(b"\r\n\r\n" + body)


async def test_send_without_a_port_goes_to_the_schemes_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    async def refuse(_: object, host: str, port: int, **options: object) -> None:
        asked.append((host, port, options["ssl"] is not None))
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", refuse)
    for base_url in ("http://appsflyer.example.com", "https://appsflyer.example.com"):
        assert await failure(Client(make_transport(1, 1, 1), base_url)) == ("connect_refused", True)

    assert asked == [("appsflyer.example.com", 80, False), ("appsflyer.example.com", 443, True)]


def test_transport_made_without_a_loop_serves_the_loop_that_comes() -> None:
    transport = make_transport(1, PATIENT, PATIENT)

    async def run() -> AppsFlyerResponse:
        async with serving(answering(OK)) as server:
            client = Client(transport, f"http://127.0.0.1:{server.port}")
            answer = await send(client)
            await client.aclose()
            return answer

    assert asyncio.run(run()).status == 200


@every("status", [301, 302, 303, 307, 308])
async def test_send_redirect_is_not_followed(status: int) -> None:
    """E17."""
    redirect = b"HTTP/1.1 %d Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status

    async with serving(answering(redirect, OK)) as server, client_of(server.port) as client:
        assert (await send(client)).status == status

    assert len(server.requests) == 1


# Kept connections


async def test_send_again_uses_the_same_connection(authority: trustme.CA) -> None:
    async with (
        serving(answering(OK), server_tls(authority)) as server,
        client_of(server.port, scheme="https") as client,
    ):
        for _ in range(5):
            await send(client)

    assert (server.connections, len(server.requests)) == (1, 5)


async def test_send_more_at_once_than_connections_waits_for_one(authority: trustme.CA) -> None:
    async with (
        serving(answering(OK), server_tls(authority)) as server,
        client_of(server.port, scheme="https", connections=3) as client,
    ):
        await asyncio.gather(*(send(client) for _ in range(20)))

    assert server.connections <= 3
    assert len(server.requests) == 20


@every(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        OK + b"and bytes nobody asked for",
    ],
)
async def test_send_after_an_answer_that_ends_the_connection_opens_another(answer: bytes) -> None:
    async with serving(answering(answer)) as server, client_of(server.port) as client:
        assert await send(client) == AppsFlyerResponse(200, "OK", None)
        assert await send(client) == AppsFlyerResponse(200, "OK", None)

    assert server.connections == 2


async def test_send_on_a_connection_unused_for_long_opens_another() -> None:
    now = 1_000.0
    transport = KeepAliveTransport(5, PATIENT, PATIENT, clock=lambda: now)

    async with serving(answering(OK)) as server:
        client = Client(transport, f"http://127.0.0.1:{server.port}")
        await send(client)
        now += KEEP_ALIVE_SECONDS
        await send(client)
        await client.aclose()

    assert server.connections == 2


async def test_send_on_a_connection_that_is_always_busy_opens_another_after_its_longest_life() -> (
    None
):
    now = 1_000.0
    transport = KeepAliveTransport(5, PATIENT, PATIENT, clock=lambda: now)
    connections = []

    async with serving(answering(OK)) as server:
        client = Client(transport, f"http://127.0.0.1:{server.port}")
        while now <= 1_000 + 2 * LONGEST_LIFE_SECONDS:
            await send(client)
            connections.append(server.connections)
            now += LONGEST_LIFE_SECONDS / 20
        await client.aclose()

    assert connections == [1] * 20 + [2] * 20 + [3]


async def test_send_that_outlives_its_connection_closes_it() -> None:
    """The connection is too old when it is put back: nothing may be kept of it."""
    now = 1_000.0
    closed = asyncio.Event()

    def behaviour(server: Server) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal now
            await server.read_request(reader)
            now += LONGEST_LIFE_SECONDS
            writer.write(OK)
            await reader.read()
            closed.set()

        return behave

    transport = KeepAliveTransport(5, PATIENT, PATIENT, clock=lambda: now)
    async with serving(behaviour) as server, asyncio.timeout(PATIENT):
        client = Client(transport, f"http://127.0.0.1:{server.port}")
        assert await send(client) == AppsFlyerResponse(200, "OK", None)
        await closed.wait()
        await client.aclose()


async def test_send_drops_the_surplus_of_connections_that_grew_old() -> None:
    now = 1_000.0
    transport = KeepAliveTransport(2, PATIENT, PATIENT, clock=lambda: now)
    closed = 0

    def behaviour(server: Server) -> Behaviour:
        answer = answering(OK)(server)

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal closed
            try:
                await answer(reader, writer)
            finally:
                closed += 1

        return behave

    async with serving(behaviour) as server:
        client = Client(transport, f"http://127.0.0.1:{server.port}")
        await asyncio.gather(send(client), send(client))
        assert server.connections == 2
        for _ in range(4):
            now += KEEP_ALIVE_SECONDS / 2
            await send(client)
        await until(lambda: closed == 1)
        assert server.connections == 2
        await client.aclose()


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until the condition holds."""
    async with asyncio.timeout(PATIENT):
        while not condition():  # noqa: ASYNC110  the other side is a socket, which sets no event
            await asyncio.sleep(0.001)


@contextmanager
def freezing_server(farewell: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """A server in a thread: answers one request a connection and says farewell in its own way.

    It works on while the client's event loop stands still, as AppsFlyer does while Lambda has
    frozen the sandbox.
    """
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peers.append(peer)
            requests.append(peer.recv(65_536))
            peer.sendall(OK)
            farewell(peer)

    peers: list[socket.socket] = []
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], requests
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for peer in peers:
            peer.close()


def close(peer: socket.socket) -> None:
    peer.close()


def close_with_a_reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def complain_of_idleness(peer: socket.socket) -> None:
    """As some servers do; it would be taken for the next answer."""
    peer.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")


@every("ending", [close, close_with_a_reset, complain_of_idleness])
async def test_send_on_a_connection_that_ended_in_a_freeze_opens_another(
    ending: Callable[[socket.socket], None],
) -> None:
    """Nothing had been written on it, so this is no second sending."""
    frozen = threading.Event()
    ended = threading.Event()

    def farewell(peer: socket.socket) -> None:
        frozen.wait(PATIENT)
        ending(peer)
        ended.set()

    with freezing_server(farewell) as (port, requests):
        async with client_of(port) as client:
            await send(client)
            frozen.set()
            ended.wait(PATIENT)  # not awaited: the loop stands still and sees nothing of the end
            assert await send(client) == AppsFlyerResponse(200, "OK", None)

    assert len(requests) == 2


@pytest.mark.parametrize("unasked", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"])
async def test_send_on_a_connection_that_ended_or_spoke_unasked_opens_another(
    unasked: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What came unasked would be taken for the next answer."""
    noticed = asyncio.Event()

    def behaviour(server: Server) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(OK)
            await first_answered.wait()
            if unasked:
                writer.write(unasked)
            else:
                writer.write_eof()
            await reader.read()
            noticed.set()

        return behave

    first_answered = asyncio.Event()
    async with serving(behaviour) as server, client_of(server.port) as client:
        await send(client)
        first_answered.set()
        await asyncio.wait_for(noticed.wait(), PATIENT)
        assert await send(client) == AppsFlyerResponse(200, "OK", None)

    assert server.connections == 2
    assert not caplog.records  # asyncio tells of what a protocol did not expect


async def test_send_cancelled_while_waiting_closes_the_connection() -> None:
    """Its answer would be taken for the next one's."""
    arrived = asyncio.Event()
    closed = asyncio.Event()

    async def hear_to_the_end(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()
        closed.set()

    async with (
        serving(after_request(hear_to_the_end)) as server,
        client_of(server.port, connections=1) as client,
    ):
        sending = asyncio.create_task(send(client))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(closed.wait(), PATIENT)


# Surely not recorded


async def test_send_to_a_closed_port_is_surely_not_recorded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async with client_of(port) as client:
        assert await failure(client) == ("connect_refused", True)


async def test_send_when_tls_is_not_answered_in_time_is_surely_not_recorded(
    authority: trustme.CA,
) -> None:
    async def wait(*_: object) -> None:
        await never()

    async with (
        serving(lambda _: wait) as server,
        client_of(server.port, scheme="https", connect_timeout=IMPATIENT) as client,
    ):
        assert await failure(client) == ("connect_timed_out", True)


@pytest.mark.parametrize("name", ["appsflyer.example.com", "127.0.0.2"])
async def test_send_to_a_certificate_of_another_name_is_surely_not_recorded(
    authority: trustme.CA, name: str
) -> None:
    """E7."""
    async with (
        serving(answering(OK), server_tls(authority, name)) as server,
        client_of(server.port, scheme="https") as client,
    ):
        assert await failure(client) == ("tls_failed", True)

    assert server.requests == []


async def test_send_to_an_untrusted_certificate_is_surely_not_recorded() -> None:
    """E7; without `SSL_CERT_FILE` the well-known authorities count."""
    async with (
        serving(answering(OK), server_tls(trustme.CA())) as server,
        client_of(server.port, scheme="https") as client,
    ):
        assert await failure(client) == ("tls_failed", True)

    assert server.requests == []


async def test_send_to_a_server_with_old_tls_only_is_surely_not_recorded(
    authority: trustme.CA,
) -> None:
    """E7: TLS 1.2 or higher. Such a server resets or sends an alert, as it likes."""
    tls = server_tls(authority)
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1

    async with (
        serving(answering(OK), tls) as server,
        client_of(server.port, scheme="https") as client,
    ):
        reason, sure = await failure(client)

    assert reason in {"tls_failed", "connect_failed"}
    assert sure
    assert server.requests == []


async def test_send_to_a_server_without_tls_is_surely_not_recorded(authority: trustme.CA) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ready\r\n")

    async with (
        serving(lambda _: greet) as server,
        client_of(server.port, scheme="https") as client,
    ):
        assert await failure(client) == ("tls_failed", True)


async def test_send_reset_during_the_handshake_is_surely_not_recorded(
    authority: trustme.CA,
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        reset(writer)

    async with (
        serving(lambda _: hang_up) as server,
        client_of(server.port, scheme="https") as client,
    ):
        assert await failure(client) == ("connect_failed", True)


async def test_send_reset_before_anything_was_written_is_surely_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def connect_and_wait_for_the_reset(*args: object, **options: object) -> object:
        transport, protocol = await connect(*args, **options)  # type: ignore[call-overload]
        await until(transport.is_closing)
        return transport, protocol

    monkeypatch.setattr(loop, "create_connection", connect_and_wait_for_the_reset)
    async with serving(lambda _: hang_up) as server, client_of(server.port) as client:
        assert await failure(client) == ("reset_before_write", True)


# Uncertain


async def test_send_reset_after_the_request_is_uncertain_and_never_sent_again() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    async with serving(after_request(hang_up)) as server, client_of(server.port) as client:
        assert await failure(client) == ("reset_after_write", False)

    assert len(server.requests) == 1


async def test_send_reset_on_a_kept_connection_is_uncertain_and_never_sent_again() -> None:
    def behaviour(server: Server) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read_request(reader)
            writer.write(OK)
            await server.read_request(reader)
            reset(writer)

        return behave

    async with serving(behaviour) as server, client_of(server.port) as client:
        await send(client)
        assert await failure(client) == ("reset_after_write", False)

    assert len(server.requests) == 2


@every("start", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
async def test_send_closed_before_a_whole_head_is_uncertain(start: bytes) -> None:
    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)

    async with serving(after_request(leave)) as server, client_of(server.port) as client:
        assert await failure(client) == ("reset_after_write", False)


async def test_send_broken_tls_after_the_request_is_uncertain(authority: trustme.CA) -> None:
    async def break_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = socket.socket(fileno=writer.get_extra_info("socket").fileno())
        raw.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        raw.detach()

    async with (
        serving(after_request(break_tls), server_tls(authority)) as server,
        client_of(server.port, scheme="https") as client,
    ):
        assert await failure(client) == ("reset_after_write", False)


async def test_send_without_an_answer_in_time_is_uncertain() -> None:
    async def wait(*_: object) -> None:
        await never()

    async with (
        serving(after_request(wait)) as server,
        client_of(server.port, read_timeout=IMPATIENT) as client,
    ):
        assert await failure(client) == ("read_timed_out", False)

    assert len(server.requests) == 1


async def test_send_answer_dripping_in_is_bounded_as_a_whole() -> None:
    """Each byte comes in time, the answer never does."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-Drip: 1\r\n")
            await asyncio.sleep(IMPATIENT / 10)

    async with (
        serving(after_request(drip)) as server,
        client_of(server.port, read_timeout=IMPATIENT) as client,
    ):
        assert await failure(client) == ("read_timed_out", False)


@every("garbage", [b"\x00\xff" * 50, b"SSH-2.0-OpenSSH_9.2\r\n", b"<html>"])
async def test_send_answer_that_is_not_http_is_uncertain(garbage: bytes) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await never()

    async with serving(after_request(talk)) as server, client_of(server.port) as client:
        assert await failure(client) == ("not_http", False)


# The status decides


async def test_send_body_that_never_ends_does_not_undo_the_status() -> None:
    async def stop_halfway(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\nBad")
        await never()

    async with (
        serving(after_request(stop_halfway)) as server,
        client_of(server.port, read_timeout=IMPATIENT) as client,
    ):
        assert await send(client) == AppsFlyerResponse(400, "Bad", None)
        assert await send(client) == AppsFlyerResponse(400, "Bad", None)

    assert server.connections == 2


async def test_send_closed_within_the_body_does_not_undo_the_status() -> None:
    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 99\r\n\r\n{")

    async with serving(after_request(leave)) as server, client_of(server.port) as client:
        assert await send(client) == AppsFlyerResponse(202, "{", None)


async def test_send_body_until_the_end_of_the_connection_is_read() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\nblocked")

    async with serving(after_request(answer)) as server, client_of(server.port) as client:
        assert await send(client) == AppsFlyerResponse(403, "blocked", None)
