"""Every server of the sandbox listens behind the same rule of who may use it."""

import ast
from collections.abc import Iterator
from pathlib import Path

SANDBOX = Path(__file__).parents[2] / "sandbox" / "relay_sandbox"
LISTEN = {
    *("start_server", "create_server", "start_unix_server", "create_unix_server", "make_server"),
    *("HTTPServer", "ThreadingHTTPServer", "TCPServer", "ThreadingTCPServer", "listen"),
    *("run_simple", "ThreadedMotoServer"),
}


def _calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2]


def test_sandbox_listens_in_two_places_which_ask_the_rule() -> None:
    """Whoever listens in a third one asks it there, too: `http/access.py`."""
    calls = {path: set(_calls(path)) for path in sorted(SANDBOX.rglob("*.py"))}
    listening = {path for path in calls if calls[path] & LISTEN}

    assert {path.relative_to(SANDBOX).as_posix() for path in listening} == {
        "http/server.py",
        "local_aws/moto_process.py",
    }
    assert all("refusal" in calls[path] for path in listening)
