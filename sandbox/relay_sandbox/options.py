"""How a sandbox is to be built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]  # the checkout; the sandbox runs from nowhere else


@dataclass(frozen=True)
class SandboxOptions:
    """How to build a sandbox.

    port: of the HTTP API, the next two being of AWS and the stand-in; 0 takes any, None the
        default ones where they are free.
    mobile_endpoint, web_endpoint: base URLs to send to instead of the stand-in's.
    retry_schedule: seconds between attempts; n waits make n + 1 attempts, under 1 is no delay.
    hold_seconds: between two looks at a held event.
    parameters: further values for the template's parameters.
    window_limit_seconds: the longest time that a batch fills; AWS would take the template's.
    visibility_seconds: of the source queues, instead of the template's: how soon the messages of a
        crashed invocation come back.
    concurrency: invocations of one function at the same time, at most (and the template's bound).
    template: the SAM template; functions and layer are found from it.
    work_dir: where logs go: `logs/<function>.log`, `logs/aws.log`.
    echo: gets the functions' output as well, piece by piece.
    """

    port: int | None = 0
    mobile_endpoint: str | None = None
    web_endpoint: str | None = None
    retry_schedule: str = "0.2,0.5,1"
    hold_seconds: int = 2
    parameters: Mapping[str, str] = field(default_factory=dict)
    window_limit_seconds: float = 0.1
    visibility_seconds: int | None = None
    concurrency: int = 2
    template: Path = PROJECT / "template.yaml"
    work_dir: Path = PROJECT / ".relay"
    echo: Callable[[str], None] | None = None
