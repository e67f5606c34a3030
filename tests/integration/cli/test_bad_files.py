"""Invalid files: each command reports them in one sentence, and exits with 2."""

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.integration.cli.conftest import ROOT, LocalQueues, Run, environment
from tests.support.every import Test, every

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


def files(*kinds: Mapping[str, Callable[[Path], None]]) -> Callable[[Test], Test]:
    """One test for all invalid files, which `make` makes."""
    made = {name: make for kind in kinds for name, make in kind.items()}
    return every("make", made.values(), ids=made)


def bad_file(folder: Path, make: Callable[[Path], None]) -> str:
    """An invalid file, alone in a folder."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "file"
    make(path)
    return str(path)


def is_refused(done: subprocess.CompletedProcess[bytes]) -> None:
    """It exited with 2 and one sentence, which holds nothing of the file's content."""
    problem = done.stderr.decode()
    assert done.returncode == 2, problem
    assert problem.startswith("relay: ")
    assert problem.count("\n") == 1
    assert "fault of relay's own" not in problem
    assert SECRET.encode() not in done.stdout + done.stderr


@files(UNREADABLE, NO_JSON, NO_OBJECT)
def test_check_of_a_bad_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    is_refused(run("check", bad_file(tmp_path, make)))


@files(UNREADABLE)
def test_check_ndjson_of_an_unreadable_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    is_refused(run("check", "--ndjson", bad_file(tmp_path, make)))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux's")
@every("options", [[], ["--ndjson"]])
def test_check_of_a_file_that_fails_while_it_is_read_says_so(run: Run, options: list[str]) -> None:
    is_refused(run("check", "/proc/self/mem", *options))


CANNOT_BE_SENT = {
    "half a character": b'{"app_id": "id1", "kind": "mobile_event", "event": {"a": "\\ud800"}}',
    "half a character as app": b'{"app_id": "\\ud800", "kind": "mobile_event", "event": {}}',
    "huge number": b'{"app_id": "id1", "kind": "mobile_event", "event": {"a": 1e999999}}',
    "keys twice": b'{"app_id": "id1", "app_id": 5, "kind": "mobile_event", "event": {}}',
    "records": b'{"Records": [1, null, {"body": 5}, {"body": "{"}, {"body": "\\ud800"}]}',
}


@pytest.mark.parametrize("command", ["check", "send"])
@every("content", CANNOT_BE_SENT.values(), ids=CANNOT_BE_SENT)
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
    is_refused(run("send", bad_file(tmp_path, make), *queues.location))


def test_send_over_http_leaves_out_what_cannot_be_a_header_and_sends_the_rest(
    run: Run, tmp_path: Path
) -> None:
    """A line break in an event id must not become a header of its own."""
    envelope = {"app_id": "w", "kind": "web_visit", "event": {}, "event_id": "1\r\nHost: x"}
    (tmp_path / "file").write_text(json.dumps(envelope))

    done = run("send", "file", "--api", "http://127.0.0.1:1", env={"RELAY_PRODUCER_TOKEN": "t"})

    assert done.returncode == 1
    assert b"its event id cannot go over HTTP" in done.stdout


@every("url", ["http://[", "http://127.0.0.1:1/a b", "nonsense", "ftp://x/"])
def test_send_to_what_is_no_address_says_so(run: Run, tmp_path: Path, url: str) -> None:
    (tmp_path / "file").write_text('{"app_id": "w", "kind": "web_visit", "event": {}}')

    is_refused(run("send", "file", "--api", url, env={"RELAY_PRODUCER_TOKEN": "t"}))


@files(A_FEW)
def test_payments_explain_of_a_bad_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    is_refused(run("payments", "explain", bad_file(tmp_path, make)))


@files(A_FEW)
def test_payments_explain_with_bad_rules_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    rules = bad_file(tmp_path, make)

    is_refused(run("payments", "explain", str(WEBHOOK), "--rules", rules))


def test_payments_explain_with_an_app_that_is_none_says_so(run: Run) -> None:
    is_refused(run("payments", "explain", str(WEBHOOK), "--mobile-app", ""))


@files(A_FEW)
def test_dlq_with_a_bad_ready_file_says_so(
    run: Run, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    is_refused(run("dlq", "list", "--ready-file", bad_file(tmp_path, make)))


@every("change", [{"mobile_dlq": 5}, {"aws": None}, {"aws": "nonsense"}])
def test_dlq_with_a_ready_file_of_wrong_values_says_so(
    run: Run, queues: LocalQueues, tmp_path: Path, change: Mapping[str, object]
) -> None:
    ready = json.loads(queues.ready_file.read_text())
    (tmp_path / "wrong").write_text(json.dumps({**ready, **change}))

    is_refused(run("dlq", "list", "--ready-file", "wrong"))


@every("url", ["http://[", "http://127.0.0.1:1/queue"])
def test_dlq_of_what_is_no_queue_says_so(run: Run, url: str) -> None:
    is_refused(run("dlq", "list", "--queue", url))


@every("rate", ["nan", "inf", "-1", "0", "x"])
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
    sample = Path(bad_file(tmp_path, make))
    sample.rename(sample.with_name("accept_something.json"))

    is_refused(run("demo", "--once", "--samples", str(sample.parent)))


# What a process has no output or input for, from its start on.

_EACH = """
import os, sys
from relay_cli.main import app
for arguments in sys.argv[1:]:
    if not os.fork():
        app(arguments.split())
    print(os.waitstatus_to_exitcode(os.wait()[1]), file=sys.stderr)
"""


@pytest.fixture
def good_file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text('{"app_id": "w", "kind": "web_visit", "event": {}}')
    return path


def _said_in_shell(redirection: str, *commands: str) -> list[str]:
    """What a process that is started so says of each command: a sentence, then its exit code."""
    program = shlex.join([sys.executable, "-c", _EACH, *commands])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{program} {redirection}"],
        capture_output=True,
        env=environment(),
        timeout=120,
        check=True,
    )
    assert not done.stdout
    return done.stderr.decode().splitlines()


def test_check_of_a_closed_standard_input_says_so() -> None:
    said = _said_in_shell("<&-", "check -", "check --ndjson -")

    assert said == ["relay: standard input is closed: there is nothing to read", "2"] * 2


def test_check_with_a_closed_standard_output_says_so(good_file: Path) -> None:
    said = _said_in_shell(">&-", f"check {good_file}", "check --ndjson /dev/null")

    assert said == [
        "relay: standard output or standard error is closed: there is nowhere to write",
        "2",
        "relay: standard output is closed: there is nowhere to write",
        "2",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux's")
def test_check_whose_output_does_not_fit_says_so(good_file: Path) -> None:
    said = _said_in_shell(">/dev/full", f"check {good_file}", f"check --ndjson {good_file}")

    assert said == ["relay: this cannot be done: No space left on device", "2"] * 2
