"""How `relay dlq` is called."""

from typing import Annotated

import typer

from relay_cli.commands import parameters

Surface = Annotated[
    parameters.QueueName | None,
    typer.Argument(help="Which of them; all when left out.", show_default=False),
]
Queue = Annotated[
    str | None,
    typer.Option(help="URL of a dead-letter queue.", metavar="URL", show_default=False),
]


def list_letters(
    surface: Surface = None,
    *,
    queue: Queue = None,
    ready_file: parameters.ReadyFile = None,
    stack: parameters.Stack = None,
) -> None:
    """List dead letters by reason and app: how many, how old, until when.

    They are hidden from others while they are looked through.
    """
    from relay_cli import dlq
    from relay_cli.targets import Where

    raise typer.Exit(
        dlq.list_letters(dlq.find_queues(surface, queue, None, Where(ready_file, stack)))
    )


def show(
    id_: Annotated[str, typer.Argument(help="A message id or an event id.", metavar="ID")],
    *,
    queue: Queue = None,
    ready_file: parameters.ReadyFile = None,
    stack: parameters.Stack = None,
) -> None:
    """Show one dead letter: findings, AppsFlyer's answer, attempts, times."""
    from relay_cli.dlq import find_queues, show_letter
    from relay_cli.targets import Where

    raise typer.Exit(show_letter(find_queues(None, queue, None, Where(ready_file, stack)), id_))


def redrive(  # noqa: PLR0913 - one for each way to choose
    surface: Surface = None,
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
    queue: Queue = None,
    to: Annotated[
        str | None,
        typer.Option(help="URL of the queue that a --queue's events go back to.", metavar="URL"),
    ] = None,
    ready_file: parameters.ReadyFile = None,
    stack: parameters.Stack = None,
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
