"""The data that `relay capacity` reckons with: AWS's list prices, and figures of our own."""

from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

_FOLDER: Final = Path(__file__).parent
PRICES_FILE: Final = _FOLDER / "prices.json"
FIGURES_FILE: Final = _FOLDER / "figures.json"
"""Written by `python -m bench.capacity --write`."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Data):
    """A list price: `usd` for `per` of the unit."""

    usd: float
    per: int
    unit: str
    as_of: str
    """The month that the page was seen in."""
    source: str


class Prices(_Data):
    """List prices of one region."""

    region: str
    currency: str
    verified_on: str
    verified_how: str
    free_tier: str
    prices: dict[str, Price]

    def of(self, name: str, amount: float) -> float:
        """What so much of something costs, in USD."""
        price = self.prices[name]
        return amount * price.usd / price.per


class Forward(_Data):
    """A forwarder: CPU in ms of one whole core."""

    cpu_ms_a_batch: float
    cpu_ms_an_event: float
    cpu_ms_more_with_money: float
    writes_with_money: float
    """Written items for each event with revenue: a claim before, a note after."""
    log_bytes_a_batch: int
    counter_bytes_a_batch: int
    """Of these, counters, which are written at every log level."""
    request_bytes: int
    """Of a request to AppsFlyer, head and body."""
    custom_metrics: int
    """Of one class of app while all is well."""
    first_cpu_ms: int
    """From the start of Python to the first answer."""


class Accept(_Data):
    """The function behind the HTTP API."""

    cpu_ms_a_request: float
    cpu_ms_an_event: float
    log_bytes_a_request: int
    first_cpu_ms: int


class Timed(_Data):
    """How long invocations took beside an AppsFlyer of this latency, by their events."""

    latency_ms: int
    in_flight: int
    wall_ms: dict[str, float]


class Figures(_Data):
    """What was measured, on what."""

    measured_on: str
    machine: str
    forward: Forward
    accept: Accept
    timed: Timed


@cache
def list_prices() -> Prices:
    """The list prices that come with the command."""
    return Prices.model_validate_json(PRICES_FILE.read_bytes())


@cache
def measured() -> Figures:
    """The figures that come with the command."""
    return figures(FIGURES_FILE.read_text(encoding="utf-8"))


def figures(text: str) -> Figures:
    """The figures in the form of their file."""
    return Figures.model_validate_json(text)
