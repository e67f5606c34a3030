"""Runs the samples against a running sandbox."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from relay_cli.clients.page import Page
from relay_cli.local.demo.follow import Follower
from relay_cli.local.demo.sender import SampleSender
from relay_cli.local.demo.table import summary_blocks, traces_blocks
from relay_cli.local.demo.traces import Trace
from relay_cli.samples import read_samples
from relay_cli.terminal.console import show, stderr_console, stdout_console
from relay_cli.terminal.errors import ExitCode


@dataclass(frozen=True, slots=True)
class DemoRun:
    """The results of all samples, and the duration in seconds."""

    traces: Sequence[Trace]
    seconds: float

    @property
    def code(self) -> ExitCode:
        """OK if all ended as their files say."""
        good = all(trace.as_expected for trace in self.traces)
        return ExitCode.OK if good else ExitCode.FAILED

    def show(self) -> None:
        """Prints the table and the summary."""
        console = stdout_console()
        show(console, traces_blocks(self.traces, console.width))
        show(console, summary_blocks(self.traces, self.seconds))


def run_samples(ready: Mapping[str, Any], folder: Path, stop: Event) -> DemoRun:
    """Sends every sample, and waits until all have ended or `stop` is set; raises `CliError`."""
    began = time.monotonic()
    with stderr_console().status("Sending the samples, and waiting until all have settled ..."):
        traces = send_samples(ready, folder)
        Follower(Page(ready["page"]), stop).follow(traces)
    return DemoRun(traces, time.monotonic() - began)


def send_samples(ready: Mapping[str, Any], folder: Path) -> list[Trace]:
    """Sends every sample to its entry; raises `CliError`."""
    sender = SampleSender.of(ready)
    return [trace for sample in read_samples(folder) for trace in sender.send(sample)]
