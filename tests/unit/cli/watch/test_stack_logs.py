"""`relay tail --stack` and `relay status --stack`, from the logs in moto's CloudWatch."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import boto3
import pytest
from moto import mock_aws

from relay.messages.event_ids import event_key
from relay_cli.clients.logs import FUNCTIONS, LogLine, StackLogs
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.watch import stack
from relay_cli.watch.log_lines import log_line, read

NOW = datetime.now(UTC).replace(microsecond=0)
STACK = "relay"
HOUR = timedelta(hours=1)
BATCH = {"level": "INFO", "location": "x", "message": "batch", "service": "forward_mobile"}
FAILED = {
    "level": "WARNING",
    "message": "event not delivered",
    "message_id": "m-1",
    "event_key": event_key("order-1042"),
    "app_id": "id123456789",
    "outcome": "held",
    "reason": "credentials",
    "rule": "E12",
    "status": 401,
    "uncertain": False,
    "delay_seconds": 120,
}
METRICS = {"_aws": {"Timestamp": 1}, "Held": 1, "service": "forward_mobile"}


@pytest.fixture(scope="module")
def _logs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("logs", region_name="us-east-1")


@pytest.fixture
def logs(_logs: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Log groups of the functions, with nothing in them."""
    monkeypatch.setattr("relay_cli.clients.aws.client", lambda *_: _logs)
    for function in FUNCTIONS:
        group = f"/aws/lambda/{STACK}/{function}"
        _logs.create_log_group(logGroupName=group)
        _logs.create_log_stream(logGroupName=group, logStreamName="s")
    yield _logs
    for function in FUNCTIONS:
        _logs.delete_log_group(logGroupName=f"/aws/lambda/{STACK}/{function}")


def _log(logs: Any, seconds_ago: float, line: object, function: str = "forward_mobile") -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    at = NOW - timedelta(seconds=seconds_ago)
    logs.put_log_events(
        logGroupName=f"/aws/lambda/{STACK}/{function}",
        logStreamName="s",
        logEvents=[{"timestamp": int(at.timestamp() * 1000), "message": f"{text}\n"}],
    )


def _since(ago: timedelta) -> int:
    return int((NOW - ago).timestamp() * 1000)


class _Stopped(Exception):  # noqa: N818 - no error
    pass


def test_follow_tells_each_line_once_whichever_function_and_however_late(logs: Any) -> None:
    _log(logs, 50, "second")
    _log(logs, 60, "first", "forward_web")
    _log(logs, 7200, "too old")
    rounds = iter([(70, "late"), (10, "third"), (10, "REPORT")])

    def pause(_: float) -> None:
        seconds_ago, text = next(rounds)
        if text == "REPORT":
            raise _Stopped
        _log(logs, seconds_ago, text)

    lines = StackLogs(STACK).follow(_since(HOUR), pause)
    told = [line.text for line in islice(lines, 4)]
    with pytest.raises(_Stopped):
        next(lines)

    assert told == ["first", "second", "late", "third"]


def test_stack_without_such_logs_is_named(logs: Any) -> None:
    with pytest.raises(CliError, match="is other the name of a relay's stack"):
        StackLogs("other").lines(0)


def test_tail_tells_batches_failures_and_crashes_and_no_metrics(
    logs: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _log(logs, 9, METRICS)
    _log(logs, 8, {**BATCH, "surface": "mobile", "Delivered": 12, "Held": 1, "findings": {"M4": 3}})
    _log(logs, 7, {**BATCH, "Delivered": 0})
    _log(logs, 6, FAILED)
    _log(logs, 5, "REPORT RequestId: 1 Duration: 3 ms")
    _log(logs, 4, "2026-11-27T12:00:00Z 1 Task timed out after 90.00 seconds")
    _log(logs, 3, {"level": "ERROR", "message": "setting is wrong", "key": "/relay/producers"})
    _once(monkeypatch)

    stack.tail(STACK, NOW, HOUR, as_json=False)

    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines()[2:])) <= 80
    for text in (
        "forward_mobile 12 Delivered 1 Held findings 3 M4",
        "held message_id m-1",
        "reason credentials",
        "Task timed out",
        "setting is wrong key /relay/producers",
    ):
        assert text in shown
    assert "REPORT" not in shown
    assert "_aws" not in shown


def test_tail_as_json_is_one_object_a_line(
    logs: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _log(logs, 6, FAILED)
    _once(monkeypatch)

    stack.tail(STACK, NOW, HOUR, as_json=True)

    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["function"], told["outcome"]) == ("forward_mobile", "held")
    assert told["at"] == f"{NOW - timedelta(seconds=6):%Y-%m-%dT%H:%M:%S}.000Z"


def test_status_shows_the_steps_of_one_event_and_when_it_is_looked_at_again(
    logs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _log(logs, 300, {**FAILED, "message_id": "m-0"})
    _log(logs, 60, FAILED)
    _log(logs, 50, {**FAILED, "event_key": event_key("another"), "message_id": "m-9"})

    assert stack.status(STACK, "order-1042", NOW, HOUR, as_json=True) is ExitCode.OK

    told = json.loads(capsys.readouterr().out)
    assert [one["message_id"] for one in told["steps"]] == ["m-0", "m-1"]
    assert (told["outcome"], told["reason"]) == ("held", "credentials")
    assert told["next_look"] == f"{NOW + timedelta(seconds=60):%Y-%m-%dT%H:%M:%S}.000Z"


@pytest.mark.parametrize(
    ("delay", "said"), [(120, "looked at again"), (None, "relay dlq show order-1042")]
)
def test_status_says_what_comes_next(
    logs: Any, capsys: pytest.CaptureFixture[str], delay: int | None, said: str
) -> None:
    _log(logs, 60, {**FAILED, "delay_seconds": delay})

    assert stack.status(STACK, "order-1042", NOW, HOUR, as_json=False) is ExitCode.OK
    assert said in capsys.readouterr().out


def test_status_of_an_event_that_the_logs_do_not_know_says_why_that_may_be(
    logs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stack.status(STACK, "order-7", NOW, HOUR, as_json=True) is ExitCode.FAILED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "successes are not" in captured.err
    assert "relay dlq show order-7 --stack relay" in captured.err


def test_line_of_a_log_cannot_control_the_terminal() -> None:
    line = json.dumps({"message": "x\x1b[2J", "level": "ERROR", "key": "\x1b]0;t\x07"})
    told = read(LogLine(0, "accept", line))

    assert told is not None
    assert "\x1b" not in log_line(told, 80).plain


def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends following after the first round, as Ctrl-C does."""

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    follow = StackLogs.follow
    monkeypatch.setattr(StackLogs, "follow", lambda self, since: follow(self, since, stop))
