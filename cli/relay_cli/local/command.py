"""The command-line interface of `relay sandbox` and `relay demo`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli.resources import is_checkout
from relay_cli.terminal.errors import CliError

NoOpen = Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")]


def sandbox(
    *,
    ready_file: Annotated[
        Path,
        typer.Option(
            help="Gets one JSON object with all addresses once everything is up; removed at the "
            "end."
        ),
    ] = Path(".relay/ready.json"),
    mobile_endpoint: Annotated[
        str | None,
        typer.Option(
            help="Send mobile events here instead of to the stand-in.",
            metavar="URL",
            show_default=False,
        ),
    ] = None,
    web_endpoint: Annotated[
        str | None,
        typer.Option(
            help="Send web events here instead of to the stand-in.",
            metavar="URL",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port of the HTTP API; 0 takes any. Otherwise 8700, where it is free.",
            min=0,
            max=65_535,
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name by which its servers may be called besides localhost, as a container "
            "does: HOST or HOST:PORT. May be repeated.",
            metavar="HOST",
            show_default=False,
        ),
    ] = None,
    no_open: NoOpen = False,
    no_samples: Annotated[
        bool, typer.Option("--no-samples", help="Send nothing by itself once it is up.")
    ] = False,
    retry_schedule: Annotated[
        str,
        typer.Option(
            help="Seconds between attempts: n waits make n + 1 attempts, and under a second "
            "means no delay."
        ),
    ] = "0.2,0.5,1",
) -> None:
    """Run the whole system on this machine, until Ctrl-C or SIGTERM.

    Queues, functions and HTTP API as template.yaml has them, and a stand-in
    for AppsFlyer. Nothing leaves this machine, and no AWS account is used.
    Its servers answer programs on this machine, and no web page but their own.
    """
    _require_checkout("sandbox")
    from relay_cli.local import run
    from relay_sandbox.options import SandboxOptions

    sandbox_options = SandboxOptions(
        port=port,
        mobile_endpoint=mobile_endpoint,
        web_endpoint=web_endpoint,
        retry_schedule=retry_schedule,
        seconds_after_error=5,
        allow_hosts=allow_host or (),
    )
    code = run.sandbox(sandbox_options, ready_file, samples=not no_samples, opens=not no_open)
    raise typer.Exit(code)


def demo(
    *,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="A folder of samples. Otherwise the project's own, events/.", show_default=False
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Stop when all have settled, also on a terminal (or ONCE=1)."),
    ] = False,
    no_open: NoOpen = False,
) -> None:
    """Send every sample through the whole system, and show what became of it.

    On a terminal the sandbox then stays up, with a page to look at and
    addresses to try, and prints a line for each further event. It
    succeeds if every sample ended as its file says.
    """
    _require_checkout("demo")
    from relay_cli.local import run

    code = run.demo(samples or run.SAMPLES, once=once or run.is_once(), opens=not no_open)
    raise typer.Exit(code)


def _require_checkout(command: str) -> None:
    """Raises `CliError` where the command was installed alone."""
    if not is_checkout():
        raise CliError(
            f"`relay {command}` runs the project's own template and functions, and this is the "
            "command alone: get the project's source, and run `make run` there"
        )
