"""What the page knows of the sandbox that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    ready: Mapping[str, Any] = field(default_factory=dict)
