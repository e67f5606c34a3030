"""Unit tests open no socket at all, not even to this machine."""

import socket
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise AssertionError("a unit test tried to use the network: it belongs into tests/integration")


@pytest.fixture(scope="module", autouse=True)
def _no_sockets() -> Iterator[None]:
    """No connection and no name look-up; a pair of sockets, as an event loop needs, may stay."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("bind", "connect", "connect_ex", "listen", "sendto"):
            patch.setattr(socket.socket, name, _refuse)
        for name in ("create_connection", "create_server", "getaddrinfo", "gethostbyname"):
            patch.setattr(socket, name, _refuse)
        yield
