"""What the layer says about itself under a long run of inputs."""

import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from relay import telemetry

_NUMBERS = count()


class Heard:
    """Logs and counters, taken input by input: a long run says gigabytes."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def take(self) -> str:
        """Everything that was logged and counted since the last time."""
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return text


@contextmanager
def hearing() -> Iterator[Heard]:
    """Puts itself in the place of standard output; a logger and counters of its own."""
    heard = Heard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", heard.stream)
        patch.setenv("POWERTOOLS_SERVICE_NAME", f"fault-{next(_NUMBERS)}")
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
        patch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
        telemetry.logger.cache_clear()
        telemetry._metrics.cache_clear()  # noqa: SLF001 - as the logger
        yield heard
        telemetry.logger.cache_clear()
        telemetry._metrics.cache_clear()  # noqa: SLF001 - as the logger


def counted(said: str) -> Counter[str]:
    """The counters in what was said, each summed up."""
    totals: Counter[str] = Counter()
    for line in said.splitlines():
        if line.startswith("{") and "_aws" in line:
            blob = json.loads(line)
            for metric in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                totals[metric["Name"]] += int(sum(blob[metric["Name"]]))
    return totals


def assert_discreet(said: str, *secrets: str) -> None:
    """Nothing unexpected happened, and nothing that must not be said was."""
    assert '"unexpected error"' not in said, said
    assert [secret for secret in secrets if secret in said] == []
