"""Inputs drawn by Hypothesis: slower than mutations, and those that fail are cut down to little."""

from collections.abc import Callable
from typing import Final, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.faults.heard import Heard, hearing

Case = TypeVar("Case")

_ROUND: Final = 1_000
"""Inputs with one seed: what Hypothesis remembers of a round is forgotten with it."""


def draw(
    cases: st.SearchStrategy[Case], count: int, promise: Callable[[Case, Heard], None]
) -> None:
    """Holds a promise to `count` inputs, the same on every run."""
    with hearing() as heard:
        for start in range(0, count, _ROUND):

            @seed(start)
            @settings(
                max_examples=min(_ROUND, count - start),
                database=None,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            @given(cases)
            def run(case: Case) -> None:
                promise(case, heard)

            run()
