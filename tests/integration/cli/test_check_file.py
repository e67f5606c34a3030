"""`relay check FILE`: exit codes, every form of a file, and the output."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.cli import here
from tests.integration.cli.conftest import RELAY, ROOT, Run, environment
from tests.support.every import every

EVENT = {
    "appsflyer_id": "1415211453000-6513894",
    "eventName": "af_purchase",
    "eventValue": {"af_content": "it's 5 €"},
    "os": "14",
    "bundleIdentifier": "com.example.shop",
    "customer_user_id": "u-1",
    "email": "ada@example.com",
}
BODY = (
    '{"appsflyer_id":"1415211453000-6513894","customer_user_id":"u-1","eventName":"af_purchase",'
    '"eventValue":"{\\"af_content\\":\\"it\'s 5 €\\"}","os":"14",'
    '"bundleIdentifier":"com.example.shop",'
    # printf ada@example.com | sha256sum
    '"email_hashed":"b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"}'
)
STAMPED = BODY.replace('"os":', '"eventTime":"2026-11-22 12:00:00.000","os":')
ENVELOPE = {"app_id": "com.example.shop", "kind": "mobile_event", "event": EVENT}
BAD = {"app_id": "123456789", "kind": "mobile_event", "event": EVENT}


def _file(folder: Path, content: Any) -> str:
    path = folder / "file.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def _http_event(body: Any, **more: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "accept_mobile_event.json").read_text())
    return {**event, "body": json.dumps(body), **more}


FORMS: dict[str, tuple[Any, int]] = {
    "an envelope": (ENVELOPE, 1),
    "an array of envelopes": ([ENVELOPE, ENVELOPE], 2),
    "what SNS delivers": ({"Type": "Notification", "Message": json.dumps(ENVELOPE)}, 1),
    "JSON made text twice": (json.dumps(json.dumps(ENVELOPE)), 1),
    "an SQS event with an array": ({"Records": [{"body": json.dumps([ENVELOPE, ENVELOPE])}]}, 2),
    "an SQS event": ({"Records": [{"body": json.dumps(ENVELOPE)}]}, 1),
    "an HTTP API event": (_http_event(EVENT), 1),
    "an HTTP API event with an array": (_http_event([EVENT, EVENT]), 2),
    "a line-object": ({**ENVELOPE, "id": "1", "arrival": "2026-11-22T12:00:00Z"}, 1),
}


@every("content, events", FORMS.values(), ids=FORMS)
def test_check_shows_the_exact_payload_of_every_form_of_a_file(
    content: Any, events: int, run: Run, tmp_path: Path
) -> None:
    done = run("check", "--as-is", _file(tmp_path, content))

    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().count(f"\n{BODY}\n") == events


def test_check_shows_what_its_entry_adds_and_when(run: Run, tmp_path: Path) -> None:
    done = run("check", _file(tmp_path, ENVELOPE), "--arrival", "2026-11-22T12:00:00Z")

    shown = done.stdout.decode()
    assert f"\n{STAMPED}\n" in shown
    assert f"{len(STAMPED.encode())} of at most 1,024 bytes" in shown
    assert "came in   2026-11-22 12:00:00.000 UTC  the relay writes this as eventTime" in shown
    assert "recorded  2026-11-22 12:00:00.000 UTC  the time of its coming (T2)" in shown


def test_check_takes_several_files_and_goes_on_behind_a_bad_one(run: Run, tmp_path: Path) -> None:
    good = _file(tmp_path, ENVELOPE)

    done = run("check", good, "missing", good, "--json")

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["place"], one["verdict"]) for one in told] == [(f"{good}, event", "send")] * 2
    assert done.returncode == 2
    assert done.stderr == b"relay: missing cannot be read: No such file or directory\n"


MANY = 200
"""So many that their report fits into no pipe."""


def test_check_into_a_closed_pipe_ends_as_it_would_otherwise(tmp_path: Path) -> None:
    """Of rejected events too, in a process, which Python ends with 120 for what it cannot flush."""
    file = _file(tmp_path, [ENVELOPE] * MANY)
    done = here.run_for_one_line(["check", file], cwd=tmp_path, env=environment())
    assert (done.returncode, done.stderr) == (0, b"")

    file = _file(tmp_path, [BAD] * MANY)
    with subprocess.Popen(
        [RELAY, "check", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()

        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_check_shows_payload_curl_size_and_times_exactly(run: Run, tmp_path: Path) -> None:
    event = {**EVENT, "eventTime": "2026-11-22 11:59:01.123"}
    body = BODY.replace('"os":', '"eventTime":"2026-11-22 11:59:01.123","os":')

    done = run(
        "check",
        _file(tmp_path, {**ENVELOPE, "event": event}),
        "--arrival",
        "2026-11-22T12:00:00Z",
    )

    shown = done.stdout.decode()
    assert f"\n{body}\n" in shown
    assert f"{len(body.encode())} of at most 1,024 bytes" in shown
    assert "recorded  2026-11-22 11:59:01.123 UTC  the event's own time (T2)" in shown
    assert "deadline  2026-11-23 01:59:59.999 UTC  13 h 59 min after the arrival" in shown
    command = shlex.split(shown[shown.index("curl ") :].replace("\\\n", " "))
    assert command[:2] == ["curl", "https://api3.appsflyer.com/inappevent/com.example.shop"]
    assert "authentication: $APPSFLYER_TOKEN" in command
    assert command[-1] == body


def test_check_bare_event_takes_kind_and_app_from_options(run: Run, tmp_path: Path) -> None:
    file = _file(tmp_path, EVENT)

    done = run(
        "check", file, "--kind", "mobile_event", "--app-id", "com.example.shop",
        "--arrival", "2026-11-22T12:00:00Z",
    )  # fmt: skip

    assert done.returncode == 0
    assert STAMPED in done.stdout.decode()


def test_check_reads_standard_input(run: Run) -> None:
    done = run("check", "--as-is", "-", stdin=json.dumps(ENVELOPE).encode())

    assert done.returncode == 0
    assert BODY in done.stdout.decode()


def test_check_takes_zone_and_region_from_options(run: Run, tmp_path: Path) -> None:
    event = {
        "user_id": {"customer_user_id": "u-1"},
        "event_url": "https://www.example.com/",
        "timestamp": 1795388400000,  # 23:00 UTC on 22 November 2026, already the 23rd in Berlin
        "phone": "(202) 555-0143",
    }
    content = {"app_id": "website-www.example.com", "kind": "web_visit", "event": event}

    done = run(
        "check",
        _file(tmp_path, content),
        "--time-zone",
        "Europe/Berlin",
        "--phone-region",
        "US",
        "--arrival",
        "2026-11-23T12:00:00Z",
    )

    # printf 12025550143 | sha256sum
    digest = "c117141ed6aa9255b2be93c99c3ae2c1786cd5fe0a78d382c4de0cbb90c9b486"
    shown = done.stdout.decode()
    assert done.returncode == 0
    assert f'"phone_number_hashed":"{digest}"' in shown
    assert "2026-11-23 23:30:00.000 UTC = 2026-11-24 00:30 Europe/Berlin" in shown


def test_check_rejected_event_ends_with_1_and_names_the_rule(run: Run, tmp_path: Path) -> None:
    done = run("check", _file(tmp_path, [ENVELOPE, BAD]))

    shown = done.stdout.decode()
    assert done.returncode == 1
    assert "E8" in shown
    assert "2 events: 1 would be sent, 1 rejected." in shown


def test_check_event_with_revenue_and_without_id_is_warned(run: Run, tmp_path: Path) -> None:
    event = {**EVENT, "eventValue": {"af_revenue": "1"}, "eventCurrency": "USD"}

    without = run("check", _file(tmp_path, {**ENVELOPE, "event": event})).stdout.decode()
    named = {**ENVELOPE, "event": event, "event_id": "order-1"}
    with_id = run("check", _file(tmp_path, named)).stdout.decode()

    assert "S6" in without
    assert "S6" not in with_id


def test_check_event_id_of_an_envelope_is_sent_as_dedup_id(run: Run, tmp_path: Path) -> None:
    event = {"user_id": {"customer_user_id": "u-1"}, "event_url": "https://www.example.com/"}
    content = {"app_id": "w", "kind": "web_visit", "event": event, "event_id": "visit-1"}

    done = run("check", _file(tmp_path, content))

    assert '"customer_dedup_id":"visit-1"' in done.stdout.decode()


INVALID_FILES = {
    "not JSON": "{secret",
    "not UTF-8": "\udcff",
    "no events": "[]",
    "no records": {"Records": []},
    "a number": "42",
    "an event of an unknown app": EVENT,
    "a route without events": _http_event(EVENT, routeKey="GET /v1/health"),
    "half an HTTP API event": {"routeKey": "secret", "requestContext": {}},
}


@every("content", INVALID_FILES.values(), ids=INVALID_FILES)
def test_check_invalid_file_ends_with_2_and_quotes_nothing(
    content: Any, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "file.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    done = run("check", str(path))

    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"relay: ")
    assert done.stderr.count(b"\n") == 1
    for value in ("secret", "ada@example.com", "1415211453000"):
        assert value not in done.stderr.decode()


def test_check_missing_file_folder_and_bad_options_end_with_2(run: Run, tmp_path: Path) -> None:
    file = _file(tmp_path, ENVELOPE)

    for arguments in (
        ("missing.json",),
        (".",),
        (file, "--time-zone", "Mars/Olympus"),
        (file, "--arrival", "yesterday"),
        (file, "--kind", "mobile_event"),
        (file, "--kind", "push"),
    ):
        assert run("check", *arguments).returncode == 2, arguments


def test_check_lines_without_ndjson_names_the_option(run: Run, tmp_path: Path) -> None:
    line = json.dumps(ENVELOPE)

    done = run("check", _file(tmp_path, f"{line}\n{line}\n"))

    assert b"--ndjson" in done.stderr


def test_check_message_that_is_no_envelope_is_rejected(run: Run, tmp_path: Path) -> None:
    done = run("check", _file(tmp_path, {"Records": [{"body": '{"secret": 1}'}, {}]}))

    assert done.returncode == 1
    assert done.stdout.count(b" REJECT ") == 2


def test_check_names_what_is_no_envelope(run: Run, tmp_path: Path) -> None:
    """As the dead letter would: one reader for both."""
    done = run("check", _file(tmp_path, {"Records": [{"eventSource": "aws:s3", "s3": {}}]}))

    assert done.returncode == 1
    assert "an S3 notification" in " ".join(done.stdout.decode().split())


def test_check_piped_is_free_of_escape_sequences(run: Run, tmp_path: Path) -> None:
    done = run("check", _file(tmp_path, [ENVELOPE, BAD]))

    assert b"\x1b" not in done.stdout


def test_check_event_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    event = {**EVENT, "eventName": "\x1b]0;owned\x07", "x\x1b[31m": 1}

    done = run("check", _file(tmp_path, {**ENVELOPE, "event": event, "app_id": "a\x1b[2J"}))

    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\x07" not in done.stdout


_LOADED = """
import shlex, sys
from relay_cli.main import app
for arguments in sys.argv[1:]:
    try:
        app(shlex.split(arguments))
    except SystemExit:
        heavy = {"boto3", "botocore", "moto", "relay_sandbox", "werkzeug", "httpx"}
        found = sorted(heavy & {name.partition(".")[0] for name in sys.modules})
        print("loaded:", arguments.partition(" ")[0], found)
"""


def test_check_and_help_load_neither_boto3_nor_the_sandbox(tmp_path: Path) -> None:
    arguments = ("--help", f"check {_file(tmp_path, ENVELOPE)}", "check --ndjson -")

    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments], input=b"", capture_output=True, check=True
    )

    told = [line for line in done.stdout.decode().splitlines() if line.startswith("loaded: ")]
    assert told == ["loaded: --help []", "loaded: check []", "loaded: check []"]


def test_relay_version_and_help_name_what_there_is(run: Run) -> None:
    version, help_ = run("--version"), run("--help")

    assert version.stdout.startswith(b"relay ")
    for command in (b"check", b"send", b"dlq", b"sandbox", b"demo", b"Exit codes"):
        assert command in help_.stdout
