"""Options of a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]  # the checkout; the sandbox only runs from there


@dataclass(frozen=True)
class SandboxOptions:
    """How to build a sandbox.

    port: port of the HTTP API; the next two are for AWS and the stand-in. 0 takes any free ports,
        None the default ones where they are free.
    mobile_endpoint, web_endpoint: base URLs to send to instead of the stand-in.
    retry_schedule: seconds between attempts. n waits make n + 1 attempts; under 1 means no delay.
    hold_seconds: seconds between two checks of a held event.
    allow_hosts: names by which its servers may be called, besides those of the loopback interface:
        "host.docker.internal" with any port, "relay.test:8700" with this one.
    parameters: more values for the template's parameters.
    window_limit_seconds: upper limit for a batching window; AWS would use the template's value.
    visibility_seconds: visibility time-out of the source queues, instead of the template's. It
        decides how soon the messages of a crashed invocation come back.
    seconds_after_error: how soon they come back, if that is not the visibility time-out.
    concurrency: maximum concurrent invocations of one function (the template's limit holds too).
    template: the SAM template; functions and layer are found from it.
    work_dir: folder of the logs: `logs/<function>.log`, `logs/aws.log`.
    echo: also receives the functions' output, piece by piece.
    """

    port: int | None = 0
    mobile_endpoint: str | None = None
    web_endpoint: str | None = None
    retry_schedule: str = "0.2,0.5,1"
    hold_seconds: int = 2
    allow_hosts: Sequence[str] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    window_limit_seconds: float = 0.1
    visibility_seconds: int | None = None
    seconds_after_error: int | None = None
    concurrency: int = 2
    template: Path = PROJECT / "template.yaml"
    work_dir: Path = PROJECT / ".relay"
    echo: Callable[[str], None] | None = None
