"""`relay tail --stack` and `relay status --stack`: what the logs of a stack say."""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from rich.text import Text

from relay.messages.event_ids import event_key
from relay_cli.clients.logs import StackLogs
from relay_cli.terminal.console import stderr_console, stdout_console
from relay_cli.terminal.durations import format_duration
from relay_cli.terminal.errors import ExitCode
from relay_cli.watch.log_lines import Told, iso, log_line, read

_LEGEND: Final = (
    "A line for each batch and each event that was not delivered, from the logs: what CloudWatch "
    "has is some seconds old. Times are UTC."
)
_FORWARDERS: Final = ("forward_mobile", "forward_web")


def tail(stack: str, now: datetime, since: timedelta, *, as_json: bool) -> None:
    """Prints lines until it is stopped; raises `CliError`."""
    console = stdout_console()
    if not as_json:
        console.print(Text(_LEGEND, "quiet"))
    with suppress(KeyboardInterrupt):
        for line in StackLogs(stack).follow(_milliseconds(now - since)):
            told = read(line)
            if told is None:
                continue
            if as_json:
                print(json.dumps(told.as_json(), ensure_ascii=False), flush=True)  # noqa: T201 - one object a line
            else:
                console.print(log_line(told, console.width), soft_wrap=True)


def status(
    stack: str, event_id: str, now: datetime, since: timedelta, *, as_json: bool
) -> ExitCode:
    """Shows what the forwarders' logs say of an event; FAILED if that is nothing."""
    logs = StackLogs(stack, _FORWARDERS)
    key = event_key(event_id)
    lines = logs.lines(_milliseconds(now - since), key)
    told = [
        one for one in map(read, lines) if one is not None and one.fields.get("event_key") == key
    ]
    if not told:
        stderr_console().print(
            Text(
                f"The logs of the last {format_duration(since)} have nothing of this event. It was "
                "delivered at the first attempt (successes are not logged), or never came in, or "
                f"became a dead letter before: relay dlq show {event_id} --stack {stack}"
            ),
            soft_wrap=True,
        )
        return ExitCode.FAILED
    if as_json:
        print(json.dumps(_result(event_id, told), ensure_ascii=False))  # noqa: T201 - the result
        return ExitCode.OK
    console = stdout_console()
    for one in told:
        console.print(log_line(one, console.width), soft_wrap=True)
    console.print(Text(_next(told[-1], event_id, stack), "heading"), soft_wrap=True)
    return ExitCode.OK


def _result(event_id: str, told: list[Told]) -> dict[str, Any]:
    """`{"event_id", "app_id", "outcome", "reason", "next_look", "steps"}`."""
    last = told[-1].fields
    next_look = _next_look(told[-1])
    return {
        "event_id": event_id,
        "app_id": last.get("app_id"),
        "outcome": last.get("outcome"),
        "reason": last.get("reason"),
        "next_look": iso(next_look) if next_look else None,
        "steps": [one.as_json() for one in told],
    }


def _next_look(told: Told) -> datetime | None:
    delay = told.fields.get("delay_seconds")
    return told.at + timedelta(seconds=delay) if isinstance(delay, int | float) else None


def _next(told: Told, event_id: str, stack: str) -> str:
    """What comes after the last line: success says nothing in the log."""
    next_look = _next_look(told)
    if next_look is None:
        return f"It was not tried again by itself: relay dlq show {event_id} --stack {stack}"
    return (
        f"It was to be looked at again at {next_look:%d %b %H:%M:%S} UTC. If no line comes after "
        "that, it was delivered then, or waits for longer."
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
