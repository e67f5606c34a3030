"""The command-line interface of `relay doctor`."""

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    *,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            help="A running sandbox. Without this and --stack: .relay/ready.json.",
            show_default=False,
        ),
    ] = None,
    stack: Annotated[
        str | None, typer.Option(help="A CloudFormation stack.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Whether everything that events need is there: one line a check, with what to do.

    Settings and tokens, queues and mappings, API and clock; of a stack its
    alarms, its layer and the last hour too. It only reads. Exit code 0 only
    if all is well; with --json: `{"checks": [{"name", "ok", "what", "do"}]}`.
    """
    from relay import telemetry
    from relay_cli.clients.installation import find_installation
    from relay_cli.clients.targets import Location
    from relay_cli.doctor import run
    from relay_cli.doctor.check import QUICK

    telemetry.silence()
    installation = find_installation(Location(ready_file, stack), QUICK)
    raise typer.Exit(run.doctor(installation, as_json=json))
