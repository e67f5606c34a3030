"""What a function says about itself: logs and metrics, in one place, built on first use.

A line a batch and a line a failure, none a success. Never a body, a header, an address or a
person's identifier: each thing that may be logged is named here.
"""

import traceback
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from relay.errors import ConfigurationError
from relay.outcomes import CREDENTIALS_REASON, Outcome

if TYPE_CHECKING:
    from relay.preparation import Surface
    from relay.settling import Settlement

_MOST_VALUES = 99
_ROUTINE = {Outcome.DELIVERED, Outcome.DUPLICATE}
_NEEDS_A_LOOK = {Outcome.REFUSED, Outcome.BLOCKED}


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


def wrong_setting(error: ConfigurationError) -> None:
    """Logs which setting or parameter a person must put right."""
    logger().error("setting is wrong", extra={"key": error.key, "problem": str(error)})


def report_batch(
    surface: "Surface", settlements: Mapping[str, "Settlement"], *, failed: Collection[str]
) -> None:
    """One line for the batch, one for each failure, and counters by outcome and class of app.

    `failed`: message ids that come back by themselves; nothing has become of those yet.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    tries: defaultdict[str, list[int]] = defaultdict(list)
    for message_id, done in settlements.items():
        of_class = counts[done.app_class]
        of_class.update(_counters(done))
        if done.body is not None and done.delay is None and message_id not in failed:
            of_class["DeadLettered"] += 1
        if done.tries > 1:
            tries[done.app_class].append(done.tries)
        if done.outcome not in _ROUTINE:
            _report_failure(message_id, done)
    total = sum(counts.values(), Counter(HandedBack=len(failed)))
    logger().info("batch", extra={"surface": surface.value, **total})
    for app_class, of_class in counts.items():
        # At most a hundred values a metric; a batch has rarely more that came after retries.
        retried = tries[app_class][:_MOST_VALUES]
        count({**of_class, "TriesUntilDelivered": retried}, app_class=app_class)
    count({"HandedBack": len(failed)})


def _counters(done: "Settlement") -> Iterator[str]:
    """What one event adds to."""
    yield done.outcome.capitalize()
    if done.ruling is not None and done.ruling.uncertain:
        yield "Uncertain"
    if done.outcome is Outcome.HELD and done.reason == CREDENTIALS_REASON:
        yield "CredentialsRefused"
    if done.tries > 1:
        yield "DeliveredAfterRetry"
    if done.is_late:
        yield "Late"
    if done.is_near_deadline:
        yield "NearDeadline"


def _report_failure(message_id: str, done: "Settlement") -> None:
    say = logger().error if done.outcome in _NEEDS_A_LOOK else logger().warning
    ruling = done.ruling
    say(
        "event not delivered",
        extra={
            "message_id": message_id,
            "app_id": done.app_id,
            "outcome": done.outcome.value,
            "reason": done.reason,
            "rule": ruling.rule if ruling else "",
            "status": done.status,
            "uncertain": ruling is not None and ruling.uncertain,
            "delay_seconds": done.delay.seconds if done.delay else None,
        },
    )
