"""The command `relay`: its commands, their options and help.

Each command imports what it needs when it runs: `relay check` must not wait for boto3, which it
never uses.
"""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from relay_cli import options
from relay_cli.errors import CliError, ExitCode

_HELP = "Delivers what your own servers know to AppsFlyer's server-to-server APIs."
_EXIT_CODES = (
    "Exit codes: 0 = all went as it should. 1 = something was rejected, not taken, or did not end "
    "as expected. 2 = nothing could be done: a file, an option or an address is of no use."
)


class _App(typer.Typer):
    """A Typer app whose errors are sentences for people."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except CliError as error:
            print(f"relay: {error}", file=sys.stderr)  # noqa: T201 - Rich would take 0.1 s to load
            sys.exit(error.code)


app = _App(
    name="relay",
    help=_HELP,
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
dlq = typer.Typer(
    help="The dead-letter queues: what could not be delivered, and why.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
)
app.add_typer(dlq, name="dlq")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer hands it in so
    if wanted:
        typer.echo(f"relay {version('appsflyer-relay')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[  # noqa: ARG001 - the callback has it
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The options of `relay` itself."""


@app.command(epilog=_EXIT_CODES)
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
    kind: Annotated[
        options.KindName | None, typer.Option(help="What a bare event is.", show_default=False)
    ] = None,
    app_id: Annotated[
        str | None, typer.Option(help="The AppsFlyer app of a bare event.", show_default=False)
    ] = None,
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
        from relay_cli.ndjson import check_stream

        check_stream(file, defaults)
        return
    from relay_cli.check import check_file

    raise typer.Exit(check_file(file, defaults, options.bare_event(kind, app_id)))
