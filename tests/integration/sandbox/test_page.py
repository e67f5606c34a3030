"""The page's server, with a whole sandbox behind it: every route, and the stream."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from relay_sandbox.http.messages import Response
from relay_sandbox.http.server import Server
from relay_sandbox.sandbox import Sandbox
from tests.integration.conftest import taken_off
from tests.support.local_http import local_client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]

APP = "com.example.shop"
EVENT = {
    "appsflyer_id": "1415211453000-6513894",
    "eventName": "af_purchase",
    "eventValue": {"af_revenue": "9.99"},
    "eventCurrency": "EUR",
    "os": "14",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(sandbox_for_page: Sandbox) -> Sandbox:
    """Without faults, records and dead letters."""
    sandbox_for_page.stand_in.ledger.clear()
    sandbox_for_page.stand_in.faults.clear()
    while await taken_off(sandbox_for_page, "mobile_dlq"):
        pass
    return sandbox_for_page


async def ask(sandbox: Sandbox, path: str, body: object = None, method: str | None = None) -> Any:
    async with local_client(timeout=60) as http:
        response = await http.request(
            method or ("GET" if body is None else "POST"),
            f"{sandbox.ready['page']}/api/{path}",
            content=None if body is None else json.dumps(body),
            headers={} if body is None else {"content-type": "application/json"},
        )
    assert response.status_code == 200, response.text
    return response.json()


async def until(sandbox: Sandbox, key: str, condition: Callable[[Any], object]) -> Any:
    """The event, once a condition holds of it."""
    async with asyncio.timeout(60):
        while True:
            seen = sandbox.journal.revision
            if condition(found := await ask(sandbox, f"traces/{key}")):
                return found
            await sandbox.journal.newer_than(seen)


async def send(sandbox: Sandbox, event: Mapping[str, Any] = EVENT, **more: Any) -> str:
    """Hand an event in that is like no other: so its request is told from all others."""
    event = {"customer_user_id": new_id(), **event}
    asked = {"kind": "mobile_event", "app_id": APP, "text": json.dumps(event), **more}
    key: str = (await ask(sandbox, "send", asked))["key"]
    return key


async def ended(sandbox: Sandbox, key: str) -> Any:
    """The event, once it has ended."""
    return (await ask(sandbox, "ended", {"keys": [key], "seconds": 30}))["ended"][0]


def new_id() -> str:
    return f"page-{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("by", ["sqs", "http"])
async def test_event_that_is_sent_from_the_page_is_seen_with_its_record(
    sandbox: Sandbox, by: str
) -> None:
    key = await send(sandbox, by=by, event_id=new_id())

    trace = await ended(sandbox, key)

    assert (trace["outcome"], trace["source"], trace["times_recorded"]) == ("delivered", by, 1)
    assert trace["recorded"]["sure"] is True
    (entry,) = sandbox.stand_in.ledger
    assert json.loads(trace["payload"]) == entry.payload
    assert trace["bytes"] == len(trace["payload"])
    assert await ask(sandbox, f"traces/{key}") == {**trace, "cure": None}


async def test_event_that_is_sent_again_is_a_duplicate_though_the_relay_gave_it_its_time(
    sandbox: Sandbox,
) -> None:
    key = await send(sandbox, by="http", event_id=new_id())
    await ended(sandbox, key)

    again = await ask(sandbox, f"traces/{key}/again", {})

    assert (await ended(sandbox, again["key"]))["outcome"] == "duplicate"


async def test_event_of_which_a_request_is_lost_is_perhaps_recorded_and_then_counted_twice(
    sandbox: Sandbox,
) -> None:
    fault = {"reset": True, "recorded": "after", "times": 1}
    (active,) = (await ask(sandbox, "faults", fault))["faults"]
    key = await send(sandbox, event_id=new_id())

    trace = await ended(sandbox, key)

    assert active["applied"] == 0
    assert [(one["kind"], one["sure"]) for one in trace["steps"] if one["sure"]] == [
        ("silent", "perhaps"),
        ("waits", "perhaps"),
        ("answered", "surely"),
    ]
    assert (trace["times_recorded"], trace["marks"]) == (2, ["counted_twice"])
    assert (await ask(sandbox, "faults"))["faults"] == []


async def test_function_that_is_killed_in_the_middle_leaves_a_doubt_that_the_page_shows(
    sandbox: Sandbox,
) -> None:
    """Of an event without money, which is sent again at once."""
    await ask(sandbox, "faults", {"machine": "kill_function", "function": "forward_mobile"})
    key = await send(sandbox, {**EVENT, "eventValue": ""}, event_id=new_id())

    trace = await ended(sandbox, key)

    kinds = [one["kind"] for one in trace["steps"]]
    assert kinds.index("sent") < kinds.index("comes_again") < len(kinds) - 1
    assert "Runtime.ExitError" in trace["steps"][kinds.index("comes_again")]["text"]
    assert trace["marks"] == ["counted_twice"]
    assert (await ask(sandbox, "state"))["faults"] == []


@pytest.mark.parametrize(
    ("machine", "server"), [("appsflyer_unreachable", "stand_in"), ("parameter_store_down", "aws")]
)
async def test_fault_of_the_machine_is_shown_strikes_and_ends_with_one_call(
    sandbox: Sandbox, machine: str, server: str
) -> None:
    async def answer() -> int | None:
        target = {"X-Amz-Target": "AmazonSSM.DescribeParameters"}
        async with local_client(timeout=60) as http:
            try:
                return (await http.post(sandbox.ready[server], headers=target)).status_code
            except httpx.ConnectError:
                return None

    before = await answer()
    await ask(sandbox, "faults", {"machine": machine})
    (shown,) = (await ask(sandbox, "state"))["faults"]
    during = await answer()
    await ask(sandbox, f"faults/{shown['number']}", method="DELETE")

    assert during in {None, 500}
    assert before not in {None, 500}
    assert await answer() == before
    assert (await ask(sandbox, "faults"))["faults"] == []


async def test_dead_letters_are_grouped_with_their_cure_redriven_and_dropped(
    sandbox: Sandbox,
) -> None:
    key = await send(sandbox, {**EVENT, "eventValue": {"af_revenue": "much"}}, event_id=new_id())
    dead = await ended(sandbox, key)
    (group,) = (await ask(sandbox, "dead-letters"))["groups"]

    assert (dead["outcome"], dead["cure"]["label"] if dead.get("cure") else None) == (
        "rejected", None
    )  # fmt: skip
    assert (group["reason"], group["app_id"], group["count"]) == ("rejected", APP, 1)
    assert "M4" in group["rules"]
    assert group["cure"]["text"]

    assert (await ask(sandbox, "dead-letters/redrive", {"keys": [key]}))["done"] == 1
    again = await ended(sandbox, key)
    assert [one["kind"] for one in again["steps"]].count("dead_letter") == 2

    assert (await ask(sandbox, "dead-letters/drop", {"keys": [key]}))["dead_letters"] == 0
    assert (await ask(sandbox, f"traces/{key}"))["outcome"] == "dropped"


async def test_held_event_names_its_cure_and_goes_once_that_is_clicked(sandbox: Sandbox) -> None:
    await ask(sandbox, "apps", {"app_id": APP, "key": "revoked"})
    key = await send(sandbox, event_id=new_id())
    held = await until(sandbox, key, lambda trace: trace["reason"] == "credentials")

    action = held["cure"]["action"]
    await ask(sandbox, action["path"].removeprefix("/api/"), action["body"])

    assert held["outcome"] == "held"
    assert (await until(sandbox, key, lambda trace: trace["ended"]))["outcome"] == "delivered"


async def test_identity_that_is_added_lets_the_event_go_that_waits_for_it(sandbox: Sandbox) -> None:
    customer = new_id()
    event = {name: one for name, one in EVENT.items() if name != "appsflyer_id"}
    key = await send(sandbox, {**event, "customer_user_id": customer}, event_id=new_id())
    await until(sandbox, key, lambda trace: trace["reason"] == "identity_unknown")
    waiting = (await ask(sandbox, "identities"))["waiting"]

    person = {"customer_user_id": customer, "appsflyer_id": "1415211453000-6513894"}
    await ask(sandbox, "identities", {"app_id": APP, **person})

    assert customer in [one["customer_user_id"] for one in waiting]
    assert (await ended(sandbox, key))["outcome"] == "delivered"
    known = (await ask(sandbox, "identities"))["identities"]
    assert customer in [one["customer_user_id"] for one in known]


async def test_refund_that_is_told_first_becomes_an_event_once_its_payment_is_known(
    sandbox: Sandbox,
) -> None:
    asked = {"provider": "stripe", "kind": "refund", "order": "reversed", "app_id": APP}
    refund, payment = (await ask(sandbox, "payments/tell", asked))["stories"]
    for story in (refund, payment):
        for told in story["told"]:
            assert (await ended(sandbox, told["keys"][0]))["outcome"] == "delivered"
    events = {
        one["event_id"]: (one["revenue"], one["caused_by"])
        for one in (await ask(sandbox, "traces"))["traces"]
    }

    assert events[refund["event_id"]] == ("-9.99", refund["told"][0]["keys"][0])
    assert events[payment["event_id"]][0] == "9.99"

    again = {"again": payment["id"], "how": "wrong_signature"}
    (story,) = (await ask(sandbox, "payments/tell", again))["stories"]
    refused = await ask(sandbox, f"traces/{story['told'][-1]['keys'][0]}")
    assert (story["told"][-1]["status"], refused["outcome"]) == (401, "rejected")


async def test_samples_are_there_to_begin_with(sandbox: Sandbox) -> None:
    found = (await ask(sandbox, "samples"))["samples"]

    assert {"forward_mobile_purchase", "forward_web_visit"} <= {one["name"] for one in found}
    assert all(json.loads(one["text"]) and one["about"] for one in found)


@pytest.mark.parametrize(
    ("method", "path", "content_type", "body", "status"),
    [
        ("POST", "/api/faults", "text/plain", b'{"status": 503}', 415),
        ("POST", "/api/send", None, b"{}", 415),
        ("POST", "/api/dead-letters/drop", "application/x-www-form-urlencoded", b"keys=x", 415),
        ("POST", "/api/send", "application/json", b"{", 400),
        ("POST", "/api/send", "application/json", b"[]", 400),
        ("POST", "/api/faults", "application/json", b'{"status": 1}', 400),
        ("POST", "/api/faults", "application/json", b'{"machine": "x"}', 400),
        ("POST", "/api/apps", "application/json", b'{"app_id": "id404"}', 404),
        ("DELETE", "/api/faults/99", None, b"", 404),
        ("GET", "/api/traces/t-0", None, b"", 404),
        ("GET", "/api/traces?limit=0", None, b"", 400),
        ("GET", "/api/nothing", None, b"", 404),
        ("DELETE", "/api/state", None, b"", 405),
        ("POST", "/", "application/json", b"{}", 405),
        ("GET", "/../server.py", None, b"", 404),
        ("GET", "/%2e%2e/server.py", None, b"", 404),
        ("GET", "/.hidden", None, b"", 404),
    ],
)
async def test_request_that_cannot_be_met_says_why_under_the_same_policy(
    sandbox: Sandbox, method: str, path: str, content_type: str | None, body: bytes, status: int
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    async with local_client(timeout=60) as http:
        response = await http.request(
            method, f"{sandbox.ready['page']}{path}", content=body, headers=headers
        )

    assert response.status_code == status
    assert response.json()["error"]
    assert response.headers["content-security-policy"] == _POLICY


# The stream


@asynccontextmanager
async def stream(sandbox: Sandbox, last_id: str | None = None) -> AsyncIterator[Any]:
    """The messages of a stream: (id, event, data)."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with (
        local_client(timeout=60) as http,
        http.stream("GET", f"{sandbox.ready['page']}/api/stream", headers=headers) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["content-security-policy"] == _POLICY
        yield _messages(response)


async def _messages(response: httpx.Response) -> AsyncIterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


async def _until_ended(messages: Any, keys: set[str]) -> tuple[str, dict[str, Any]]:
    """The rows by key, once all of these have ended; and the last id."""
    rows: dict[str, Any] = {}
    last_id = ""
    async for message_id, event, data in messages:
        last_id = message_id
        if event != "state":
            rows |= {one["key"]: one for one in (data["traces"] if event == "snapshot" else data)}
        if all(rows.get(key, {}).get("ended") for key in keys):
            return last_id, rows
    raise AssertionError("the stream ended")


async def test_stream_begins_with_a_snapshot_and_goes_on_with_what_changes(
    sandbox: Sandbox,
) -> None:
    async with stream(sandbox) as messages:
        _, event, data = await anext(messages)
        key = await send(sandbox, event_id=new_id())
        _, rows = await _until_ended(messages, {key})

    assert event == "snapshot"
    assert data["state"]["limits"]["mobile_body_bytes"] == 1024
    assert rows[key]["outcome"] == "delivered"
    assert "steps" not in rows[key]
    assert "payload" not in rows[key]


async def test_stream_that_is_resumed_misses_nothing_and_repeats_nothing_old(
    sandbox: Sandbox,
) -> None:
    assert await sandbox.settled(30)  # what other tests handed in has no more to tell
    async with stream(sandbox) as messages:
        before = await send(sandbox, event_id=new_id())
        last_id, _ = await _until_ended(messages, {before})
    await sandbox.settled(30)
    keys = {await send(sandbox, event_id=new_id()) for _ in range(5)}
    for key in keys:
        await ended(sandbox, key)

    async with stream(sandbox, last_id) as messages:
        _, rows = await _until_ended(messages, keys)

    assert rows.keys() - {before} == keys


@pytest.mark.parametrize("last_id", ["00000000-5", "nonsense", "-"])
async def test_stream_with_the_id_of_another_sandbox_begins_anew(
    sandbox: Sandbox, last_id: str
) -> None:
    async with stream(sandbox, last_id) as messages:
        _, event, _ = await anext(messages)

    assert event == "snapshot"


async def test_reader_that_takes_nothing_is_cut_off_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay_sandbox.http.server.STALLED_SECONDS", 0.2)
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield bytes(1024 * 1024)
        finally:
            closed.set()

    async def handle(*_: object) -> Response:
        return Response(stream=endless())

    async with Server(handle) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        await asyncio.wait_for(closed.wait(), 30)
        assert not reader.at_eof()
        writer.close()
