"""What the layer says about itself, caught: each test has a logger and counters of its own."""

import json
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from relay import telemetry
from tests.support.builders import Json

_NUMBERS = count()

Heard = Callable[[], str]


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Heard]:
    """Everything that was logged and counted so far, as it leaves the process.

    Powertools keeps one logger a service name, bound to the stream of its first use: hence a name
    a test.
    """
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{next(_NUMBERS)}")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
    telemetry.logger.cache_clear()
    telemetry._metrics.cache_clear()  # noqa: SLF001 - as the logger
    heard: list[str] = []

    def listen() -> str:
        captured = capsys.readouterr()
        heard.append(captured.out + captured.err)
        return "".join(heard)

    yield listen
    telemetry.logger.cache_clear()
    telemetry._metrics.cache_clear()  # noqa: SLF001 - as the logger


@pytest.fixture
def lines(said: Heard) -> Callable[[], list[Json]]:
    """The log lines so far."""
    return lambda: [line for line in _json_lines(said()) if "level" in line]


@pytest.fixture
def counted(said: Heard) -> Callable[[], dict[str, float]]:
    """The counters so far, each summed up."""

    def sums() -> dict[str, float]:
        totals: dict[str, float] = {}
        for blob in (line for line in _json_lines(said()) if "_aws" in line):
            for metric in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                totals[metric["Name"]] = totals.get(metric["Name"], 0) + sum(blob[metric["Name"]])
        return totals

    return sums


def _json_lines(text: str) -> list[Json]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
