"""What the page knows of the sandbox that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relay_sandbox.dashboard.body import Board
from relay_sandbox.dashboard.meter import Meter
from relay_sandbox.http.server import Server
from relay_sandbox.journal.observer import Observer
from relay_sandbox.lambda_runtime.function import Function
from relay_sandbox.local_aws.aws import LocalAws
from relay_sandbox.stand_in import StandIn


@dataclass(slots=True)
class Surroundings:
    """The parts of a sandbox that the page shows and uses. `ready` is `Sandbox.ready`."""

    observer: Observer
    stand_in: StandIn
    aws: LocalAws
    functions: Mapping[str, Function]
    stand_in_server: Server
    parameter_prefix: str
    samples: Path
    machine_faults: Callable[[], list[dict[str, Any]]] = list
    ready: Mapping[str, Any] = field(default_factory=dict)
    board: Board = field(default_factory=Board)
    meter: Meter = field(default_factory=Meter)
    queues: Mapping[str, str] = field(default_factory=dict)
    """All queues' URLs by logical id."""
