"""The sandbox's ports: the same at each start, and default ports that are taken do not stop it."""

import pytest

from relay_sandbox import ports
from relay_sandbox.ports import Ports, choose_ports


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that are not free; tests add to them."""
    numbers: set[int] = set()
    monkeypatch.setattr(ports, "_free_or_any", lambda port: 0 if port in numbers else port)
    return numbers


@pytest.mark.usefixtures("taken")
def test_choose_ports_without_a_port_gives_the_default_ones() -> None:
    assert choose_ports(None) == Ports(8700, 8701, 8702, 8703)


def test_choose_ports_with_a_default_one_taken_gives_any(taken: set[int]) -> None:
    taken.add(8701)

    assert choose_ports(None) == Ports(0, 0, 0, 0)


def test_choose_ports_with_an_explicit_port_keeps_it(taken: set[int]) -> None:
    taken.update({9000, 9001})

    assert choose_ports(9000) == Ports(9000, 0, 9002, 9003)


def test_choose_ports_with_zero_gives_any() -> None:
    assert choose_ports(0) == Ports(0, 0, 0, 0)
