"""`relay dlq`, against queues with dead letters; interrupted and killed in a process of its own."""

import json
import signal
import subprocess
from datetime import UTC, datetime, timedelta

from relay.messages.envelope import dead_letter_of_no_envelope, digest_of
from tests.integration.cli.conftest import (
    EVENT,
    NOW,
    RELAY,
    LocalQueues,
    Run,
    dead_letter,
    environment,
    in_terminal,
    until,
)

DEAD_LETTER_FIELDS = {"reason", "outcome", "status", "message", "deadline", "dead_since"}
NO_ENVELOPE = dead_letter_of_no_envelope(digest_of("whatever"), "id-1", "missing: app_id", NOW)


def test_dlq_list_counts_by_reason_and_app_and_leaves_all_in_place(
    run: Run, queues: LocalQueues
) -> None:
    dead_letters = [dead_letter(number) for number in range(12)]
    blocked = dead_letter(99, reason="account_blocked", app_id="com.example.blocked")
    queues.put("mobile_dlq", *dead_letters, blocked, NO_ENVELOPE)

    first = run("dlq", "list", *queues.location)
    second = run("dlq", "list", *queues.location)

    assert first.returncode == 0, first.stderr
    shown = first.stdout.decode()
    assert "mobile: 14 dead letters" in shown
    assert "web: no dead letters" in shown
    rows = shown.splitlines()
    (place,) = (number for number, row in enumerate(rows) if "attempts_used_up" in row)
    row, below = rows[place : place + 2]
    assert row.split()[0] == "12"
    assert "1 d 3 h" in row
    assert "12 in time" in row
    assert "com.example.shop" in below
    assert "first in 2 d 5 h" in below
    assert "com.example.blocked" in shown
    assert "no envelope: correct what holds an event (dlq edit, resubmit)" in " ".join(
        shown.split()
    )
    assert second.stdout.decode().count("14 dead letters") == 1
    assert queues.count("mobile_dlq") == 14


def test_dlq_list_counts_events_in_time_and_events_past_their_deadline(
    run: Run, queues: LocalQueues
) -> None:
    late = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000Z"
    queues.put(
        "mobile_dlq",
        dead_letter(1),
        dead_letter(2),
        *(dead_letter(number, deadline=late, attempts=number) for number in (3, 4, 5)),
    )

    shown = run("dlq", "list", "mobile", *queues.location).stdout.decode()

    assert "2 can still keep their own time." in shown
    assert "3 have missed their deadline" in shown
    assert "3 to 11" in shown  # attempts


def test_dlq_list_shows_the_age_of_the_oldest_and_of_the_newest(
    run: Run, queues: LocalQueues
) -> None:
    since = f"{NOW - timedelta(hours=2, minutes=30):%Y-%m-%dT%H:%M:%S}.000Z"
    queues.put("mobile_dlq", dead_letter(1), dead_letter(2, dead_since=since))

    shown = run("dlq", "list", "mobile", *queues.location).stdout.decode()

    assert "1 d 3 h" in shown
    assert "to 2 h 3" in shown  # and some minutes


def test_dlq_list_that_is_interrupted_leaves_nothing_hidden(run: Run, queues: LocalQueues) -> None:
    """Including the current call: what SQS has just returned becomes visible at once."""
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(30)])

    with queues.interrupting(signal.SIGINT, 2):
        done = run("dlq", "list", "mobile", *queues.location)

    assert done.returncode == 1
    assert b"stopped before the end" in done.stderr
    assert queues.count("mobile_dlq") == 30


def test_dlq_list_shows_what_sqs_itself_moved(run: Run, queues: LocalQueues) -> None:
    queues.crash("web_queue", json.dumps({"app_id": "w", "kind": "web_visit", "event": {}}))

    done = run("dlq", "list", "web", *queues.location)

    assert "crashed" in done.stdout.decode()
    assert "mobile" not in done.stdout.decode()


def test_dlq_show_shows_all_that_is_known_of_a_dead_letter(run: Run, queues: LocalQueues) -> None:
    queues.put("mobile_dlq", dead_letter(1), dead_letter(2))

    done = run("dlq", "show", "order-2", *queues.location)

    shown = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    for text in (
        "attempts_used_up: status_500",
        "Internal Server Error",
        "order-2",
        "2026-11-22 10:00:00.000 UTC",
        "in 2 d 5 h",
        "M12  os  is missing",
        json.dumps(EVENT, separators=(",", ":")),
    ):
        assert text in shown
    assert "order-1" not in shown
    assert queues.count("mobile_dlq") == 2


def test_dlq_show_never_shows_what_may_not_be_hashed(run: Run, queues: LocalQueues) -> None:
    event = {"email": "ada@example.com"}
    body = json.dumps({"app_id": "w", "kind": "web_visit", "event": event})
    message_id = queues.crash("web_queue", body)

    done = run("dlq", "show", message_id, *queues.location)

    assert done.returncode == 0
    assert b"ada@example.com" not in done.stdout + done.stderr


def test_dlq_show_id_that_is_not_there_ends_with_1(run: Run, queues: LocalQueues) -> None:
    assert run("dlq", "show", "nothing", *queues.location).returncode == 1


def test_dlq_redrive_sends_all_back_without_the_fields_of_a_dead_letter(
    run: Run, queues: LocalQueues
) -> None:
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(23)])

    done = run("dlq", "redrive", *queues.location)

    assert done.returncode == 0, done.stderr
    bodies = queues.bodies("mobile_queue")
    assert sorted(body["event_id"] for body in bodies) == sorted(f"order-{n}" for n in range(23))
    for body in bodies:
        assert body.keys().isdisjoint({*DEAD_LETTER_FIELDS, "attempts", "held_since"})
        assert body["event"] == EVENT
        assert body["first_seen"] == "2026-11-22T10:00:00.000Z"
    assert queues.count("mobile_dlq") == 0


def test_dlq_redrive_sends_only_what_is_selected_and_leaves_the_rest_visible(
    run: Run, queues: LocalQueues
) -> None:
    (message_id, *_) = queues.put(
        "mobile_dlq",
        dead_letter(1, reason="hold_limit: account_blocked"),
        dead_letter(2, app_id="id1"),
        dead_letter(3),
        dead_letter(4),
    )

    def redriven(*options: str) -> list[str]:
        done = run("dlq", "redrive", "mobile", *options, *queues.location)
        assert done.returncode == 0, done.stderr
        return [body["event_id"] for body in queues.bodies("mobile_queue")]

    assert redriven("--reason", "account_blocked") == ["order-1"]
    assert redriven("--app", "id1") == ["order-2"]
    assert redriven("--id", "order-3") == ["order-3"]
    assert redriven("--id", message_id) == []
    assert queues.count("mobile_dlq") == 1
    assert redriven("--reason", "attempts_used_up") == ["order-4"]


def test_dlq_redrive_of_what_sqs_itself_moved_keeps_its_id_and_its_time(
    run: Run, queues: LocalQueues
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    event = {"event_url": "https://www.example.com/"}
    body = json.dumps({"app_id": "w", "kind": "web_visit", "event": event})
    message_id = queues.crash("web_queue", body)

    done = run("dlq", "redrive", "web", *queues.location)

    assert done.returncode == 0, done.stderr
    (sent,) = queues.bodies("web_queue")
    assert sent["event_id"] == message_id
    assert sent["event"] == event
    assert before < datetime.fromisoformat(sent["first_seen"]) < datetime.now(UTC)


def test_dlq_redrive_leaves_what_holds_no_event_and_says_so(run: Run, queues: LocalQueues) -> None:
    queues.put("mobile_dlq", NO_ENVELOPE, dead_letter(1))

    done = run("dlq", "redrive", "mobile", *queues.location)
    asked = run("dlq", "redrive", "mobile", "--reason", "not_an_envelope", *queues.location)

    assert done.returncode == 0
    assert b"1 sent back" in done.stdout
    assert b"1 left: without an event, or to be corrected first" in done.stdout
    assert queues.count("mobile_dlq") == 1
    assert asked.returncode == 2
    assert b"cannot be redriven" in asked.stderr


def test_dlq_redrive_run_twice_sends_nothing_twice(run: Run, queues: LocalQueues) -> None:
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(5)])

    run("dlq", "redrive", "mobile", *queues.location)
    again = run("dlq", "redrive", "mobile", *queues.location)

    assert b"0 sent back" in again.stdout
    assert len(queues.bodies("mobile_queue")) == 5


def test_dlq_redrive_to_a_queue_that_accepts_nothing_loses_nothing(
    run: Run, queues: LocalQueues
) -> None:
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(15)])
    dead, missing = queues.urls["mobile_dlq"], queues.urls["mobile_queue"] + "-missing"

    done = run("dlq", "redrive", "--queue", dead, "--to", missing)

    assert done.returncode == 1
    assert b"NonExistentQueue" in done.stdout
    assert queues.count("mobile_dlq") == 15


def test_dlq_redrive_of_a_queue_by_url_finds_where_its_events_came_from(
    run: Run, queues: LocalQueues
) -> None:
    queues.put("mobile_dlq", dead_letter(1))

    done = run("dlq", "redrive", "--queue", queues.urls["mobile_dlq"])

    assert done.returncode == 0, done.stderr
    assert [body["event_id"] for body in queues.bodies("mobile_queue")] == ["order-1"]


def test_dlq_redrive_that_is_interrupted_leaves_each_event_in_one_place(
    queues: LocalQueues,
) -> None:
    """Ctrl-C in the middle of a slow run: sent events are deleted here, the others are visible."""
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(30)])
    with subprocess.Popen(
        [RELAY, "dlq", "redrive", "mobile", "--rate", "5", *queues.location],
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        until(lambda: queues.count("mobile_queue") != 0, process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert b"run it again" in output
    sent, left = queues.count("mobile_queue"), queues.count("mobile_dlq")
    assert 0 < sent < 30
    assert sent + left == 30
    assert f"{sent} sent back".encode() in output


def test_dlq_without_any_queue_says_how_to_name_one(run: Run) -> None:
    done = run("dlq", "list")

    assert done.returncode == 2
    assert b"--stack NAME" in done.stderr


def test_dlq_redrive_says_how_many_had_missed_their_deadline(run: Run, queues: LocalQueues) -> None:
    late = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000Z"
    queues.put("mobile_dlq", dead_letter(1), dead_letter(2, deadline=late))

    done = run("dlq", "redrive", "mobile", *queues.location)

    assert b"2 sent back" in done.stdout
    assert b"1 of them have missed their deadline" in done.stdout


def test_dlq_redrive_asks_a_person_before_events_go_that_are_too_late(
    queues: LocalQueues,
) -> None:
    late = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000Z"
    queues.put("mobile_dlq", dead_letter(1), dead_letter(2, deadline=late))
    command = ("dlq", "redrive", "mobile", "--app", "com.example.shop", *queues.location)

    declined, shown = in_terminal(*command, question="Send 2 dead letters back?", answer="n")
    assert declined == 1
    assert "1 of 2 dead letters have missed their deadline" in shown
    assert queues.count("mobile_dlq") == 2

    agreed, shown = in_terminal(*command, question="Send 2 dead letters back?", answer="y")
    assert agreed == 0
    assert queues.count("mobile_queue") == 2


def test_dlq_redrive_that_was_killed_sends_the_rest_when_run_again(
    run: Run, queues: LocalQueues
) -> None:
    """SIGKILL at any time: received events may be sent twice with the same id; none is lost."""
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(30)])
    with subprocess.Popen(
        [RELAY, "dlq", "redrive", "mobile", "--rate", "5", *queues.location], env=environment()
    ) as process:
        until(lambda: queues.count("mobile_queue") != 0, process)
        process.kill()
    queues.unhide("mobile_dlq")

    done = run("dlq", "redrive", "mobile", *queues.location)

    assert done.returncode == 0, done.stderr
    sent = [body["event_id"] for body in queues.bodies("mobile_queue")]
    assert set(sent) == {f"order-{number}" for number in range(30)}
    assert len(sent) <= 30 + 5  # those of one call
    assert queues.count("mobile_dlq") == 0
