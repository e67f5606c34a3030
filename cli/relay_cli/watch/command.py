"""The command-line interface of `relay tail` and `relay status`."""

from datetime import timedelta
from typing import Annotated

import typer

from relay_cli import options
from relay_cli.terminal.errors import CliError

Json = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]
Stack = Annotated[
    str | None,
    typer.Option(help="A CloudFormation stack: from its logs.", show_default=False),
]


def tail(
    *,
    json: Json = False,
    ready_file: options.ReadyFile = None,
    stack: Stack = None,
    since: Annotated[
        float, typer.Option(help="With --stack: begin so many minutes ago.", min=0)
    ] = 10,
) -> None:
    """One line for each event of a running sandbox, as soon as it has ended or waits.

    Time, source, app, event, outcome, rules, and the time that AppsFlyer
    records. Begins with the events that are known already; Ctrl-C ends it.
    With --stack: a line for each batch and each event that was not delivered.
    """
    _check(ready_file is not None, stack)
    if stack:
        from relay.instants import utc_now
        from relay_cli.watch import stack as of_stack

        of_stack.tail(stack, utc_now(), timedelta(minutes=since), as_json=json)
        return
    from relay_cli.clients.page import Page
    from relay_cli.watch.tail import tail as print_lines

    print_lines(Page.of_sandbox(ready_file), as_json=json)


def status(
    event_id: Annotated[str, typer.Argument(help="The event's id, or its Idempotency-Key.")],
    *,
    json: Json = False,
    ready_file: options.ReadyFile = None,
    stack: Stack = None,
    since: Annotated[
        float, typer.Option(help="With --stack: look so many hours back.", min=0)
    ] = 24,
) -> None:
    """Where an event is, why, and what comes next. In a running sandbox.

    With --stack: what the logs say of an event id (a success is not logged).
    It fails if no event of this id is known.
    """
    _check(ready_file is not None, stack)
    if stack:
        from relay.instants import utc_now
        from relay_cli.watch import stack as of_stack

        back = timedelta(hours=since)
        raise typer.Exit(of_stack.status(stack, event_id, utc_now(), back, as_json=json))
    from relay_cli.clients.page import Page
    from relay_cli.watch.status import status as show_status

    raise typer.Exit(show_status(Page.of_sandbox(ready_file), event_id, as_json=json))


def _check(has_ready_file: bool, stack: str | None) -> None:  # noqa: FBT001 - a fact, from right above
    if has_ready_file and stack:
        raise CliError("give --stack or --ready-file, not both")
