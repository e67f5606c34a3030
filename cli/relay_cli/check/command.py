"""The command-line interface of `relay check`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options


def check(
    file: Annotated[
        Path,
        typer.Argument(
            help="An envelope, an array of them, an SQS or HTTP API event of Lambda's, "
            "or a bare event (with --kind and --app-id). `-` is standard input.",
            metavar="FILE",
        ),
    ],
    *,
    ndjson: Annotated[
        bool,
        typer.Option(
            "--ndjson",
            help="One JSON object a line in (id, kind, app_id, event, arrival, time_zone, "
            "phone_region), one out. The verdicts are in the lines: the exit code is 0.",
        ),
    ] = False,
    kind: options.Kind = None,
    app_id: options.AppId = None,
    time_zone: Annotated[
        str,
        typer.Option(help="The app's time zone in AppsFlyer, as in Europe/Berlin (web)."),
    ] = "UTC",
    phone_region: Annotated[
        str | None,
        typer.Option(
            help="Region of phone numbers without a country code, as in US.", show_default=False
        ),
    ] = None,
    arrival: Annotated[
        str | None,
        typer.Option(
            help="When it would reach AppsFlyer, as in 2026-11-22T12:00:00Z; otherwise now.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what AppsFlyer would get, and what is wrong. Sends nothing.

    For each event: the verdict, every finding with its rule, the exact
    payload, the time that AppsFlyer will record, until when that holds,
    and the same request with curl.
    """
    defaults = options.defaults(time_zone, phone_region, arrival)
    if ndjson:
        from relay_cli.check.ndjson import check_stream

        check_stream(file, defaults)
        return
    from relay_cli.check.run import check_file

    raise typer.Exit(check_file(file, defaults, options.bare_event(kind, app_id)))
