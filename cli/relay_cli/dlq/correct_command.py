"""The command-line interface of `relay dlq edit` and `relay dlq resubmit`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options
from relay_cli.dlq.command import Json, Queue

To = Annotated[
    str | None,
    typer.Option(
        help="URL of the queue that a --queue's events go to.", metavar="URL", show_default=False
    ),
]


def edit(  # noqa: PLR0913 - one for each option
    id_: Annotated[str, typer.Argument(help="A message id or an event id.", metavar="ID")],
    *,
    app_id: Annotated[
        str | None,
        typer.Option(help="Another AppsFlyer app than the letter says.", show_default=False),
    ] = None,
    kind: Annotated[
        options.KindName | None,
        typer.Option(help="Another kind than the letter says.", show_default=False),
    ] = None,
    event_id: Annotated[
        str | None, typer.Option(help="Another id than the letter says.", show_default=False)
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Begin with the event in this file.", metavar="FILE", show_default=False
        ),
    ] = None,
    json: Json = False,
    queue: Queue = None,
    to: To = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Correct an event in $EDITOR, send it, and delete its letter.

    The editor gets the event as it is kept: hashed. What it writes is checked
    before it is sent. If the editor fails, nothing was changed, or the event
    still breaks a rule, nothing is sent and the letter stays.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.dlq import correct

    queues, send_to = correct.find(queue, to, Location(ready_file, stack))
    changes = {"app_id": app_id, "kind": kind and kind.value, "event_id": event_id}
    raise typer.Exit(correct.edit(queues, send_to, id_, changes, start, as_json=json))


def resubmit(
    file: Annotated[
        Path,
        typer.Argument(help="What `relay dlq export` wrote, corrected or not.", metavar="FILE"),
    ],
    *,
    without_letter: Annotated[
        bool,
        typer.Option("--without-letter", help="Send what has no letter any more, too."),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Send what is not corrected and fails again, too."),
    ] = False,
    json: Json = False,
    queue: Queue = None,
    to: To = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Send exported letters again, corrected or not, and delete them here.

    Each event is checked, and goes to the queue of its kind. Its letter is
    deleted only when it is queued. Safe to stop and to run again: events keep
    their ids, and what has no letter any more is not sent.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.dlq import correct

    queues, send_to = correct.find(queue, to, Location(ready_file, stack))
    choices = correct.Choices(anyway=yes, without_letter=without_letter, as_json=json)
    raise typer.Exit(correct.resubmit(queues, send_to, file, choices))
