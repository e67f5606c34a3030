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


_ReadyFile = Annotated[
    Path | None,
    typer.Option(
        help="The queues of a running sandbox. Without any of these: .relay/ready.json, if there.",
        show_default=False,
    ),
]
_Stack = Annotated[
    str | None, typer.Option(help="The queues of a CloudFormation stack.", show_default=False)
]


@app.command(epilog=_EXIT_CODES)
def send(  # noqa: PLR0913 - one for each way to say where to
    file: Annotated[
        Path, typer.Argument(help="Events, in any form that `relay check` takes.", metavar="FILE")
    ],
    *,
    kind: Annotated[
        options.KindName | None, typer.Option(help="What a bare event is.", show_default=False)
    ] = None,
    app_id: Annotated[
        str | None, typer.Option(help="The AppsFlyer app of a bare event.", show_default=False)
    ] = None,
    mobile_queue: Annotated[
        str | None,
        typer.Option(help="URL of the queue of mobile events.", envvar="RELAY_MOBILE_QUEUE_URL"),
    ] = None,
    web_queue: Annotated[
        str | None,
        typer.Option(help="URL of the queue of web events.", envvar="RELAY_WEB_QUEUE_URL"),
    ] = None,
    ready_file: _ReadyFile = None,
    stack: _Stack = None,
    api: Annotated[
        str | None,
        typer.Option(help="Base URL of the HTTP API: send by HTTP, not by SQS.", metavar="URL"),
    ] = None,
    token_env: Annotated[
        str, typer.Option(help="Variable that holds a producer's bearer token, for --api.")
    ] = "RELAY_PRODUCER_TOKEN",
) -> None:
    """Hand events in, by SQS or over HTTP, as any producer would.

    AWS is found by the usual settings (AWS_PROFILE, AWS_REGION,
    AWS_ENDPOINT_URL). Nothing is checked first: see `relay check`.
    """
    from relay_cli import send as sending
    from relay_cli.targets import Where

    bare = options.bare_event(kind, app_id)
    if api:
        found = sending.find_api(api, token_env, ready_file)
        raise typer.Exit(sending.send_to_api(file, bare, found))
    given = {"mobile_queue": mobile_queue, "web_queue": web_queue}
    raise typer.Exit(sending.send_to_queues(file, bare, Where(ready_file, stack), given))


_Surface = Annotated[
    options.SurfaceName | None,
    typer.Argument(help="Which of the two; both when left out.", show_default=False),
]
_Queue = Annotated[
    str | None,
    typer.Option(help="URL of a dead-letter queue.", metavar="URL", show_default=False),
]


@dlq.command("list", epilog=_EXIT_CODES)
def list_(
    surface: _Surface = None,
    *,
    queue: _Queue = None,
    ready_file: _ReadyFile = None,
    stack: _Stack = None,
) -> None:
    """List dead letters by reason and app: how many, how old, until when.

    They are hidden from others while they are looked through.
    """
    from relay_cli.dlq import find_queues, list_letters
    from relay_cli.targets import Where

    raise typer.Exit(list_letters(find_queues(surface, queue, None, Where(ready_file, stack))))


@dlq.command("show", epilog=_EXIT_CODES)
def show(
    id_: Annotated[str, typer.Argument(help="A message id or an event id.", metavar="ID")],
    *,
    queue: _Queue = None,
    ready_file: _ReadyFile = None,
    stack: _Stack = None,
) -> None:
    """Show one dead letter: findings, AppsFlyer's answer, attempts, times."""
    from relay_cli.dlq import find_queues, show_letter
    from relay_cli.targets import Where

    raise typer.Exit(show_letter(find_queues(None, queue, None, Where(ready_file, stack)), id_))


@dlq.command("redrive", epilog=_EXIT_CODES)
def redrive(  # noqa: PLR0913 - one for each way to choose
    surface: _Surface = None,
    *,
    reason: Annotated[
        str | None,
        typer.Option(help="Only letters of this reason, as `relay dlq list` shows it."),
    ] = None,
    app_id: Annotated[
        str | None, typer.Option("--app", help="Only letters of this app.", metavar="ID")
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="Only the letter with this message id or event id."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="At most so many a second.", min=0.1, show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, on a terminal.")] = False,
    queue: _Queue = None,
    to: Annotated[
        str | None,
        typer.Option(help="URL of the queue that a --queue's events go back to.", metavar="URL"),
    ] = None,
    ready_file: _ReadyFile = None,
    stack: _Stack = None,
) -> None:
    """Send events back to the queues that they came from, for another try.

    All of them, or those you choose. Safe to stop and to run again: a letter
    is deleted only when its event is back on its queue.
    """
    from relay_cli.dead_letters import Choice
    from relay_cli.dlq import find_queues, redrive_letters
    from relay_cli.targets import Where

    queues = find_queues(surface, queue, to, Where(ready_file, stack))
    raise typer.Exit(redrive_letters(queues, Choice(reason, app_id, id_), rate, sure=yes))
