"""What the layer says about itself, heard as it says it: nothing is kept that is not asked for."""

import io
import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import count

import pytest

from relay import telemetry
from tests.support.builders import Json

_NUMBERS = count()


class Heard(io.TextIOBase):
    """A stream that adds up the counters and notes what no fault explains."""

    def __init__(self, *, keeps_text: bool) -> None:
        self.counted: Counter[str] = Counter()
        self.unexpected: list[Json] = []
        """Bugs of ours, as they were logged."""
        self.said: list[str] = []
        """Every line, where they are kept."""
        self._keeps_text = keeps_text

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if self._keeps_text:
                self.said.append(line)
            if line.startswith('{"'):
                self._hear(json.loads(line))
        return len(text)

    def _hear(self, line: Json) -> None:
        if line.get("message") == "unexpected error":
            self.unexpected.append(line)
        for metric in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            for name in (definition["Name"] for definition in metric["Metrics"]):
                self.counted[name] += int(sum(line[name]))


@contextmanager
def listening(*, keeps_text: bool = False) -> Iterator[Heard]:
    """Hears all that is logged and counted, while the block lasts.

    Powertools keeps one logger a service name, bound to the stream of its first use: hence a name
    of its own each time.
    """
    heard = Heard(keeps_text=keeps_text)
    others = logging.StreamHandler(heard)  # libraries, as Lambda's own handler shows them
    logging.getLogger().addHandler(others)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(heard), redirect_stderr(heard):
        service = f"faults-{next(_NUMBERS)}"
        patch.setenv("POWERTOOLS_SERVICE_NAME", service)
        logging.getLogger(service).propagate = False  # pytest would keep every line
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
        patch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
        _forget()
        yield heard
    logging.getLogger().removeHandler(others)
    _forget()


def _forget() -> None:
    telemetry.logger.cache_clear()
    telemetry._metrics.cache_clear()  # noqa: SLF001 - it remembers the namespace
