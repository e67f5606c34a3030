"""The ports that the sandbox listens on: the same at each start, if they are free."""

from __future__ import annotations

import socket
from typing import NamedTuple

DEFAULT_API_PORT = 8700


class Ports(NamedTuple):
    """Ports of the HTTP API, the local AWS, the stand-in and the page; 0 takes any free port."""

    api: int
    aws: int
    stand_in: int
    page: int


def choose_ports(port: int | None) -> Ports:
    """Return four consecutive ports from `port`; for 0, any free ports.

    None means the default ports, which `events/env.json` names, or any free ports if one of those
    is taken. An explicit `port` is used as it is, so starting fails if it is taken; its
    neighbours fall back to any free port.
    """
    if port == 0:
        return Ports(0, 0, 0, 0)
    first = DEFAULT_API_PORT if port is None else port
    beside = [_free_or_any(first + number) for number in (1, 2, 3)]
    if port is not None:
        return Ports(first, *beside)
    default = Ports(_free_or_any(first), *beside)
    return default if all(default) else Ports(0, 0, 0, 0)


def is_free(port: int) -> bool:
    """Whether a server can listen on this port of the loopback interface; always true for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def _free_or_any(port: int) -> int:
    return port if is_free(port) else 0
