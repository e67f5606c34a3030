"""What a function says about itself: logs and metrics, in one place, built on first use.

A line a batch and a line a failure, none a success. Never a body, a header, an address or a
person's identifier: each thing that may be logged is named here.
"""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from relay.errors import ConfigurationError


@cache
def logger() -> Logger:
    """The function's logger; its name and level come from the POWERTOOLS_ variables."""
    return Logger()


@cache
def _metrics() -> Metrics:
    return Metrics()


def count(counts: Mapping[str, int | Sequence[int]], **dimensions: str) -> None:
    """Writes counters (`Delivered`, `Deferred` ...) as one blob of embedded metrics.

    A counter may be several numbers. `dimensions` come in besides the service alone, so that both
    the sum and its parts are there; each set of them is a metric that is paid for.
    """
    metrics = _metrics()
    found = [(name, _numbers(given)) for name, given in counts.items()]
    if not any(numbers for _, numbers in found):
        return
    if dimensions:
        metrics.add_dimensions(service=metrics.service or "", **dimensions)
    for name, numbers in found:
        for number in numbers:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
    metrics.flush_metrics()


def _numbers(given: int | Sequence[int]) -> Sequence[int]:
    if isinstance(given, int):
        return [given] if given else []
    return given


def unexpected(error: Exception, **facts: str) -> None:
    """Logs a bug of ours: its type and place, never its text, which may hold anything."""
    place = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
    where = f"{place.name}:{place.lineno}" if place else ""
    logger().error(
        "unexpected error", extra={"error": type(error).__name__, "place": where, **facts}
    )
    count({"Unexpected": 1})


def aws_code(error: Exception) -> str:
    """AWS's own code for a failed call (`AccessDenied`), else the error's type; never its text."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    code: str = response.get("Error", {}).get("Code") or type(error).__name__
    return code


def aws_failed(operation: str, codes: Iterable[str]) -> None:
    """Logs which call to AWS failed, in whole or in part: is it throttled, or not allowed?"""
    logger().error("AWS call failed", extra={"operation": operation, "codes": sorted(set(codes))})


def wrong_setting(error: "ConfigurationError") -> None:
    """Logs which setting or parameter a person must put right."""
    logger().error("setting is wrong", extra={"key": error.key, "problem": str(error)})
