"""`make audit`, with an advisory service on this machine that speaks OSV's protocol.

What is proven is that nothing passes that was not looked up; what the world's services say changes.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.audit_lists import LISTS
from tests.support.builders import Json

POLL_SECONDS = 0.01
"""How soon a server notices that it shall end; half a second if nothing is said."""

ROOT = Path(__file__).parents[2]

VULNERABLE: Json = {
    "vulns": [
        {
            "id": "PYSEC-2026-1",
            "summary": "A made-up vulnerability.",
            "affected": [{"package": {"name": "phonenumberslite", "ecosystem": "PyPI"}}],
        }
    ]
}
OFFLINE = 0
"""Instead of a status: the connection is closed without an answer."""


class _Service(ThreadingHTTPServer):
    """Answers about some packages what it is given, nothing known about others; keeps the names."""

    daemon_threads = True

    def __init__(self, answers: Mapping[str, tuple[int, Json]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
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
        status, answer = self.server.answers.get(name, (200, {}))
        if status == OFFLINE:
            self.close_connection = True
            return
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: a test's output is pytest's."""


@contextmanager
def service(answers: Mapping[str, tuple[int, Json]]) -> Iterator[_Service]:
    server = _Service(answers)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(*command: str | Path, service: _Service, cache: Path) -> subprocess.CompletedProcess[str]:
    options = ["-s", "osv", "--osv-url", service.url, "--cache-dir", str(cache)]
    return subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )


def names(requirements: str) -> set[str]:
    lines = (ROOT / requirements).read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if line[:1].isalnum()}


def test_audit_fails_for_what_is_vulnerable_and_for_what_could_not_be_looked_up(
    tmp_path: Path,
) -> None:
    """Each in a list that the others are not in, two as the last: all packages are asked about."""
    layer = names("layers/relay/requirements.txt")
    answers = {
        "phonenumberslite": (200, VULNERABLE),
        "xmltodict": (503, {}),
        "wheel": (OFFLINE, {}),
    }
    with service(answers) as advisories:
        done = run(ROOT / "scripts" / "audit", service=advisories, cache=tmp_path)

    assert done.returncode == 1
    assert "phonenumberslite" in done.stdout
    assert "PYSEC-2026-1" in done.stdout
    assert "Not passed: layer development sam-cli" in done.stderr
    assert len(layer) > 10
    assert layer | {"pytest", "moto", "aws-sam-cli", "pip-audit"} <= advisories.asked
    assert answers.keys() <= advisories.asked


def test_audit_passes_when_the_service_knows_of_nothing(tmp_path: Path) -> None:
    """Lists of one package, in a version of its own each."""
    for version, name in enumerate(LISTS):
        (tmp_path / name).write_text(f"made-up=={version} --hash=sha256:{'0' * 64}\n")

    with service({}) as advisories:
        command = (sys.executable, "-m", "scripts.audit_lists", tmp_path)
        done = run(*command, service=advisories, cache=tmp_path / "cache")

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("No known vulnerabilities found") == len(LISTS)
    assert "certificate authorities: certifi" in done.stderr
    assert advisories.asked == {"made-up"}
