"""Every reason of dead letters has words and a cure on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from relay_sandbox.journal.trace import Trace
from relay_sandbox.journal.words import because
from relay_sandbox.page.cures import cure_of

OPERATIONS = Path(__file__).parents[4] / "docs" / "operations.md"


def reasons() -> Iterator[str]:
    """All reasons of the table in docs/operations.md, each as a dead letter may have it."""
    text = OPERATIONS.read_text(encoding="utf-8")
    table = text.partition("\n## Reasons of dead letters")[2].partition("\n## ")[0]
    for row in re.findall(r"^\| (.+?) \|", table, re.MULTILINE)[1:]:
        for written in re.findall(r"`([^`]+)`", row):
            if written != "relay dlq":
                yield written.replace("<n>", "404").replace("<why>", "read_timed_out")


def letter(reason: str, app_id: str = "com.example.shop") -> Trace:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    return Trace("t-1", "mobile_event", "sqs", now, app_id=app_id, reason=reason)


def test_each_reason_of_dead_letters_has_words_and_a_cure() -> None:
    known = [one for one in reasons() if "(" not in one]
    cures = {reason: cure_of(letter(reason)) for reason in known}

    assert len(known) > 25
    assert [reason for reason, cure in cures.items() if not (cure and cure["text"])] == []
    assert [reason for reason in known if because(reason) == reason] == []


def test_a_cure_says_whether_a_redrive_as_it_is_would_help() -> None:
    rejected, used_up = cure_of(letter("rejected")), cure_of(letter("attempts_used_up: status_503"))

    assert rejected is not None
    assert used_up is not None
    assert (rejected["needs_mending"], used_up["needs_mending"]) == (True, False)


def test_what_the_sandbox_can_do_is_a_button_also_after_a_hold() -> None:
    found = [cure_of(letter(reason)) for reason in ("credentials", "hold_limit: account_blocked")]

    assert [cure and cure["action"]["body"] for cure in found] == [
        {"app_id": "com.example.shop", "key": "renew"},
        {"app_id": "com.example.shop", "state": "open"},
    ]


def test_an_unknown_ios_app_is_told_its_id() -> None:
    cure = cure_of(letter("unknown_app", "123456789"))

    assert cure is not None
    assert "id123456789" in cure["text"]


def test_an_unknown_reason_has_no_cure() -> None:
    assert cure_of(letter("something_else")) is None
