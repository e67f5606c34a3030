"""`relay check --ndjson` in its own process: every test case, any line, and a waiting pipe."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from relay.exact_json import loads
from tests.integration.cli.conftest import RELAY, ROOT, Run, environment, lines

CASES = ROOT / "tests" / "data" / "appsflyer_events.ndjson"
GOOD = {
    "id": "good",
    "kind": "web_visit",
    "app_id": "website-www.example.com",
    "event": {
        "user_id": {"customer_user_id": "u-1"},
        "event_url": "https://www.example.com/",
    },
}
MIB = 1_048_576


def _checked(run: Run, *given: bytes) -> Sequence[dict[str, Any]]:
    done = run("check", "--ndjson", "-", stdin=b"\n".join(given))

    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return lines(done.stdout)


def _parsed(body: str | None) -> Any:
    """A payload with its stringified fields parsed, in the form of the test cases."""
    if body is None:
        return None
    stringified = ("eventValue", "custom_data")
    return {
        name: loads(value) if name in stringified and value else value
        for name, value in loads(body).items()
    }


def test_check_ndjson_gives_what_every_case_expects(run: Run) -> None:
    done = run("check", "--ndjson", str(CASES))

    cases = [loads(line) for line in CASES.read_bytes().splitlines()]
    results = [loads(line) for line in done.stdout.splitlines()]
    assert len(cases) == 834
    assert [result["id"] for result in results] == [case["id"] for case in cases]
    for case, result in zip(cases, results, strict=True):
        expected = case["expect"]
        found = {(finding["severity"], finding["rule"]) for finding in result["findings"]}
        recorded = result["recorded"] or {}
        assert result["verdict"] == expected["verdict"], case["id"]
        assert result["url"] == expected["url"], case["id"]
        assert _parsed(result["body"]) == expected["body"], case["id"]
        assert found == set(map(tuple, expected["findings"])), case["id"]
        assert {"time": recorded.get("time"), **(expected.get("recorded") or {})} == {
            "time": None, **recorded
        }, case["id"]  # fmt: skip
        assert result["deadline"] == expected.get("deadline"), case["id"]
        for name, text in (expected.get("strings") or {}).items():
            assert json.loads(result["body"])[name] == text, case["id"]


def test_check_ndjson_says_which_time_is_recorded_and_until_when(run: Run) -> None:
    event = {**GOOD["event"], "timestamp": 1795348740000}  # type: ignore[dict-item]
    line = {**GOOD, "event": event, "arrival": "2026-11-22T12:00:00.000Z"}

    (result,) = _checked(run, json.dumps(line).encode())

    assert result["recorded"] == {
        "time": "2026-11-22T11:59:00.000Z",
        "source": "event",
        "rule": "T7",
    }
    assert result["deadline"] == "2026-11-23T00:30:00.000Z"


def test_check_ndjson_stamps_nothing_and_knows_no_event_id(run: Run) -> None:
    (result,) = _checked(run, json.dumps(GOOD).encode())

    assert json.loads(result["body"]) == GOOD["event"]
    assert result["recorded"]["rule"] == "T6"
    assert result["deadline"] is None


MALFORMED = {
    "not JSON": b"{",
    "no object": b"[1, 2]",
    "a string": b'"secret"',
    "blank": b"  ",
    "empty object": b"{}",
    "unknown kind": json.dumps({**GOOD, "kind": "secret"}).encode(),
    "kind of a wrong type": json.dumps({**GOOD, "kind": ["secret"]}).encode(),
    "missing app id": b'{"id": "good", "kind": "web_visit", "event": {}}',
    "app id of a wrong type": json.dumps({**GOOD, "app_id": 4711}).encode(),
    "missing event": b'{"id": "good", "kind": "web_visit", "app_id": "w"}',
    "event of a wrong type": json.dumps({**GOOD, "event": "secret"}).encode(),
    "bad time zone": json.dumps({**GOOD, "time_zone": "../secret"}).encode(),
    "time zone of a wrong type": json.dumps({**GOOD, "time_zone": ["secret"]}).encode(),
    "bad arrival": json.dumps({**GOOD, "arrival": "secret"}).encode(),
    "arrival of a wrong type": json.dumps({**GOOD, "arrival": 4711}).encode(),
    "region of a wrong type": json.dumps({**GOOD, "phone_region": {"secret": 1}}).encode(),
    "id of a wrong type": json.dumps({**GOOD, "id": {"secret": 1}}).encode(),
    "NUL": b'{"id": "secret\x00"}',
    "invalid UTF-8": b'{"id": "secret\xff"}',
    "huge number as id": b'{"id": 1e999999999, "kind": "secret"}',
    "huge number in the event": json.dumps(GOOD).encode().replace(b'"u-1"', b"1e999999999"),
    "nested deeply": b'{"event": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested deeply, well formed": json.dumps(GOOD)
    .encode()
    .replace(b'"u-1"', b"[" * 400 + b"]" * 400),
    "longer than any message": b'"' + b"secret" * (MIB // 6 + 1) + b'"',
    "several megabytes": b'{"secret": "' + b"x" * (3 * MIB) + b'"}',
    "lone surrogate": b'{"id": "good", "kind": "\\ud800"}',
}


@pytest.fixture(scope="module")
def malformed() -> Mapping[str, tuple[Any, Any]]:
    """The results of each malformed line and of a good line after it, from a single stream."""
    good = json.dumps(GOOD).encode()
    stream = b"".join(line + b"\n" + good + b"\n" for line in MALFORMED.values())
    done = subprocess.run(
        [RELAY, "check", "--ndjson", "-"],
        input=stream,
        capture_output=True,
        env=environment(),
        check=True,
    )
    results = iter(lines(done.stdout))
    assert done.stderr == b""
    return dict(zip(MALFORMED, zip(results, results, strict=True), strict=True))


@pytest.mark.parametrize("name", list(MALFORMED))
def test_check_ndjson_malformed_line_is_rejected_and_the_next_one_is_checked(
    name: str, malformed: Mapping[str, tuple[Any, Any]]
) -> None:
    result, following = malformed[name]

    assert result["verdict"] == "reject"
    assert result["findings"]
    for finding in result["findings"]:
        assert finding.keys() == {"rule", "severity", "field", "message"}
    assert (result["url"], result["body"], result["deadline"]) == (None,) * 3
    assert result["id"] in (None, "good")
    assert "secret" not in json.dumps(result)
    assert following["verdict"] == "send"


def test_check_ndjson_last_line_without_newline_and_byte_order_mark_are_read(run: Run) -> None:
    line = json.dumps(GOOD).encode()

    results = _checked(run, b"\xef\xbb\xbf" + line, line + b"\r", line)

    assert [result["verdict"] for result in results] == ["send"] * 3


@pytest.mark.parametrize("identity", ["text", 7, -1.5, None, "", "\ud800"])
def test_check_ndjson_id_comes_back_as_given(identity: object, run: Run) -> None:
    (result,) = _checked(run, json.dumps({**GOOD, "id": identity}).encode())

    assert result["id"] == identity


def test_check_ndjson_of_nothing_says_nothing(run: Run) -> None:
    assert _checked(run) == []


def test_check_ndjson_answers_before_its_input_ends() -> None:
    """A program that writes a line and waits for the result must get it."""
    line = json.dumps(GOOD).encode() + b"\n"
    with subprocess.Popen(
        [RELAY, "check", "--ndjson", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(3):
            process.stdin.write(line)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["verdict"] == "send"
        process.stdin.close()
        assert process.wait() == 0


def test_check_ndjson_reader_that_stops_early_causes_no_error(tmp_path: Path) -> None:
    many = tmp_path / "many.ndjson"
    many.write_bytes(json.dumps(GOOD).encode().join([b"", b"\n"]) * 5_000)
    with subprocess.Popen(
        [RELAY, "check", "--ndjson", str(many)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()

        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_check_ndjson_endless_line_takes_no_more_memory(run: Run) -> None:
    """100 MiB without a newline, with 48 MiB of memory."""
    endless = b"x" * 100 * MIB + b"\n" + json.dumps(GOOD).encode()

    done = run("check", "--ndjson", "-", stdin=endless, memory_mib=48)

    assert [result["verdict"] for result in lines(done.stdout)] == ["reject", "send"], done.stderr
    assert done.returncode == 0


def test_check_ndjson_file_that_is_not_there_is_a_clear_error(run: Run) -> None:
    done = run("check", "--ndjson", "missing.ndjson")

    assert done.returncode == 2
    assert done.stderr == b"relay: missing.ndjson cannot be read: No such file or directory\n"
