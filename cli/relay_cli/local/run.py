"""`relay sandbox` and `relay demo`: the whole system on this machine."""

import asyncio
import os
import shutil
import sys
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any, Final

from rich.text import Text

from relay_cli.clients.targets import DEFAULT_READY_FILE
from relay_cli.local.demo.run import DemoRun, run_samples, send_samples
from relay_cli.local.guide import guide, page_block
from relay_cli.samples import read_samples
from relay_cli.terminal.console import show, stderr_console, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.watch.lines import LEGEND, event_line
from relay_sandbox.errors import SandboxError
from relay_sandbox.journal.journal import Journal
from relay_sandbox.journal.trace import Fate
from relay_sandbox.options import PROJECT, SandboxOptions
from relay_sandbox.sandbox import Sandbox
from relay_sandbox.serve import WhenUp, run_sandbox

SAMPLES: Final = PROJECT / "events"


class _Finished(Exception):  # noqa: N818 - not an error
    """Ends the sandbox once the demo is done."""

    def __init__(self, run: DemoRun) -> None:
        super().__init__()
        self.run = run


def sandbox(
    options: SandboxOptions, ready_file: Path | None, *, samples: bool, opens: bool = False
) -> ExitCode:
    """Runs the sandbox until it is stopped; raises `CliError` if it does not start."""
    stop = Event()

    async def when_up(up: Sandbox) -> None:
        show(stdout_console(), guide(up.ready, ready_file, program))
        if opens:
            open_page(up.ready)
        if samples:
            traces = await _in_thread(stop, send_samples, up.ready, SAMPLES)
            number = len({trace.sample.name for trace in traces})
            stdout_console().print(f"\n{number} samples sent; the stand-in's ledger shows them.")

    _run(options, ready_file, when_up)
    return ExitCode.OK


def demo(folder: Path, *, once: bool, opens: bool = False) -> ExitCode:
    """Runs the samples; on a terminal, the sandbox then stays up. Raises `CliError`."""
    read_samples(folder)  # report an invalid folder before anything starts
    stop = Event()
    code = ExitCode.OK
    stays = not once and stdout_console().is_terminal
    ready_file = DEFAULT_READY_FILE if stays else None

    async def when_up(up: Sandbox) -> None:
        nonlocal code
        if stays:
            show(stdout_console(), [page_block(up.ready)])
            if opens:
                open_page(up.ready)
        run: DemoRun = await _in_thread(stop, run_samples, up.ready, folder, stop)
        code = run.code
        if not stays:
            raise _Finished(run)
        run.show()
        show(stdout_console(), guide(up.ready, ready_file, program))
        await print_news(up.journal)

    try:
        _run(SandboxOptions(port=None, seconds_after_error=5), ready_file, when_up)
    except _Finished as finished:
        finished.run.show()
    return code


async def print_news(journal: Journal) -> None:
    """Prints a line for each event whose outcome changes from now on, without end."""
    console = stdout_console()
    console.print(Text(LEGEND, "quiet"))
    revision, told = journal.revision, {one.key: one.outcome for one in journal}
    while True:
        await journal.newer_than(revision)
        changes = journal.since(revision)
        revision = changes.revision
        for trace in changes.traces:
            if trace.outcome is not Fate.QUEUED and told.get(trace.key) is not trace.outcome:
                told[trace.key] = trace.outcome
                console.print(event_line(trace.row(), console.width), soft_wrap=True)


def open_page(ready: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> None:
    """Opens the page in a browser, where a terminal and a browser are there; never fails."""
    has_screen = (
        sys.platform in {"darwin", "win32"}
        or "DISPLAY" in environment
        or "WAYLAND_DISPLAY" in environment
    )
    if has_screen and stdout_console().is_terminal and "SSH_CONNECTION" not in environment:
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(str(ready["page"]))


def is_once(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the variable ONCE asks to stop after the samples."""
    return environment.get("ONCE", "") not in ("", "0")


def program(name: str) -> str:
    """The command for a program: its name, or its path beside this Python."""
    beside = Path(sys.executable).parent / name
    if shutil.which(name) or not beside.exists():
        return name
    return os.path.relpath(beside)


async def _in_thread(stop: Event, work: Any, *arguments: Any) -> Any:
    """Runs blocking work beside the sandbox, and stops it together with the sandbox."""
    try:
        return await asyncio.to_thread(work, *arguments)
    finally:
        stop.set()


def _run(options: SandboxOptions, ready_file: Path | None, when_up: WhenUp) -> None:
    stderr_console().print("Starting the sandbox ...", style="quiet")
    try:
        run_sandbox(options, ready_file, when_up=when_up)
    except SandboxError as error:
        raise CliError(f"the sandbox did not come up: {error}") from error
