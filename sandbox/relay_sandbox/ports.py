"""Which ports the sandbox listens on: the same ones at each start, where they are free."""

from __future__ import annotations

import socket
from typing import NamedTuple

DEFAULT_API_PORT = 8700


class Ports(NamedTuple):
    """Of the HTTP API, the local AWS and the stand-in; 0 takes any free one."""

    api: int
    aws: int
    stand_in: int


def choose_ports(port: int | None) -> Ports:
    """Three ports in a row from `port`; any free ones for 0.

    None means the default ones, which `events/env.json` names, or any where one of those is taken.
    A port asked for is taken at its word (and fails where it is not free), its neighbours are not.
    """
    if port == 0:
        return Ports(0, 0, 0)
    first = DEFAULT_API_PORT if port is None else port
    aws, stand_in = (_free_or_any(first + 1), _free_or_any(first + 2))
    if port is not None:
        return Ports(first, aws, stand_in)
    default = Ports(_free_or_any(first), aws, stand_in)
    return default if all(default) else Ports(0, 0, 0)


def is_free(port: int) -> bool:
    """Whether something can listen on a port of the loopback interface; on 0 it always can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def _free_or_any(port: int) -> int:
    return port if is_free(port) else 0
