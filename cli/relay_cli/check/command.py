"""The command-line interface of `relay check`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options
from relay_cli.terminal.errors import CliError


def check(  # noqa: PLR0913 - one for each option
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Envelopes, an array of them, what Lambda hands to a function (SQS, SNS, "
            "EventBridge, HTTP or REST API, load balancer), or a bare event (with --kind and "
            "--app-id). `-` is standard input.",
            metavar="FILE...",
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
    stamped: Annotated[
        bool,
        typer.Option(
            "--stamped", help="With --ndjson: each event as its entry sends it. Without: always so."
        ),
    ] = False,
    fail: Annotated[
        bool,
        typer.Option(
            "--fail", help="With --ndjson: exit code 1 if an event is rejected. Without: always so."
        ),
    ] = False,
    as_is: Annotated[
        bool,
        typer.Option("--as-is", help="The event as it is, without what its entry adds."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
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
            help="When it would reach AppsFlyer, as in 2026-11-22T12:00:00Z. Otherwise when a "
            "Lambda event says that it came in, or now.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what AppsFlyer would get, and what is wrong. Sends nothing.

    For each event: the verdict, every finding with its rule, the exact
    payload, the time that AppsFlyer will record, until when that holds,
    and the same request with curl. What its entry adds is in it: a time
    where it has none, an id for events of the web.
    """
    if as_is and stamped:
        raise CliError("--as-is shows an event as it is, --stamped as its entry sends it: give one")
    defaults = options.defaults(time_zone, phone_region, arrival)
    if ndjson:
        from relay_cli.check.ndjson import check_streams

        raise typer.Exit(check_streams(files, defaults, stamped=stamped, fails=fail))
    from relay_cli.check.run import check_files

    bare_event = options.bare_event(kind, app_id)
    raise typer.Exit(check_files(files, defaults, bare_event, as_is=as_is, as_json=json))
