"""`relay dlq drop`, against queues with dead letters."""

import json
import signal

from tests.integration.cli.conftest import LocalQueues, Run, dead_letter, in_terminal


def test_dlq_drop_asks_with_the_number_and_deletes_what_is_selected(queues: LocalQueues) -> None:
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(12)])
    blocked = [dead_letter(number, reason="account_blocked") for number in range(20, 23)]
    queues.put("web_dlq", *blocked)
    queues.put("mobile_dlq", *blocked)

    code, shown = in_terminal(
        "dlq", "drop", "--reason", "account_blocked", *queues.location,
        question="Delete 6 dead letters for good?", answer="y",
    )  # fmt: skip

    assert code == 0
    assert "mobile: 3 dropped" in shown
    assert "web: 3 dropped" in shown
    assert "3  account_blocked" in shown
    assert (queues.count("mobile_dlq"), queues.count("web_dlq")) == (12, 0)


def test_dlq_drop_that_is_declined_deletes_nothing(queues: LocalQueues) -> None:
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(12)])

    code, _ = in_terminal(
        "dlq", "drop", *queues.location,
        question="Delete 12 dead letters for good?", answer="n",
    )  # fmt: skip

    assert code == 1
    assert queues.count("mobile_dlq") == 12


def test_dlq_drop_without_a_terminal_needs_yes(run: Run, queues: LocalQueues) -> None:
    queues.put("mobile_dlq", dead_letter(1))

    refused = run("dlq", "drop", "mobile", *queues.location)

    assert refused.returncode == 2
    assert b"--yes" in refused.stderr
    assert queues.count("mobile_dlq") == 1


def test_dlq_drop_with_yes_says_how_many_of_each_reason(run: Run, queues: LocalQueues) -> None:
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(12)])
    queues.put("mobile_dlq", dead_letter(20, reason="account_blocked"))
    body = json.dumps({"app_id": "w", "kind": "web_visit", "event": {}})
    queues.crash("web_queue", body)

    done = run("dlq", "drop", "--yes", *queues.location)

    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode()
    assert "mobile: 13 dropped" in shown
    assert "12  attempts_used_up: status_500" in shown
    assert "1  account_blocked" in shown
    assert "1  crashed" in shown
    assert (queues.count("mobile_dlq"), queues.count("web_dlq")) == (0, 0)


def test_dlq_drop_deletes_only_what_is_selected_and_leaves_the_rest_visible(
    run: Run, queues: LocalQueues
) -> None:
    (by_id, *_) = queues.put(
        "mobile_dlq", dead_letter(1), dead_letter(2, app_id="id1"), dead_letter(3), dead_letter(4)
    )

    for options in (("--id", by_id), ("--app", "id1"), ("--id", "order-3")):
        assert run("dlq", "drop", "mobile", *options, "--yes", *queues.location).returncode == 0

    assert [body["event_id"] for body in queues.bodies("mobile_dlq")] == ["order-4"]


def test_dlq_drop_that_is_interrupted_goes_on_when_run_again(run: Run, queues: LocalQueues) -> None:
    """Ctrl-C in the middle: what is reported as dropped is deleted, and the rest is here."""
    queues.put("mobile_dlq", *[dead_letter(number) for number in range(40)])

    with queues.interrupting(signal.SIGINT, 2):
        done = run("dlq", "drop", "mobile", "--yes", *queues.location)

    left = queues.count("mobile_dlq")
    assert done.returncode == 1
    assert 0 < left < 40
    assert f"mobile: {40 - left} dropped".encode() in done.stdout
    assert b"run it again" in done.stdout

    again = run("dlq", "drop", "mobile", "--yes", *queues.location)
    assert f"mobile: {left} dropped".encode() in again.stdout
    assert queues.count("mobile_dlq") == 0
