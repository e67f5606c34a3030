"""The command-line interface of `relay send`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options


def send(  # noqa: PLR0913 - one for each way to name the target
    file: Annotated[
        Path, typer.Argument(help="Events, in any form that `relay check` takes.", metavar="FILE")
    ],
    *,
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
) -> None:
    """Hand events in, by SQS or over HTTP, as any producer would.

    AWS is found by the usual settings (AWS_PROFILE, AWS_REGION,
    AWS_ENDPOINT_URL). Nothing is checked first: see `relay check`.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.send import run

    bare_event = options.bare_event(kind, app_id)
    if api:
        http_api = run.find_api(api, token_env, ready_file)
        raise typer.Exit(run.send_to_api(file, bare_event, http_api))
    urls = {"mobile_queue": mobile_queue, "web_queue": web_queue}
    raise typer.Exit(run.send_to_queues(file, bare_event, Location(ready_file, stack), urls))
