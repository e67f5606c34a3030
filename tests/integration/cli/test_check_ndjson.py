"""`relay check --ndjson`: every test case, any line, and a waiting pipe."""

import json
import os
import select
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from relay.exact_json import loads
from tests.integration.cli import here
from tests.integration.cli.conftest import ROOT, Run, environment, lines

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
HANGS_SECONDS = 20


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


def test_check_ndjson_malformed_line_is_rejected_and_the_next_one_is_checked(run: Run) -> None:
    good = json.dumps(GOOD).encode()
    given = [line for bad in MALFORMED.values() for line in (bad, good)]

    results = _checked(run, *given)

    assert len(results) == 2 * len(MALFORMED)
    told = dict(zip(MALFORMED, results[::2], strict=True))
    assert {name: one for name, one in told.items() if not _is_refused(one)} == {}
    assert [one["verdict"] for one in results[1::2]] == ["send"] * len(MALFORMED)


def _is_refused(result: Mapping[str, Any]) -> bool:
    """With a reason, and without anything of the line."""
    names = {"rule", "severity", "field", "message"}
    return (
        result["verdict"] == "reject"
        and bool(result["findings"])
        and all(one.keys() == names for one in result["findings"])
        and result["url"] is result["body"] is result["deadline"] is None
        and result["id"] in {None, "good"}
        and "secret" not in json.dumps(result)
    )


def test_check_ndjson_last_line_without_newline_and_byte_order_mark_are_read(run: Run) -> None:
    line = json.dumps(GOOD).encode()

    results = _checked(run, b"\xef\xbb\xbf" + line, line + b"\r", line)

    assert [result["verdict"] for result in results] == ["send"] * 3


def test_check_ndjson_id_comes_back_as_given(run: Run) -> None:
    identities = ["text", 7, -1.5, None, "", "\ud800"]

    results = _checked(run, *(json.dumps({**GOOD, "id": one}).encode() for one in identities))

    assert [one["id"] for one in results] == identities


def test_check_ndjson_of_nothing_says_nothing(run: Run) -> None:
    assert _checked(run) == []


def test_check_ndjson_answers_before_its_input_ends(tmp_path: Path) -> None:
    """A program that writes a line and waits for the result must get it."""
    line = json.dumps(GOOD).encode() + b"\n"
    (reads, asks), (answers, writes) = os.pipe(), os.pipe()
    told = []

    def program() -> None:
        with os.fdopen(asks, "wb", buffering=0) as questions, os.fdopen(answers, "rb") as results:
            for _ in range(3):
                questions.write(line)
                if not select.select([results], [], [], HANGS_SECONDS)[0]:
                    return
                told.append(json.loads(results.readline())["verdict"])

    thread = Thread(target=program)
    thread.start()
    given = ["check", "--ndjson", "-"]
    done = here.run(given, stdin=reads, stdout=writes, cwd=tmp_path, env=environment())
    thread.join()
    for descriptor in (reads, writes):
        os.close(descriptor)

    assert told == ["send"] * 3
    assert done.returncode == 0


def test_check_ndjson_reader_that_stops_early_causes_no_error(tmp_path: Path) -> None:
    """There are more answers than fit into a pipe."""
    many = tmp_path / "many.ndjson"
    many.write_bytes(json.dumps(GOOD).encode().join([b"", b"\n"]) * 500)

    given = ["check", "--ndjson", str(many)]
    done = here.run_for_one_line(given, cwd=tmp_path, env=environment())

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.xdist_group("integration/cli/test_bad_reports.py")  # which starts what limits memory
def test_check_ndjson_endless_line_takes_no_more_memory(run: Run, tmp_path: Path) -> None:
    """100 MiB without a newline, with 48 MiB of memory."""
    with (tmp_path / "endless").open("wb") as file:
        file.truncate(100 * MIB)  # zeros, which take no room
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + json.dumps(GOOD).encode())

    done = run("check", "--ndjson", "endless", memory_mib=48)

    assert [result["verdict"] for result in lines(done.stdout)] == ["reject", "send"], done.stderr
    assert done.returncode == 0


def test_check_ndjson_file_that_is_not_there_is_a_clear_error(run: Run) -> None:
    done = run("check", "--ndjson", "missing.ndjson")

    assert done.returncode == 2
    assert done.stderr == b"relay: missing.ndjson cannot be read: No such file or directory\n"
