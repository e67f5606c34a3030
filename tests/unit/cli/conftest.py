"""What the command does to its own process ends with each test."""

from collections.abc import Iterator
from threading import Event

import pytest

from relay import telemetry


@pytest.fixture(autouse=True)
def _telemetry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands that map payments silence it for good."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "command")  # a logger of its own
    monkeypatch.setattr(telemetry, "_silent", Event())
    telemetry.logger.cache_clear()
    yield
    telemetry.logger.cache_clear()
