"""`relay sandbox` in its own process, with the real functions, and `relay demo` with that."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from relay_cli.clients.http import call
from relay_sandbox.journal.journal import Journal
from relay_sandbox.options import SandboxOptions
from relay_sandbox.serve import run_sandbox
from tests.integration.cli import here
from tests.integration.cli.conftest import RELAY, ROOT, Run, environment, lines, until
from tests.integration.processes import alive, descendants

EVENTS = ROOT / "events"
READY = {
    "page",
    "api",
    "aws",
    "stand_in",
    "mobile_queue",
    "web_queue",
    "mobile_dlq",
    "web_dlq",
    "parameter_prefix",
    "producer_token",
    "push_token",
    "apps",
    "payments_queue",
    "payments_dlq",
    "payment_sources",
    "identities_table",
    "deliveries_table",
    "trail_table",
}


@contextmanager
def _sandbox(folder: Path, *options: str) -> Iterator[tuple["subprocess.Popen[bytes]", Any]]:
    ready_file = folder / "ready.json"
    with subprocess.Popen(
        [RELAY, "sandbox", "--ready-file", str(ready_file), "--port", "0", *options],
        stdout=subprocess.PIPE,
        cwd=folder,
        env=environment(),
    ) as process:
        try:
            until(ready_file.exists, process)
            yield process, json.loads(ready_file.read_text())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _names_answered(url: str) -> list[str]:
    """The names under which the server at a URL answers something else than 403."""
    port = url.rpartition(":")[2]
    names = ("localhost", "host.docker.internal", "relay.test", "evil.example")
    hosts = (*(f"{name}:{port}" for name in names), "relay.test:4711")
    statuses = {host: call("GET", url, {"Host": host}).status for host in hosts}
    return [host.removesuffix(f":{port}") for host in hosts if statuses[host] != 403]


def _ledger(ready: Any) -> Any:
    return call("GET", f"{ready['stand_in']}/_standin/events").json()["events"]


class _Elsewhere(ThreadingHTTPServer):
    """Another endpoint than the stand-in. It passes on what it gets; told so, it refuses it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stand_in = ""
        self.refused: list[str] | None = None
        """The paths of what it refused; None while it passes on."""


class _Handler(BaseHTTPRequestHandler):
    server: _Elsewhere

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        refused = self.server.refused
        if refused is not None:
            refused.append(self.path)
            status, answer = 503, b""
        else:
            of_the_connection = ("host", "content-length", "connection")
            headers = {n: v for n, v in self.headers.items() if n.lower() not in of_the_connection}
            status, answer, _ = call("POST", f"{self.server.stand_in}{self.path}", headers, body)
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Up:
    """A sandbox that is up, its ready file, and the endpoint that it sends to."""

    process: "subprocess.Popen[bytes]"
    ready: Any
    file: Path
    elsewhere: _Elsewhere

    @property
    def location(self) -> tuple[str, str]:
        """The option that names it."""
        return "--ready-file", str(self.file)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One for all that look at it; the last of them kills it.

    Its options as people write them: a trailing slash, and spaces after the commas.
    """
    folder = tmp_path_factory.mktemp("sandbox")
    names = ("--allow-host", "host.docker.internal", "--allow-host", "relay.test:4711")
    with _Elsewhere() as elsewhere:
        Thread(target=elsewhere.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{elsewhere.server_port}/"
        endpoints = ("--mobile-endpoint", url, "--web-endpoint", url)
        options = (*names, *endpoints, "--retry-schedule", "0.1, 0.1", "--no-samples")
        with _sandbox(folder, *options) as (process, ready):
            elsewhere.stand_in = ready["stand_in"]
            yield Up(process, ready, folder / "ready.json", elsewhere)
        elsewhere.shutdown()


def test_sandbox_says_where_it_is_and_answers_to_the_names_it_is_given(up: Up) -> None:
    assert up.ready.keys() == READY
    assert stat.S_IMODE(up.file.stat().st_mode) == 0o600
    for server in ("page", "api", "stand_in", "aws"):
        assert _names_answered(up.ready[server]) == [
            *("localhost", "host.docker.internal", "relay.test:4711")
        ]
    assert up.ready["apps"].keys() == {"mobile", "web"}


def _samples(folder: Path, *names: str) -> Path:
    target = folder / "samples"
    target.mkdir()
    for name in names:
        shutil.copy(EVENTS / f"{name}.json", target)
    return target


@pytest.fixture
def attached(up: Up, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What runs here takes the sandbox that is up for its own; gets a line when it has left it.

    That a sandbox which is left stops all that it began: tests/integration/conftest.py.
    """
    left: list[str] = []

    @asynccontextmanager
    async def sandbox(_: SandboxOptions) -> AsyncIterator[Any]:
        try:
            yield SimpleNamespace(ready=up.ready, journal=Journal())
        finally:
            left.append("left")

    monkeypatch.setattr("relay_sandbox.serve.Sandbox", sandbox)
    return left


def test_demo_on_a_terminal_runs_every_sample_stays_up_and_shows_what_to_try(
    up: Up, attached: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ready_file, seen = tmp_path / ".relay" / "ready.json", []

    def person(_: int) -> None:
        seen.append(json.loads(ready_file.read_text()))
        here.interrupt(signal.SIGINT)

    env = environment(TERM="xterm", NO_COLOR="1", COLUMNS="120")
    code, output = here.in_terminal(["demo"], env=env, shows="Ctrl-C stops it", then=person)

    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    assert code == 0, shown
    assert f"{len(list(EVENTS.glob('*_*.json')))} samples" in shown
    assert "all ended as their files say" in shown
    assert shown.partition("The sandbox is up")[0].count("✗") == 1, "only the legend shows one"
    assert (seen, attached) == ([up.ready], ["left"])
    assert not ready_file.exists()
    assert f"curl {up.ready['api']}/v1/mobile/" in shown
    assert f"--queue-url {up.ready['mobile_queue']}" in shown
    assert "Open " in shown
    assert shown.index(up.ready["page"]) < shown.index("samples,")


def test_demo_with_a_process_and_a_sandbox_of_its_own_ends_with_ctrl_c_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    samples = _samples(tmp_path, "accept_health", "forward_mobile_purchase")
    controller, terminal = os.openpty()
    with subprocess.Popen(
        [RELAY, "demo", "--samples", str(samples)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        env=environment(TERM="xterm", NO_COLOR="1", COLUMNS="120"),
        process_group=0,
    ) as process:
        os.close(terminal)
        output = b""
        while b"Ctrl-C stops it" not in output:
            output += os.read(controller, 65_536)
        started = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0, output.decode()
    os.close(controller)

    assert b"2 samples" in output
    assert b"all ended as their files say" in output
    assert len(started) >= 4 or sys.platform != "linux", "the local AWS and some functions"
    assert not alive(started)
    assert not (tmp_path / ".relay" / "ready.json").exists()


def test_sandbox_takes_what_is_sent_over_http_to_appsflyer(run: Run, up: Up) -> None:
    sample = str(EVENTS / "accept_mobile_event.json")
    sent = run("send", sample, *up.location, "--api", up.ready["api"])

    assert sent.returncode == 0, sent.stdout + sent.stderr
    until(lambda: any(entry["recorded"] for entry in _ledger(up.ready)), up.process)


def test_sandbox_with_the_ready_file_of_one_that_is_up_says_where_that_is(run: Run, up: Up) -> None:
    second = run("sandbox", *up.location, "--port", "0", "--no-samples")

    assert second.returncode == 2
    assert f"another sandbox is up at {up.ready['page']}".encode() in second.stderr
    assert json.loads(up.file.read_text()) == up.ready


def test_send_that_waits_and_status_say_what_became_of_each_event(
    run: Run, up: Up, tmp_path: Path
) -> None:
    """The names and values that programs outside rely on."""
    names = ("purchase", "batch_one_bad", "account_blocked")
    samples = _samples(tmp_path, *(f"forward_mobile_{name}" for name in names))
    for path in samples.iterdir():  # the demo has sent those ids already, of other moments
        path.write_text(path.read_text().replace("order-", "waited-"))
    purchase, batch, blocked = (str(samples / f"forward_mobile_{name}.json") for name in names)

    location = up.location
    good = run("send", purchase, "--wait", "--json", *location)
    mixed = run("send", batch, *location, "--wait", "30", "--json")
    held = run("send", blocked, *location, "--wait", "0.5", "--json")
    status = run("status", "waited-1001", "--json", *location)
    unknown = run("status", "waited-0", "--json", *location)
    shown = run("status", "waited-1001", *location)

    (delivered,) = lines(good.stdout)
    assert good.returncode == 0
    assert delivered.keys() == {"event_id", "app_id", "outcome", "reason", "rules", "recorded"}
    assert (delivered["event_id"], delivered["outcome"]) == ("waited-1001", "delivered")
    assert delivered["recorded"]["rule"] == "T3"
    assert mixed.returncode == 1
    assert {one["event_id"]: one["outcome"] for one in lines(mixed.stdout)} == {
        "waited-1004": "delivered", "login-77": "rejected", "tutorial-78": "delivered"
    }  # fmt: skip
    assert held.returncode == 1
    assert lines(held.stdout)[0]["outcome"] in {"held", "waiting"}
    assert (status.returncode, lines(status.stdout)) == (0, [delivered])
    assert unknown.returncode == 1
    assert b"AppsFlyer answered 200 OK: recorded." in shown.stdout


def test_sandbox_that_shall_answer_to_what_is_no_host_says_so(run: Run) -> None:
    done = run("sandbox", "--allow-host", "http://relay.test")

    assert done.returncode == 2
    assert b"--allow-host http://relay.test is no host: give a name or an address" in done.stderr
    assert b"Traceback" not in done.stderr


def test_sandbox_whose_ready_file_cannot_be_written_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = run("sandbox", "--ready-file", "file/ready.json")

    assert done.returncode == 2
    assert b"file/ready.json cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.usefixtures("attached")
def test_demo_without_a_terminal_ends_with_0_once_all_samples_have(
    run: Run, tmp_path: Path
) -> None:
    done = run("demo", "--samples", str(_samples(tmp_path, "accept_health")))

    assert done.returncode == 0, done.stderr
    assert b"1 samples, 1 events and calls" in done.stdout


@pytest.mark.usefixtures("attached")
def test_demo_ends_with_1_and_names_the_samples_that_ended_otherwise(
    run: Run, tmp_path: Path
) -> None:
    changes: dict[str, dict[str, Any]] = {
        "forward_mobile_refund": {"outcome": "rejected"},
        "forward_web_visit": {"recorded": "arrival"},
        "forward_mobile_late": {"findings": ["warn M5"]},
    }
    samples = _samples(tmp_path, *changes, "accept_wrong_token")
    for name, change in changes.items():
        path = samples / f"{name}.json"
        content = json.loads(path.read_text())
        content["sample"]["expect"][0] |= change
        path.write_text(json.dumps(content))

    done = run("demo", "--samples", str(samples))

    shown = done.stdout.decode()
    assert done.returncode == 1
    for name in changes:
        assert f"events/{name}.json, event 1" in shown
    assert "3 did not end as their file says" in shown
    assert "accept_wrong_token.json" not in shown


def test_demo_without_samples_says_so(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--samples", str(tmp_path))

    assert done.returncode == 2
    assert b"no samples" in done.stderr


NEVER_SENT_BEFORE = [
    {
        "app_id": "com.example.shop",
        "kind": "mobile_event",
        "event": {"appsflyer_id": "1415211453000-6513894", "eventName": "af_login", "os": "14"},
    },
    {
        "app_id": "website-www.example.com",
        "kind": "web_visit",
        "event": {
            "user_id": {"customer_user_id": "u-9"},
            "event_url": "https://example.com/products/sneakers",
            "http_referrer": "https://example.com/",
        },
    },
]


def test_sandbox_sends_to_the_endpoints_it_is_given_as_often_as_the_schedule_says(
    run: Run, up: Up, tmp_path: Path
) -> None:
    paths = (
        "/inappevent/com.example.shop",
        "/v2.0/s2s/visits/app/web/website-www.example.com",
    )
    before, refused = len(_ledger(up.ready)), list[str]()
    up.elsewhere.refused = refused

    for number, envelope in enumerate(NEVER_SENT_BEFORE):
        (tmp_path / f"{number}.json").write_text(json.dumps(envelope))
        assert run("send", f"{number}.json", *up.location).returncode == 0
    until(lambda: all(refused.count(path) >= 3 for path in paths), up.process)
    for surface in ("mobile", "web"):
        while b"attempts_used_up" not in run("dlq", "list", surface, *up.location).stdout:
            pass

    assert len(_ledger(up.ready)) == before
    assert [refused.count(path) for path in paths] == [3, 3]  # and what another test had wait


def test_sandbox_that_is_killed_leaves_no_process_behind(up: Up) -> None:
    """What it had told of itself was told at once."""
    started = descendants(up.process.pid)
    assert len(started) >= 4 or sys.platform != "linux", "the local AWS and three functions"

    up.process.kill()
    output, _ = up.process.communicate(timeout=60)

    for name in ("api", "aws", "producer_token", "mobile_queue"):
        assert up.ready[name] in output.decode()
    deadline = time.monotonic() + 30
    while alive(started):
        assert time.monotonic() < deadline, f"still there: {alive(started)}"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sandbox_that_is_stopped_by_either_signal_ends_all_that_it_began(
    up: Up, attached: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    ready_file = tmp_path / "ready.json"

    async def when_up(_: Any) -> None:
        assert json.loads(ready_file.read_text()) == up.ready
        signal.raise_signal(number)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        run_sandbox(SandboxOptions(), ready_file, when_up=when_up)
    finally:
        for one, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(one, handler)

    assert attached == ["left"]
    assert not ready_file.exists()
