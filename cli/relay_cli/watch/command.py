"""The command-line interface of `relay tail` and `relay status`."""

from typing import Annotated

import typer

from relay_cli import options

Json = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]


def tail(*, json: Json = False, ready_file: options.ReadyFile = None) -> None:
    """One line for each event of a running sandbox, as soon as it has ended or waits.

    Time, source, app, event, outcome, rules, and the time that AppsFlyer
    records. Begins with the events that are known already; Ctrl-C ends it.
    """
    from relay_cli.clients.page import Page
    from relay_cli.watch.tail import tail as print_lines

    print_lines(Page.of_sandbox(ready_file), as_json=json)


def status(
    event_id: Annotated[str, typer.Argument(help="The event's id, or its Idempotency-Key.")],
    *,
    json: Json = False,
    ready_file: options.ReadyFile = None,
) -> None:
    """Where an event is, why, and what comes next. In a running sandbox.

    It fails if no event of this id is known.
    """
    from relay_cli.clients.page import Page
    from relay_cli.watch.status import status as show_status

    raise typer.Exit(show_status(Page.of_sandbox(ready_file), event_id, as_json=json))
