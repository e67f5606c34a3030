"""The stand-in fails on command, before or after it recorded the event."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trustme

from relay_sandbox.http.server import Server
from relay_sandbox.stand_in import Account, Entry, Fault, StandIn
from tests.support.local_http import local_client

APP = "id123456789"
EVENT = {"appsflyer_id": "1-2", "eventName": "af_purchase", "eventValue": ""}
BEFORE_AND_AFTER = pytest.mark.parametrize("moment", ["before", "after"])


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn([Account.model_validate({"app_id": APP, "tokens": ["key"]})])


@pytest.fixture
async def server(stand_in: StandIn) -> AsyncIterator[Server]:
    async with stand_in.server() as running:
        yield running


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authentication": "key"}
    async with local_client(base_url=server.url, headers=headers) as opened:
        yield opened


async def set_fault(client: httpx.AsyncClient, **fault: object) -> None:
    response = await client.post("/_standin/faults", json=fault)
    assert response.status_code == 200, response.text


async def send(client: httpx.AsyncClient, **options: Any) -> httpx.Response:
    return await client.post(f"/inappevent/{APP}", json=EVENT, **options)


def only_entry(stand_in: StandIn) -> Entry:
    (entry,) = stand_in.ledger
    return entry


async def until_applied(stand_in: StandIn, count: int = 1) -> None:
    """Wait until the only active fault was applied to that many calls."""
    async with asyncio.timeout(10):
        while stand_in.faults.as_json()[0]["applied"] < count:  # noqa: ASYNC110 - a count, not an event
            await asyncio.sleep(0)


async def until_written(stand_in: StandIn) -> None:
    async with asyncio.timeout(10):
        while not len(stand_in.ledger):  # noqa: ASYNC110 - the ledger has no events
            await asyncio.sleep(0)


@BEFORE_AND_AFTER
async def test_status_is_returned_and_the_event_recorded_only_when_it_applies_after(
    stand_in: StandIn, client: httpx.AsyncClient, moment: str
) -> None:
    await set_fault(client, status=500, recorded=moment)

    response = await send(client)

    entry = only_entry(stand_in)
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert (entry.status, entry.recorded) == (500, moment == "after")
    assert entry.fault == f"status 500, {moment} it was recorded"


async def test_status_carries_body_retry_after_and_location(client: httpx.AsyncClient) -> None:
    await set_fault(client, status=302, body="elsewhere", location="http://127.0.0.1:9/x")
    moved = await send(client)
    await client.delete("/_standin/faults")
    await set_fault(client, status=429, retry_after=7)
    slowed = await send(client)

    assert (moved.status_code, moved.text) == (302, "elsewhere")
    assert moved.headers["location"] == "http://127.0.0.1:9/x"
    assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("status", [200, 202, 204, 304, 408, 418, 503, 599])
async def test_status_may_be_any(client: httpx.AsyncClient, status: int) -> None:
    await set_fault(client, status=status, body="odd")

    responses = [await send(client), await send(client)]

    assert [response.status_code for response in responses] == [status, status]


@BEFORE_AND_AFTER
async def test_reset_reaches_the_client_as_a_reset(
    stand_in: StandIn, client: httpx.AsyncClient, moment: str
) -> None:
    await set_fault(client, reset=True, recorded=moment)

    with pytest.raises(httpx.ReadError) as caught:
        await send(client)

    entry = only_entry(stand_in)
    assert (entry.status, entry.recorded) == (None, moment == "after")
    assert not isinstance(caught.value, httpx.ReadTimeout)


@BEFORE_AND_AFTER
async def test_time_out_never_responds_and_is_in_the_ledger_at_once(
    stand_in: StandIn, client: httpx.AsyncClient, moment: str
) -> None:
    await set_fault(client, time_out=True, recorded=moment)

    with pytest.raises(httpx.ReadTimeout):
        await send(client, timeout=0.2)

    entry = only_entry(stand_in)
    assert (entry.status, entry.recorded) == (None, moment == "after")


@BEFORE_AND_AFTER
async def test_garbage_is_no_http(
    stand_in: StandIn, client: httpx.AsyncClient, moment: str
) -> None:
    await set_fault(client, garbage=True, recorded=moment)

    with pytest.raises(httpx.RemoteProtocolError):
        await send(client)

    entry = only_entry(stand_in)
    assert (entry.status, entry.recorded) == (None, moment == "after")


@BEFORE_AND_AFTER
async def test_slow_drip_that_is_read_to_its_end_is_the_usual_response(
    stand_in: StandIn, client: httpx.AsyncClient, moment: str
) -> None:
    await set_fault(client, slow_drip_seconds=0.0001, recorded=moment)

    response = await send(client)
    await until_written(stand_in)

    assert (response.status_code, response.text) == (200, "OK")
    assert only_entry(stand_in).recorded is True


@BEFORE_AND_AFTER
async def test_slow_drip_that_the_client_aborts_is_recorded_only_when_it_came_after(
    stand_in: StandIn, server: Server, client: httpx.AsyncClient, moment: str
) -> None:
    await set_fault(client, slow_drip_seconds=0.01, recorded=moment)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = b'{"appsflyer_id":"1-2","eventName":"a","eventValue":""}'
    writer.write(
        f"POST /inappevent/{APP} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{server.port}\r\nAuthentication: key\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )

    begun = await asyncio.wait_for(reader.readexactly(3), 10)
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()
    await until_written(stand_in)

    assert begun == b"HTT"
    assert only_entry(stand_in).recorded is (moment == "after")


@BEFORE_AND_AFTER
async def test_latency_alone_delays_the_usual_response(
    stand_in: StandIn, client: httpx.AsyncClient, moment: str
) -> None:
    await set_fault(client, latency_seconds=0.01, recorded=moment)

    response = await send(client)

    assert (response.status_code, only_entry(stand_in).recorded) == (200, True)


async def test_latency_comes_before_another_ending(
    stand_in: StandIn, client: httpx.AsyncClient
) -> None:
    await set_fault(client, latency_seconds=0.01, status=503)

    response = await send(client)

    assert (response.status_code, only_entry(stand_in).recorded) == (503, False)


@pytest.mark.parametrize(
    ("moment", "recorded"), [("before", []), ("after", [True])], ids=["before", "after"]
)
async def test_latency_leaves_the_event_recorded_only_when_it_came_after(
    stand_in: StandIn, moment: str, recorded: list[bool]
) -> None:
    """During the wait, which ends without a record when the server stops."""
    stand_in.faults.add([Fault.model_validate({"latency_seconds": 3600, "recorded": moment})])

    async with stand_in.server() as server, asyncio.TaskGroup() as group:
        group.create_task(send_and_lose(server))
        await until_applied(stand_in)
        await server.__aexit__()

    assert [entry.recorded for entry in stand_in.ledger] == recorded


@pytest.mark.parametrize(
    "fault", [{"latency_seconds": 3600}, {"time_out": True}, {"slow_drip_seconds": 3600}]
)
async def test_waits_of_faults_end_when_the_server_stops(
    stand_in: StandIn, fault: dict[str, object]
) -> None:
    stand_in.faults.add([Fault.model_validate(fault)])

    async with asyncio.timeout(60), stand_in.server() as server, asyncio.TaskGroup() as group:
        group.create_task(send_and_lose(server))
        await until_applied(stand_in)
        await server.__aexit__()


async def send_and_lose(server: Server) -> None:
    """Send an event whose response never arrives completely."""
    async with local_client(base_url=server.url, timeout=None) as client:
        with contextlib.suppress(httpx.ReadError, httpx.RemoteProtocolError):
            await send(client, headers={"authentication": "key"})


async def test_fault_over_a_refused_event_records_nothing(
    stand_in: StandIn, client: httpx.AsyncClient
) -> None:
    await set_fault(client, status=500, recorded="after")

    response = await send(client, headers={"authentication": "wrong"})

    entry = only_entry(stand_in)
    assert (response.status_code, entry.recorded) == (500, False)
    assert entry.why.startswith("E13")


async def test_fault_that_is_over_leaves_the_usual_responses(client: httpx.AsyncClient) -> None:
    await set_fault(client, status=503, times=2)

    statuses = [(await send(client)).status_code for _ in range(3)]

    assert statuses == [503, 503, 200]


async def test_faults_that_are_cleared_apply_no_more(client: httpx.AsyncClient) -> None:
    await set_fault(client, status=503)
    cleared = await client.delete("/_standin/faults")

    assert cleared.json() == {"faults": []}
    assert (await send(client)).status_code == 200


async def test_faults_can_be_set_several_at_once(client: httpx.AsyncClient) -> None:
    await client.post("/_standin/faults", json=[{"status": 500, "times": 1}, {"status": 429}])

    active = (await client.get("/_standin/faults")).json()["faults"]
    statuses = [(await send(client)).status_code for _ in range(2)]

    assert [fault["status"] for fault in active] == [500, 429]
    assert statuses == [500, 429]


async def test_fault_applies_over_tls_too(stand_in: StandIn) -> None:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    stand_in.faults.add([Fault(reset=True, times=1)])

    async with (
        stand_in.server(ssl_context=server_tls) as server,
        local_client(base_url=server.url, verify=client_tls) as client,
    ):
        with pytest.raises(httpx.ReadError):
            await send(client, headers={"authentication": "key"})
        response = await send(client, headers={"authentication": "key"})

    assert response.status_code == 200


async def test_slow_drip_over_tls_that_the_client_aborts_is_in_the_ledger(
    stand_in: StandIn,
) -> None:
    """A closed TLS connection has no socket that could be reset."""
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    stand_in.faults.add([Fault(slow_drip_seconds=0.01)])
    body = b'{"appsflyer_id":"1-2","eventName":"a","eventValue":""}'

    async with stand_in.server(ssl_context=server_tls) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_tls)
        writer.write(
            f"POST /inappevent/{APP} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{server.port}\r\nAuthentication: key\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        begun = await asyncio.wait_for(reader.readexactly(3), 10)
        writer.transport.abort()
        await until_written(stand_in)

    assert begun == b"HTT"
    assert only_entry(stand_in).recorded is False


async def test_fault_leaves_the_control_api_alone(client: httpx.AsyncClient) -> None:
    await set_fault(client, reset=True)

    assert (await client.get("/_standin/events")).status_code == 200
