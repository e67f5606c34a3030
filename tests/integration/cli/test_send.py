"""`relay send`, against queues and an HTTP API; with a stack, in `test_doctor.py`."""

import json
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.integration.cli.conftest import ROOT, LocalQueues, Run

POLL_SECONDS = 0.01
"""How soon a server notices that it shall end; half a second if nothing is said."""

MOBILE = {"app_id": "com.example.shop", "kind": "mobile_event", "event": {"eventName": "a"}}
VISIT = {"app_id": "w", "kind": "web_visit", "event": {"event_url": "https://www.example.com/"}}


def _file(folder: Path, content: Any) -> str:
    path = folder / "file.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_send_puts_each_event_on_the_queue_of_its_kind(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    done = run("send", _file(tmp_path, [MOBILE, VISIT, MOBILE]), *queues.location)

    assert done.returncode == 0, done.stderr
    assert queues.bodies("mobile_queue") == [MOBILE, MOBILE]
    assert queues.bodies("web_queue") == [VISIT]
    assert b"3 of 3 taken" in done.stdout


def test_send_forwards_a_record_unchanged(run: Run, queues: LocalQueues, tmp_path: Path) -> None:
    body = json.dumps({**MOBILE, "event_id": "order-1", "event": {"eventValue": {"x": 1e22}}})

    run("send", _file(tmp_path, {"Records": [{"body": body}]}), *queues.location)

    assert queues.texts("mobile_queue") == [body]


def test_send_http_sample_keeps_its_idempotency_key_as_event_id(
    run: Run, queues: LocalQueues
) -> None:
    sample = ROOT / "events" / "accept_mobile_event.json"
    key = json.loads(sample.read_text())["headers"]["idempotency-key"]

    done = run("send", str(sample), *queues.location)

    assert done.returncode == 0, done.stderr
    assert [body["event_id"] for body in queues.bodies("mobile_queue")] == [key]


def test_send_finds_queues_by_option_environment_and_default_ready_file(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    file = _file(tmp_path, MOBILE)
    url = queues.urls["mobile_queue"]

    assert run("send", file).returncode == 2
    assert run("send", file, "--mobile-queue", url).returncode == 0
    assert run("send", file, env={"RELAY_MOBILE_QUEUE_URL": url}).returncode == 0
    (tmp_path / ".relay").mkdir()
    queues.ready_file.rename(tmp_path / ".relay" / "ready.json")
    assert run("send", file).returncode == 0
    assert queues.bodies("mobile_queue") == [MOBILE] * 3


def test_send_to_a_missing_queue_says_so(run: Run, queues: LocalQueues, tmp_path: Path) -> None:
    url = queues.urls["mobile_queue"] + "-missing"

    done = run("send", _file(tmp_path, MOBILE), "--mobile-queue", url)

    assert done.returncode == 1
    assert b"NonExistentQueue" in done.stdout


def test_send_leaves_out_what_is_no_event_and_sends_the_rest(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    content = {"Records": [{"body": "{}"}, {"body": json.dumps(VISIT)}]}

    done = run("send", _file(tmp_path, content), *queues.location)

    assert done.returncode == 1
    assert b"1 of 2 taken" in done.stdout
    assert queues.bodies("web_queue") == [VISIT]


# Over HTTP


class _Api(BaseHTTPRequestHandler):
    url: ClassVar[str]
    calls: ClassVar[list[tuple[str, Message, bytes]]]
    response: ClassVar[tuple[int, dict[str, Any]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.calls.append((self.path, self.headers, body))
        status, content = self.response
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def api() -> Iterator[type[_Api]]:
    class Api(_Api):
        calls: ClassVar[list[tuple[str, Message, bytes]]] = []
        response: ClassVar[tuple[int, dict[str, Any]]] = (202, {"queued": 1, "events": []})

    with HTTPServer(("127.0.0.1", 0), Api) as server:
        Api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        yield Api
        server.shutdown()
        thread.join()


def test_send_over_http_calls_the_route_of_the_kind_with_token_and_key(
    api: Any, run: Run, tmp_path: Path
) -> None:
    file = _file(tmp_path, [{**MOBILE, "event_id": "order-1"}, {**VISIT, "app_id": "w/1"}])

    done = run("send", file, "--api", api.url, "--token-env", "T", env={"T": "the-token"})

    assert done.returncode == 0, done.stdout + done.stderr
    (path, headers, body), (second, *_) = api.calls
    assert path == "/v1/mobile/com.example.shop/events"
    assert second == "/v1/web/w%2F1/visits"
    assert headers["Authorization"] == "Bearer the-token"
    assert headers["Idempotency-Key"] == "order-1"
    assert json.loads(body) == MOBILE["event"]
    assert b"the-token" not in done.stdout + done.stderr


def test_send_over_http_shows_the_findings_of_a_refusal(api: Any, run: Run, tmp_path: Path) -> None:
    finding = {"rule": "M1", "severity": "reject", "field": "appsflyer_id", "message": "is missing"}
    api.response = (400, {"detail": "the event breaks a rule", "findings": [finding]})

    done = run(
        "send", _file(tmp_path, MOBILE), "--api", api.url, "--token-env", "T", env={"T": "t"}
    )

    assert done.returncode == 1
    assert b"400 the event breaks a rule" in done.stdout
    assert b"M1" in done.stdout


def test_send_over_http_without_a_token_or_a_response_ends_with_2(
    api: Any, run: Run, tmp_path: Path
) -> None:
    file = _file(tmp_path, MOBILE)
    token = {"RELAY_PRODUCER_TOKEN": "t"}

    assert run("send", file, "--api", api.url).returncode == 2
    assert run("send", file, "--api", "http://127.0.0.1:9", env=token).returncode == 2
    assert run("send", file, "--api", "ftp://example.com", env=token).returncode == 2
