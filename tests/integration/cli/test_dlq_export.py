"""`relay dlq export`, against queues with dead letters."""

import json
import signal
import stat
from pathlib import Path

from tests.integration.cli.conftest import LocalQueues, Run, dead_letter, lines


def test_dlq_export_writes_a_dead_letter_a_line_and_leaves_all_in_place(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    dead_letters = [dead_letter(number) for number in range(12)]
    ids = queues.put("mobile_dlq", *dead_letters)
    queues.put("web_dlq", dead_letter(99))

    done = run("dlq", "export", "--to", "letters.ndjson", *queues.location)

    assert done.returncode == 0, done.stderr
    assert b"13 dead letters written to letters.ndjson" in done.stdout
    written = lines((tmp_path / "letters.ndjson").read_bytes())
    expected = {id_: json.loads(text) for id_, text in zip(ids, dead_letters, strict=True)}
    mobile = [line for line in written if line["queue"] == "mobile"]
    assert {line["letter_id"] for line in mobile} == set(ids)
    for line in mobile:
        assert line.items() >= expected[line["letter_id"]].items()
    assert stat.S_IMODE((tmp_path / "letters.ndjson").stat().st_mode) == 0o600
    assert queues.count("mobile_dlq") == 12
    assert queues.count("web_dlq") == 1


def test_dlq_export_writes_only_what_is_selected(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    queues.put(
        "mobile_dlq",
        dead_letter(1, reason="account_blocked"),
        dead_letter(2, app_id="id1"),
        dead_letter(3),
    )

    def exported(*options: str) -> list[str]:
        done = run(
            "dlq", "export", "mobile", *options, "--to", "letters", "--force", *queues.location
        )
        assert done.returncode == 0, done.stderr
        return [line["event_id"] for line in lines((tmp_path / "letters").read_bytes())]

    assert exported("--reason", "account_blocked") == ["order-1"]
    assert exported("--app", "id1", "--id", "order-2") == ["order-2"]
    assert exported("--id", "order-4") == []


def test_dlq_export_of_what_sqs_itself_moved_holds_no_raw_value_and_its_original_id(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    event = {"email": "ada@example.com", "phone": "+12025550123", "mail": "ada@example.com"}
    body = json.dumps({"app_id": "w", "kind": "web_visit", "event": event})
    envelope, garbage = queues.crash("web_queue", body), queues.crash("web_queue", event["email"])

    done = run("dlq", "export", "web", "--to", "letters", *queues.location)

    assert done.returncode == 0, done.stderr
    text = (tmp_path / "letters").read_bytes()
    assert {(one["message_id"], one["reason"]) for one in lines(text)} == {
        (envelope, "crashed"),
        (garbage, "not_an_envelope"),
    }
    assert b"ada@example.com" not in text + done.stdout + done.stderr
    assert b"12025550123" not in text


def test_dlq_export_does_not_replace_a_file_without_force(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    (tmp_path / "letters").write_text("mine")
    queues.put("mobile_dlq", dead_letter(1))
    command = ("dlq", "export", "mobile", "--to", "letters", *queues.location)

    refused = run(*command)
    assert refused.returncode == 2
    assert b"--force" in refused.stderr
    assert (tmp_path / "letters").read_text() == "mine"

    assert run(*command, "--force").returncode == 0
    assert len(lines((tmp_path / "letters").read_bytes())) == 1


def test_dlq_export_that_is_interrupted_leaves_no_file_and_nothing_hidden(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(30)])

    with queues.interrupting(signal.SIGTERM, 2):
        done = run("dlq", "export", "mobile", "--to", "letters", *queues.location)

    assert done.returncode == 1
    assert b"stopped before the end" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]
    assert queues.count("mobile_dlq") == 30


def test_dlq_export_lines_are_taken_by_check(run: Run, queues: LocalQueues, tmp_path: Path) -> None:
    """It shows again what was wrong with an event, and its present payload."""
    queues.put("mobile_dlq", dead_letter(1))
    run("dlq", "export", "mobile", "--to", "letters", *queues.location)

    (result,) = lines(run("check", "--ndjson", "letters").stdout)

    assert result["verdict"] == "send"
    assert result["url"].endswith("/inappevent/com.example.shop")
