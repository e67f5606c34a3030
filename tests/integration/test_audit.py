"""`make audit`, with an advisory service on this machine that speaks OSV's protocol.

What is proven is that nothing passes that was not looked up; what the world's services say changes.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.builders import Json

POLL_SECONDS = 0.01
"""How soon a server notices that it shall end; half a second if nothing is said."""

ROOT = Path(__file__).parents[2]

HARMLESS: Json = {}
VULNERABLE: Json = {
    "vulns": [
        {
            "id": "PYSEC-2026-1",
            "summary": "A made-up vulnerability.",
            "affected": [{"package": {"name": "httpx", "ecosystem": "PyPI"}}],
        }
    ]
}


class _Service(ThreadingHTTPServer):
    """Answers `answer` about `package`, nothing known about any other; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, package: str, status: int, answer: Json) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.package = package
        self.status = status
        self.answer = answer
        self.asked: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class _Handler(BaseHTTPRequestHandler):
    server: _Service

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = query["package"]["name"]
        self.server.asked.add(name)
        concerned = name == self.server.package
        body = json.dumps(self.server.answer if concerned else {}).encode()
        self.send_response(self.server.status if concerned else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: a test's output is pytest's."""


@contextmanager
def service(package: str, status: int, answer: Json) -> Iterator[_Service]:
    server = _Service(package, status, answer)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def audit(url: str, cache: Path) -> subprocess.CompletedProcess[str]:
    options = ["-s", "osv", "--osv-url", url, "--cache-dir", str(cache)]
    return subprocess.run(
        [ROOT / "scripts" / "audit", *options], capture_output=True, text=True, check=False
    )


def names(requirements: str) -> set[str]:
    lines = (ROOT / requirements).read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if line[:1].isalnum()}


def test_audit_passes_when_the_service_knows_of_nothing(tmp_path: Path) -> None:
    """And it was asked about the packages of the layer, of development and of SAM CLI."""
    layer = names("layers/relay/requirements.txt")

    with service("httpx", 200, HARMLESS) as advisories:
        done = audit(advisories.url, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "certificate authorities: certifi" in done.stderr
    assert len(layer) > 10
    assert layer | {"pytest", "moto", "aws-sam-cli", "pip-audit"} <= advisories.asked


def test_audit_of_a_vulnerable_package_fails_and_names_it(tmp_path: Path) -> None:
    with service("httpx", 200, VULNERABLE) as advisories:
        done = audit(advisories.url, tmp_path)

    assert done.returncode != 0
    assert "httpx" in done.stdout
    assert "PYSEC-2026-1" in done.stdout


def test_audit_fails_when_one_package_could_not_be_looked_up(tmp_path: Path) -> None:
    with service("tzdata", 503, HARMLESS) as advisories:
        done = audit(advisories.url, tmp_path)

    assert done.returncode != 0
    assert "Not passed: layer" in done.stderr


def test_audit_fails_when_the_service_cannot_be_reached(tmp_path: Path) -> None:
    with service("httpx", 200, HARMLESS) as advisories:
        url = advisories.url

    done = audit(url, tmp_path)

    assert done.returncode != 0
    assert "Not passed: layer" in done.stderr
