"""The command-line interface of `relay send`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options
from relay_cli.terminal.errors import CliError

DEFAULT_SECONDS = "60"


def send(  # noqa: PLR0913 - one for each way to name the target
    file: Annotated[
        Path, typer.Argument(help="Events, in any form that `relay check` takes.", metavar="FILE")
    ],
    *,
    ndjson: Annotated[
        bool,
        typer.Option("--ndjson", help="One event a line, in any form that a file may have."),
    ] = False,
    kind: options.Kind = None,
    app_id: options.AppId = None,
    mobile_queue: Annotated[
        str | None,
        typer.Option(help="URL of the queue of mobile events."),
    ] = None,
    web_queue: Annotated[
        str | None,
        typer.Option(help="URL of the queue of web events."),
    ] = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
    api: Annotated[
        str | None,
        typer.Option(help="Base URL of the HTTP API: send by HTTP, not by SQS.", metavar="URL"),
    ] = None,
    token_env: Annotated[
        str, typer.Option(help="Variable that holds a producer's bearer token, for --api.")
    ] = "RELAY_PRODUCER_TOKEN",  # noqa: S107 - the name of a variable
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            help="Wait until the events have ended in the sandbox, for so many seconds at most, "
            f"{DEFAULT_SECONDS} without a number; say what became of each.",
            metavar="[SECONDS]",
            min=0,
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON object a line for each event."),
    ] = False,
) -> None:
    """Hand events in, by SQS or over HTTP, as any producer would.

    AWS is found by the usual settings (AWS_PROFILE, AWS_REGION,
    AWS_ENDPOINT_URL). Nothing is checked first: see `relay check`. With
    --wait, exit code 0 only if AppsFlyer has every event.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.send import run

    if wait is not None and stack:
        raise CliError("--wait asks a sandbox what became of events; a stack does not tell")
    after = None if wait is None else run.Waiting(ready_file, wait, as_json=json)
    bare_event = options.bare_event(kind, app_id)
    urls = {"mobile_queue": mobile_queue, "web_queue": web_queue}

    def channel() -> run.Channel:
        if api:
            return run.to_api(run.find_api(api, token_env, ready_file))
        return run.to_queues(Location(ready_file, stack), urls)

    if ndjson:
        from relay_cli.send.lines import send_lines

        raise typer.Exit(send_lines(file, bare_event, channel(), after, as_json=json))
    raise typer.Exit(run.send_file(file, bare_event, channel, after, as_json=json))
