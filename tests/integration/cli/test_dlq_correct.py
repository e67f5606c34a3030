"""`relay dlq edit` and `resubmit`, and what `list` and `redrive` say of letters to correct."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import (
    LocalQueues,
    Run,
    dead_letter,
    in_terminal,
    lines,
)

M1 = {"rule": "M1", "severity": "reject", "field": "appsflyer_id", "message": "is missing"}
BAD = {"eventName": "af_login", "email_hashed": "0" * 64}
CORRECT = 'event["appsflyer_id"] = "1415211453000-6513894"'


def rejected(number: int, **more: Any) -> str:
    return dead_letter(
        number, reason="rejected", outcome="rejected", event=BAD, findings=[M1], attempts=0, **more
    )


def editor(folder: Path, statement: str) -> dict[str, str]:
    """An editor that carries out a statement on `event`; `text` is what it writes."""
    program = folder / "editor.py"
    program.write_text(
        "import json, pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "event = json.loads(path.read_text())\n"
        "text = None\n"
        f"{statement}\n"
        "path.write_text(json.dumps(event) if text is None else text)\n"
    )
    return {"EDITOR": shlex.join([sys.executable, "-S", str(program)])}


def test_dlq_list_shows_letters_by_rule_and_one_by_one(run: Run, queues: LocalQueues) -> None:
    m4 = {**M1, "rule": "M4", "field": "eventValue.af_revenue"}
    (letter_id, *_) = queues.put("mobile_dlq", rejected(1), rejected(2), dead_letter(3))
    queues.put("mobile_dlq", dead_letter(4, reason="rejected", findings=[M1, m4]))

    shown = run("dlq", "list", "mobile", *queues.location).stdout.decode()
    each = run("dlq", "list", "mobile", "--letters", *queues.location).stdout.decode()
    (counts,) = lines(run("dlq", "list", "mobile", "--json", *queues.location).stdout)
    told = lines(
        run("dlq", "list", "mobile", "--letters", "--json", "--rule", "M4", *queues.location).stdout
    )

    assert "3   M1     appsflyer_id" in shown
    assert (counts["dead_letters"], counts["rules"]) == (4, {"M1": 3, "M4": 1})
    for text in ("order-1", letter_id, "M1 appsflyer_id", "M4 eventValue.af_revenue", "order-3"):
        assert text in each
    assert [(one["event_id"], one["rules"], one["fields"]) for one in told] == [
        ("order-4", ["M1", "M4"], ["appsflyer_id", "eventValue.af_revenue"])
    ]


def test_dlq_edit_sends_what_the_editor_wrote_and_deletes_the_letter(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    queues.put("mobile_dlq", rejected(1), rejected(2))

    done = run("dlq", "edit", "order-1", *queues.location, env=editor(tmp_path, CORRECT))

    assert done.returncode == 0, done.stderr
    assert b"1 sent" in done.stdout
    assert b"M1  appsflyer_id" in done.stderr
    (sent,) = queues.bodies("mobile_queue")
    assert sent["event_id"] == "order-1"
    assert sent["event"]["appsflyer_id"] == "1415211453000-6513894"
    assert queues.count("mobile_dlq") == 1


NOTHING_SENT = {
    "the editor fails": ("sys.exit(3)", "ended with 3", False),
    "nothing was changed": ("pass", "nothing was changed", False),
    "no JSON": ('text = "{secret"', "the event is not JSON", True),
    "still rejected": ('event["os"] = "secret"', "still breaks a rule", True),
}


@pytest.mark.parametrize(
    ("statement", "problem", "is_kept"), list(NOTHING_SENT.values()), ids=list(NOTHING_SENT)
)
def test_dlq_edit_that_is_not_right_loses_neither_letter_nor_text(
    statement: str, problem: str, *, is_kept: bool, run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    queues.put("mobile_dlq", rejected(1))
    env = {**editor(tmp_path, statement), "TMPDIR": str(tmp_path)}

    done = run("dlq", "edit", "order-1", *queues.location, env=env)

    assert done.returncode == 1
    assert problem in done.stderr.decode()
    assert "Nothing is sent, the letter stays." in done.stderr.decode()
    assert "secret" not in done.stderr.decode()
    assert (queues.count("mobile_queue"), queues.count("mobile_dlq")) == (0, 1)
    kept = list(tmp_path.glob("relay-edit-*/event.json"))
    assert bool(kept) is is_kept
    for path in kept:
        assert str(path) in done.stderr.decode()
        assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0


def test_dlq_edit_goes_on_with_a_text_that_was_kept(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    queues.put("mobile_dlq", rejected(1))
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({**BAD, "eventName": "af_share"}))
    command = ("dlq", "edit", "order-1", "--from", str(kept), "--json", *queues.location)

    done = run(*command, env=editor(tmp_path, CORRECT))

    assert [one["result"] for one in lines(done.stdout)] == ["sent"]
    (sent,) = queues.bodies("mobile_queue")
    assert sent["event"]["eventName"] == "af_share"


def test_dlq_edit_of_what_cannot_be_edited_says_what_to_do(run: Run, queues: LocalQueues) -> None:
    digest = rejected(7, sha256="0" * 64)
    queues.put("mobile_dlq", rejected(1), rejected(1), digest)
    env = {"EDITOR": "true"}

    twice = run("dlq", "edit", "order-1", *queues.location, env=env)
    gone = run("dlq", "edit", "order-9", *queues.location, env=env)
    only_digest = run("dlq", "edit", "order-7", *queues.location, env=env)
    no_editor = run("dlq", "edit", "order-7", *queues.location, env={"EDITOR": "", "VISUAL": ""})

    assert (twice.returncode, gone.returncode) == (2, 1)
    assert b"2 dead letters have the id order-1" in twice.stderr
    assert b"must send it again" in only_digest.stderr
    assert b"Set EDITOR" in no_editor.stderr
    assert queues.count("mobile_dlq") == 3


def test_dlq_resubmit_takes_an_export_corrected_with_a_tool_and_again(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    visit = {"user_id": {"customer_user_id": "u"}, "event_url": "https://www.example.com/"}
    queues.put("mobile_dlq", rejected(1), rejected(2), dead_letter(3))
    queues.put("web_dlq", dead_letter(4, kind="web_visit", event=visit, app_id="website-www"))
    run("dlq", "export", "--to", "letters", *queues.location)
    exported = lines((tmp_path / "letters").read_bytes())
    for one in exported[:1]:
        one["event"]["appsflyer_id"] = "1415211453000-6513894"
    (tmp_path / "letters").write_text("\n".join(json.dumps(one, indent=1) for one in exported))

    first = run("dlq", "resubmit", "letters", *queues.location)
    again = run("dlq", "resubmit", "letters", "--json", *queues.location)

    assert first.returncode == again.returncode == 1
    assert b"3 sent" in first.stdout
    assert b"order-2  still breaks a rule" in first.stdout
    assert [one["result"] for one in lines(again.stdout)] == [
        "no_letter", "left", "no_letter", "no_letter",
    ]  # fmt: skip
    mobile, web = queues.bodies("mobile_queue"), queues.bodies("web_queue")
    assert sorted(one["event_id"] for one in mobile + web) == ["order-1", "order-3", "order-4"]
    assert (queues.count("mobile_dlq"), queues.count("web_dlq")) == (1, 0)


def test_dlq_redrive_refuses_what_fails_again_where_nobody_can_be_asked(
    run: Run, queues: LocalQueues
) -> None:
    queues.put("mobile_dlq", rejected(1), dead_letter(2))
    command = ("dlq", "redrive", "mobile", *queues.location)

    refused = run(*command)
    left = (queues.count("mobile_queue"), queues.count("mobile_dlq"))
    chosen = run(*command, "--reason", "attempts_used_up")
    told = run(*command, "--yes", "--json")

    assert refused.returncode == 2
    assert b"1 of 2 dead letters would fail again" in refused.stderr
    assert b"rejected (M1)" in refused.stderr
    assert left == (0, 2)
    assert chosen.returncode == 0, chosen.stderr
    assert [(one["queue"], one["sent"]) for one in lines(told.stdout)] == [("mobile", 1)]
    assert len(queues.bodies("mobile_queue")) == 2


def test_dlq_redrive_asks_a_person_about_what_fails_again(queues: LocalQueues) -> None:
    queues.put("mobile_dlq", rejected(1))
    command = ("dlq", "redrive", "mobile", "--reason", "rejected", *queues.location)

    declined, shown = in_terminal(*command, question="Send 1 dead letter back?", answer="n")

    assert declined == 1
    assert "1 of 1 dead letter would fail again for the same reason" in shown
    assert queues.count("mobile_dlq") == 1


def test_send_ndjson_sends_each_line_and_says_which_were_not(
    run: Run, queues: LocalQueues, tmp_path: Path
) -> None:
    event = {"eventName": "a"}
    good = {"app_id": "id1", "kind": "mobile_event", "event": event, "event_id": "e-1"}
    visit = {"app_id": "w", "kind": "web_visit", "event": {}, "id": 7, "arrival": "2026-11-22"}
    letter = {"queue": "mobile", "letter_id": "l", **json.loads(rejected(5))}
    content = [json.dumps(one) for one in (good, visit, letter, event)]
    file = tmp_path / "events"
    file.write_text("\n".join([*content[:2], "", "{secret", *content[2:]]))

    done = run("send", "--ndjson", "events", "--json", *queues.location)

    told = lines(done.stdout)
    assert [(one["place"], one["taken"]) for one in told] == [
        ("line 1", True), ("line 2", True), ("line 4", False), ("line 5", True), ("line 6", False),
    ]  # fmt: skip
    assert done.returncode == 1
    assert b"dead letters, which stay where they are" in done.stderr
    assert queues.bodies("web_queue") == [{"app_id": "w", "kind": "web_visit", "event": {}}]
    mobile = queues.bodies("mobile_queue")
    assert mobile[0] == good
    assert mobile[1].keys() == {"app_id", "kind", "event", "event_id", "first_seen"}
