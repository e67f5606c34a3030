"""Invalid files: each command reports them in one sentence, and exits with 2."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.integration.cli.conftest import RELAY, ROOT, LocalQueues, Run, environment

SECRET = "ada@example.com"
WEBHOOK = ROOT / "tests" / "data" / "webhooks" / "adyen_refund.json"
MIB = 1024 * 1024


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _huge(path: Path) -> None:
    """4 GiB that use no disk space; reading all of it would exhaust memory."""
    with path.open("wb") as file:
        file.truncate(4 * 1024 * MIB)


def _of(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _missing(_path: Path) -> None:
    """Creates nothing."""


UNREADABLE: Mapping[str, Callable[[Path], None]] = {
    "missing": _missing,
    "folder": _folder,
    "loop of links": _loop,
}
NO_JSON: Mapping[str, Callable[[Path], None]] = {
    "empty": _of(b""),
    "binary": _of(bytes(range(256)) * 16),
    "NUL": _of(bytes(4096)),
    "huge": _huge,
    "cut off": _of(b'{"email": "' + SECRET.encode()),
    "UTF-16": _of(json.dumps({"email": SECRET}).encode("utf-16")),
    "Latin-1": _of(f'{{"é": "{SECRET}"}}'.encode("latin-1")),
    "arrays nested deeply": _of(b"[" * 200_000 + b"]" * 200_000),
    "objects nested deeply": _of(b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
    "number beyond all bounds": _of(b'{"a": 1e9999999999999999999}'),
}
NO_OBJECT: Mapping[str, Callable[[Path], None]] = {
    "number": _of(b"17"),
    "text": _of(json.dumps(SECRET).encode()),
    "null": _of(b"null"),
    "array": _of(json.dumps([SECRET]).encode()),
}
A_FEW = {
    name: make
    for name, make in {**UNREADABLE, **NO_JSON, **NO_OBJECT}.items()
    if name in ("folder", "binary", "huge", "objects nested deeply", "array")
}
"""A selection for commands that share their file handling with one that is tested with all."""


def files(*kinds: Mapping[str, Callable[[Path], None]]) -> pytest.MarkDecorator:
    """Parametrises `make` with invalid files."""
    made = {name: make for kind in kinds for name, make in kind.items()}
    return pytest.mark.parametrize("make", list(made.values()), ids=list(made))


def is_refused(done: subprocess.CompletedProcess[bytes]) -> None:
    """It exited with 2 and one sentence, which holds nothing of the file's content."""
    problem = done.stderr.decode()
    assert done.returncode == 2, problem
    assert problem.startswith("relay: ")
    assert problem.count("\n") == 1
    assert "fault of relay's own" not in problem
    assert SECRET.encode() not in done.stdout + done.stderr


def _in_shell(command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", f"{RELAY} {command}"],
        capture_output=True,
        env=environment(),
        timeout=120,
        check=False,
    )


@files(UNREADABLE, NO_JSON, NO_OBJECT)
def test_check_of_a_bad_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "file")

    is_refused(run("check", "file"))


@files(UNREADABLE)
def test_check_ndjson_of_an_unreadable_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "file")

    is_refused(run("check", "--ndjson", "file"))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux's")
@pytest.mark.parametrize("options", [[], ["--ndjson"]])
def test_check_of_a_file_that_fails_while_it_is_read_says_so(run: Run, options: list[str]) -> None:
    is_refused(run("check", "/proc/self/mem", *options))


@pytest.mark.parametrize(
    "content",
    [
        b'{"app_id": "id1", "kind": "mobile_event", "event": {"a": "\\ud800"}}',
        b'{"app_id": "\\ud800", "kind": "mobile_event", "event": {}}',
        b'{"app_id": "id1", "kind": "mobile_event", "event": {"a": 1e999999}}',
        b'{"app_id": "id1", "app_id": 5, "kind": "mobile_event", "event": {}}',
        b'{"Records": [1, null, {"body": 5}, {"body": "{"}, {"body": "\\ud800"}]}',
    ],
    ids=["half a character", "half a character as app", "huge number", "keys twice", "records"],
)
@pytest.mark.parametrize("command", ["check", "send"])
def test_event_that_cannot_be_sent_is_a_finding(
    run: Run, queues: LocalQueues, tmp_path: Path, command: str, content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    location = queues.location if command == "send" else ()

    done = run(command, "file", *location)

    assert done.returncode == 1, done.stderr
    assert done.stderr == b""
    assert b"reject" in done.stdout


@files(A_FEW)
def test_send_of_a_bad_file_says_so(
    run: Run, queues: LocalQueues, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "file")

    is_refused(run("send", "file", *queues.location))


def test_send_over_http_leaves_out_what_cannot_be_a_header_and_sends_the_rest(
    run: Run, tmp_path: Path
) -> None:
    """A line break in an event id must not become a header of its own."""
    envelope = {"app_id": "w", "kind": "web_visit", "event": {}, "event_id": "1\r\nHost: x"}
    (tmp_path / "file").write_text(json.dumps(envelope))

    done = run("send", "file", "--api", "http://127.0.0.1:1", env={"RELAY_PRODUCER_TOKEN": "t"})

    assert done.returncode == 1
    assert b"its event id cannot go over HTTP" in done.stdout


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:1/a b", "nonsense", "ftp://x/"])
def test_send_to_what_is_no_address_says_so(run: Run, tmp_path: Path, url: str) -> None:
    (tmp_path / "file").write_text('{"app_id": "w", "kind": "web_visit", "event": {}}')

    is_refused(run("send", "file", "--api", url, env={"RELAY_PRODUCER_TOKEN": "t"}))


@files(A_FEW)
def test_payments_explain_of_a_bad_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "file")

    is_refused(run("payments", "explain", "file"))


@files(A_FEW)
def test_payments_explain_with_bad_rules_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "file")

    is_refused(run("payments", "explain", str(WEBHOOK), "--rules", "file"))


def test_payments_explain_with_an_app_that_is_none_says_so(run: Run) -> None:
    is_refused(run("payments", "explain", str(WEBHOOK), "--mobile-app", ""))


@files(A_FEW)
def test_dlq_with_a_bad_ready_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "file")

    is_refused(run("dlq", "list", "--ready-file", "file"))


@pytest.mark.parametrize("change", [{"mobile_dlq": 5}, {"aws": None}, {"aws": "nonsense"}])
def test_dlq_with_a_ready_file_of_wrong_values_says_so(
    run: Run, queues: LocalQueues, change: Mapping[str, object]
) -> None:
    ready = json.loads(queues.ready_file.read_text())
    queues.ready_file.write_text(json.dumps({**ready, **change}))

    is_refused(run("dlq", "list", *queues.location))


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:1/queue"])
def test_dlq_of_what_is_no_queue_says_so(run: Run, url: str) -> None:
    is_refused(run("dlq", "list", "--queue", url))


@pytest.mark.parametrize("rate", ["nan", "inf", "-1", "0", "x"])
def test_dlq_redrive_at_a_rate_that_is_none_is_refused(
    run: Run, queues: LocalQueues, rate: str
) -> None:
    done = run("dlq", "redrive", "--rate", rate, *queues.location)

    assert done.returncode == 2
    assert b"--rate" in done.stderr
    assert b"Traceback" not in done.stderr


def test_forget_of_an_empty_id_is_refused(run: Run, queues: LocalQueues) -> None:
    """An empty id, such as from an unset variable, must not match every empty string."""
    queues.put("mobile_dlq", '{"app_id": "a", "kind": "mobile_event", "event": {"city": ""}}')

    done = run("forget", "", "--yes", *queues.location)

    is_refused(done)
    assert b"which customer is meant?" in done.stderr
    assert queues.count("mobile_dlq") == 1


@files(A_FEW)
def test_demo_with_a_bad_sample_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "samples").mkdir()
    make(tmp_path / "samples" / "accept_something.json")

    is_refused(run("demo", "--once", "--samples", "samples"))


@pytest.mark.parametrize("command", ["check -", "check --ndjson -"])
def test_check_of_a_closed_standard_input_says_so(command: str) -> None:
    is_refused(_in_shell(f"{command} <&-"))


@pytest.mark.parametrize("command", ["check --ndjson /dev/null", "dlq list --queue http://x/"])
def test_command_with_a_closed_standard_output_says_so(command: str) -> None:
    is_refused(_in_shell(f"{command} >&-"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux's")
@pytest.mark.parametrize("options", ["", "--ndjson"])
def test_check_whose_output_does_not_fit_says_so(tmp_path: Path, options: str) -> None:
    (tmp_path / "file").write_text('{"app_id": "w", "kind": "web_visit", "event": {}}')

    is_refused(_in_shell(f"check {options} {tmp_path / 'file'} >/dev/full"))
