"""Dead letters as lines, and the file for them."""

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from relay.exact_json import loads
from relay_cli.dlq.dead_letter import parse_dead_letter
from relay_cli.dlq.export import line_of, new_file
from relay_cli.terminal.errors import CliError
from tests.support.dead_letters import ENVELOPE, RELAY_FIELDS, message

RAW = "ada@example.com"


def _line(content: Any, message_id: str = "message-1") -> Any:
    line = line_of(parse_dead_letter(message(content, message_id)), "mobile")
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    return loads(line)


# Lines


def test_line_holds_all_that_the_relay_wrote_and_its_message_id() -> None:
    dead_letter = {
        **ENVELOPE,
        **RELAY_FIELDS,
        "event_id": "order-1",
        "attempts": 11,
        "status": 500,
        "message": "Internal Server Error",
        "findings": [{"rule": "M12", "severity": "warn", "field": "os", "message": "is missing"}],
        "first_seen": "2026-11-20T00:00:00.000Z",
        "deadline": "2026-11-21T01:59:59.999Z",
    }

    assert _line(dead_letter) == {"queue": "mobile", "letter_id": "message-1", **dead_letter}


def test_line_keeps_numbers_to_the_digit() -> None:
    body = json.dumps({**ENVELOPE, **RELAY_FIELDS}).replace('"a"', "123456789012345678901.4990")

    assert b"123456789012345678901.4990" in line_of(parse_dead_letter(message(body)), "mobile")


def test_line_of_what_sqs_itself_moved_has_its_original_id_and_is_hashed() -> None:
    event = {"eventName": "af_login", "email": RAW, "e_mail": RAW, "phone": "202 555 0123"}
    findings = [{"rule": RAW}]

    line = _line({**ENVELOPE, "event": event, "findings": findings, "reason": RAW}, "original-1")

    assert (line["reason"], line["message_id"]) == ("crashed", "original-1")
    assert line["event_id"] == "original-1"
    assert line["first_seen"] == "2026-11-22T12:00:00.000Z"
    assert line["event"]["email_hashed"] == hashlib.sha256(RAW.encode()).hexdigest()
    assert RAW not in json.dumps(line)
    assert "202 555 0123" not in json.dumps(line)


def test_line_of_what_sqs_itself_moved_keeps_the_events_own_id() -> None:
    line = _line({**ENVELOPE, "event_id": "order-1"}, "original-1")

    assert (line["event_id"], line["message_id"]) == ("order-1", "original-1")


@pytest.mark.parametrize("body", [RAW, json.dumps({"email": RAW}), f'{{"event": "{RAW}'])
def test_line_of_a_body_without_an_envelope_is_its_digest(body: str) -> None:
    assert _line(body) == {
        "queue": "mobile",
        "letter_id": "message-1",
        "reason": "not_an_envelope",
        "message_id": "message-1",
        "bytes": len(body),
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
    }


def test_line_of_half_a_character_is_a_digest_instead() -> None:
    body = json.dumps({**ENVELOPE, **RELAY_FIELDS, "message": "\ud800" + RAW})

    line = _line(body)

    assert line["sha256"] == hashlib.sha256(body.encode()).hexdigest()
    assert RAW not in json.dumps(line)


def test_line_of_a_crashed_notice_holds_the_webhooks_content() -> None:
    notice = {
        "provider": "stripe",
        "source": "shop",
        "sha256": "0" * 64,
        "id": "evt_1",
        "type": "invoice.paid",
        "content": {"amount_paid": 499},
        "first_seen": "2026-11-22T11:00:00.000Z",
    }

    line = _line(notice, "original-1")

    assert {**notice, "reason": "crashed", "message_id": "original-1"}.items() <= line.items()


# The file


def _write(
    path: Path, *, force: bool = False, meanwhile: Callable[[], object] = lambda: None
) -> None:
    with new_file(path, force=force) as file:
        file.write(b"new\n")
        meanwhile()


def _stopped() -> NoReturn:
    raise KeyboardInterrupt


def test_new_file_is_readable_by_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        _write(tmp_path / "letters")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "letters").stat().st_mode) == 0o600
    assert (tmp_path / "letters").read_bytes() == b"new\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_new_file_replaces_an_older_one_only_with_force(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    path.write_text("old\n")
    path.chmod(0o644)

    with pytest.raises(CliError, match="--force"):
        _write(path, meanwhile=_stopped)  # not reached
    assert path.read_text() == "old\n"

    _write(path, force=True)
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_new_file_does_not_replace_one_that_was_made_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "letters"

    with pytest.raises(CliError, match="--force"):
        _write(path, meanwhile=lambda: path.write_text("somebody else's"))

    assert path.read_text() == "somebody else's"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("force", [False, True])
def test_new_file_that_is_not_finished_leaves_things_as_they_were(
    tmp_path: Path,
    force: bool,  # noqa: FBT001
) -> None:
    path = tmp_path / "letters"
    if force:
        path.write_text("old\n")

    with pytest.raises(KeyboardInterrupt):
        _write(path, force=force, meanwhile=_stopped)

    assert [one.read_text() for one in tmp_path.iterdir()] == (["old\n"] if force else [])


@pytest.mark.parametrize("kind", ["directory", "link", "dangling link", "pipe"])
def test_new_file_replaces_only_a_plain_file(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "letters", tmp_path / "other"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(other)
        if kind == "link":
            other.write_text("old\n")

    with pytest.raises(CliError, match="no plain file"):
        _write(path, force=True)

    assert path.is_symlink() == kind.endswith("link")
    assert not other.exists() or other.read_text() == "old\n"


def test_new_file_is_not_standard_output() -> None:
    with pytest.raises(CliError, match="give its name"):
        _write(Path("-"))


@pytest.mark.parametrize("path", ["missing/letters", "file/letters", "x" * 300])
def test_new_file_where_none_can_be_says_so(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CliError, match="cannot be written"):
        _write(tmp_path / path)
