"""Logs and metrics of the functions, in one place. Built on first use.

Log one line for each batch and each failure, none for a success. Never log a body, a header, an
address or a person's identifier: callers name each value that they log. What libraries log is left
out, at every level: botocore's records hold parameters, signatures and session tokens.
"""

import logging
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

_LEFT_OUT = "left out: what libraries log may hold keys"

if TYPE_CHECKING:
    from relay.errors import ConfigurationError


_making = Lock()


@cache
def logger() -> Logger:
    """The function's logger; its name and level come from the POWERTOOLS_ variables."""
    with _making:  # two threads may be the first: Powertools fails where both configure the same
        return Logger()


def silence_libraries() -> None:
    """From now on, records of other loggers than the relay's say who and where, and nothing else.

    At every level, and whatever handler they reach: Lambda's own settings (AWS_LAMBDA_LOG_LEVEL)
    lower the level of the root logger, and so of all libraries. Those below warnings are dropped.
    """
    logging.getLogger().setLevel(logging.WARNING)
    own = logger().name  # asked for now: making it may log, too

    def make(*given: Any, **named: Any) -> logging.LogRecord:
        record = logging.LogRecord(*given, **named)
        if record.name != own:
            record.msg, record.args = _LEFT_OUT, ()
            record.exc_info = record.exc_text = record.stack_info = None
        return record

    logging.setLogRecordFactory(make)


_silent = Event()


def silence() -> None:
    """From now on nothing is logged or counted: for a process that is no function.

    Powertools, when its metrics are disabled, keeps them, and writes them once there are a hundred.
    """
    logger().setLevel(logging.CRITICAL)
    _silent.set()


@cache
def _metrics() -> Metrics:
    return Metrics()


def count(counts: Mapping[str, int | Sequence[int]], **dimensions: str) -> None:
    """Writes counters (`Delivered`, `Deferred` ...) as one blob of embedded metrics.

    A counter may be several numbers. With `dimensions`, each counter is written for the service
    alone as well, so that both the sum and its parts exist. AWS bills each set of dimensions as a
    metric.
    """
    if _silent.is_set():
        return
    metrics = _metrics()
    counters = [(name, _numbers(value)) for name, value in counts.items()]
    if not any(numbers for _, numbers in counters):
        return
    if dimensions:
        metrics.add_dimensions(service=metrics.service or "", **dimensions)
    for name, numbers in counters:
        for number in numbers:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
    metrics.flush_metrics()


def _numbers(value: int | Sequence[int]) -> Sequence[int]:
    if isinstance(value, int):
        return [value] if value else []
    return value


def unexpected(error: Exception, **facts: str) -> None:
    """Logs a bug in the relay: its type and place, never its text, which may hold anything."""
    place = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
    where = f"{place.name}:{place.lineno}" if place else ""
    logger().error(
        "unexpected error", extra={"error": type(error).__name__, "place": where, **facts}
    )
    with suppress(Exception):  # where metrics are the bug: the log has it
        count({"Unexpected": 1})


def aws_code(error: Exception) -> str:
    """AWS's code for a failed call (`AccessDenied`), else the error's type; never its text."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    code: str = response.get("Error", {}).get("Code") or type(error).__name__
    return code


def aws_failed(operation: str, codes: Iterable[str]) -> None:
    """Logs a call to AWS that failed fully or partly, with AWS's codes (throttled, not allowed)."""
    logger().error("AWS call failed", extra={"operation": operation, "codes": sorted(set(codes))})


def unreadable_items(table: str, problems: Sequence[str]) -> None:
    """Logs and counts items that a person must correct: one problem each, without their keys."""
    logger().error(
        "items cannot be read",
        extra={"table": table, "items": len(problems), "problems": sorted(set(problems))},
    )
    count({"ItemsUnreadable": len(problems)})


def wrong_setting(error: "ConfigurationError") -> None:
    """Logs and counts a setting or parameter that a person must correct."""
    logger().error("setting is wrong", extra={"key": error.key, "problem": str(error)})
    count({"SettingsWrong": 1})
