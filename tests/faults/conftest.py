"""How much a run of the fault tests takes, and the table of what it saw."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from tests.faults.deployment import Deployed

Saw = Callable[..., None]
"""Notes what a test saw, for the table at the end: `saw(events=500, recorded=500, doubled=0)`."""

_SAW = "saw"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of each a run takes."""

    events: int
    """A run under one fault."""
    kills: int
    soak: int
    """Events of the soak in memory."""
    sandbox: int
    """Events of the soak through the sandbox."""
    personas: int
    mutations: int
    """Of each entry's inputs."""
    drawn: int
    """Inputs of an entry that Hypothesis draws, which take ten times as long."""
    stories: int
    """Of the state machine, for each setting of `UncertainMoney`."""


_SHORT = Scale(
    events=8, kills=2, soak=500, sandbox=40, personas=2, mutations=150, drawn=8, stories=2
)
_FULL = Scale(
    events=500,
    kills=200,
    soak=200_000,
    sandbox=2_000,
    personas=1_000,
    mutations=100_000,
    drawn=5_000,
    stories=1_000,
)


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    """Short with the other tests, full by `make faults`."""
    full: bool = pytestconfig.getoption("--full")
    chosen = _FULL if full else _SHORT
    soak: int | None = pytestconfig.getoption("--soak-events")
    return chosen if soak is None else Scale(**{**_as_dict(chosen), "soak": soak})


def _as_dict(scale: Scale) -> dict[str, int]:
    return {name: getattr(scale, name) for name in Scale.__slots__}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def deployed(tmp_path_factory: pytest.TempPathFactory) -> "AsyncIterator[Deployed]":
    """The template in a local AWS, which takes seconds to start; group "local aws"."""
    from tests.faults.deployment import deployed  # noqa: PLC0415 - only where it is used

    async with deployed(tmp_path_factory.mktemp("aws")) as made:
        yield made


@pytest.fixture
def saw(record_property: Callable[[str, Any], None]) -> Saw:
    """See `Saw`."""

    def saw(**figures: object) -> None:
        record_property(_SAW, ", ".join(f"{name} {value}" for name, value in figures.items()))

    return saw
