"""The logs of a stack's functions, in CloudWatch Logs, read line by line as they come."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from botocore.config import Config

from relay_cli.clients import aws
from relay_cli.terminal.errors import CliError

FUNCTIONS: Final = (
    *("accept", "receive_payment", "receive_install"),
    *("map_payment", "forward_mobile", "forward_web"),
)
"""Each has the log group /aws/lambda/<stack>/<function>."""
_LATE_MILLISECONDS: Final = 60_000
"""A line may become visible later than others that are younger."""
_POLL_SECONDS: Final = 3.0
"""Six groups each time: CloudWatch takes at least five calls a second of an account."""
_CONFIG: Final = Config(retries={"mode": "adaptive", "total_max_attempts": 8})


class LogLine(NamedTuple):
    """A line: when (Unix milliseconds), of which function, and its text."""

    at: int
    function: str
    text: str


class StackLogs:
    """The logs of one stack. Every method raises `CliError`."""

    def __init__(self, stack: str, functions: Iterable[str] = FUNCTIONS) -> None:
        self._client = aws.client("logs", None, _CONFIG)
        self._groups = {f"/aws/lambda/{stack}/{one}": one for one in functions}
        self._stack = stack

    def lines(self, since: int, pattern: str = "") -> list[LogLine]:
        """The lines since then (Unix milliseconds), oldest first; with `pattern`, those with it."""
        return [line for _, line in self._found(since, pattern)]

    def follow(
        self, since: int, pause: Callable[[float], object] = time.sleep
    ) -> Iterator[LogLine]:
        """The lines since then and all that come, each once, without end."""
        told: dict[str, int] = {}
        while True:
            for line_id, line in self._found(since, ""):
                if line_id not in told:
                    told[line_id] = line.at
                    yield line
            newest = max(told.values(), default=since + _LATE_MILLISECONDS)
            since = max(since, newest - _LATE_MILLISECONDS)
            told = {line_id: at for line_id, at in told.items() if at >= since}
            pause(_POLL_SECONDS)

    def _found(self, since: int, pattern: str) -> list[tuple[str, LogLine]]:
        found = [
            (one["eventId"], LogLine(one["timestamp"], function, one["message"].rstrip()))
            for group, function in self._groups.items()
            for one in self._events(group, since, pattern)
        ]
        return sorted(found, key=lambda one: one[1].at)

    def _events(self, group: str, since: int, pattern: str) -> Iterator[Any]:
        asked = {"filterPattern": f'"{pattern}"'} if pattern else {}
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since, **asked
        )
        try:
            with aws.translate_errors("CloudWatch Logs"):
                for page in pages:
                    yield from page["events"]
        except CliError as error:
            if "ResourceNotFoundException" not in str(error):
                raise
            raise CliError(
                f"there is no log group {group}: is {self._stack} the name of a relay's stack, in "
                "this account and region?"
            ) from error
