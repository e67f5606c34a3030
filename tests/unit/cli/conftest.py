"""What the command does to its own process ends with each test."""

from collections.abc import Iterator

import pytest

from relay import telemetry


@pytest.fixture(autouse=True)
def _logger_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "command")
    telemetry.logger.cache_clear()
    yield
    telemetry.logger.cache_clear()
