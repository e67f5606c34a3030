"""The command-line interface of `relay dlq`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options

Surface = Annotated[
    options.QueueName | None,
    typer.Argument(help="Which of them; all when left out.", show_default=False),
]
Queue = Annotated[
    str | None,
    typer.Option(help="URL of a dead-letter queue.", metavar="URL", show_default=False),
]


Reason = Annotated[
    str | None,
    typer.Option(
        help="Only letters of this reason, as `relay dlq list` shows it.", show_default=False
    ),
]
App = Annotated[
    str | None,
    typer.Option("--app", help="Only letters of this app.", metavar="ID", show_default=False),
]
Id = Annotated[
    str | None,
    typer.Option(
        "--id",
        help="Only the letter with this message id or event id.",
        metavar="ID",
        show_default=False,
    ),
]


Rule = Annotated[
    str | None,
    typer.Option(
        help="Only letters that this rule rejected, as in M1.", metavar="RULE", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def list_dead_letters(  # noqa: PLR0913 - one for each way to select
    surface: Surface = None,
    *,
    letters: Annotated[
        bool, typer.Option("--letters", help="Each letter: its ids, its rules, their fields.")
    ] = False,
    reason: Reason = None,
    app_id: App = None,
    id_: Id = None,
    rule: Rule = None,
    json: Json = False,
    queue: Queue = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """List dead letters by reason and app, and by rule: how many, how old, until when.

    They are hidden from others while they are looked through. With --json one
    object a line: for each queue, or with --letters for each letter.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.dlq import listing
    from relay_cli.dlq.filter import Filter
    from relay_cli.dlq.queues import find_queues

    queues = find_queues(surface, queue, None, Location(ready_file, stack))
    filter_ = Filter(reason, app_id, id_, rule)
    raise typer.Exit(listing.list_dead_letters(queues, filter_, letters=letters, as_json=json))


def show(
    id_: Annotated[str, typer.Argument(help="A message id or an event id.", metavar="ID")],
    *,
    json: Json = False,
    queue: Queue = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Show one dead letter: findings, AppsFlyer's answer, attempts, times."""
    from relay_cli.clients.targets import Location
    from relay_cli.dlq.listing import show_dead_letters
    from relay_cli.dlq.queues import find_queues

    queues = find_queues(None, queue, None, Location(ready_file, stack))
    raise typer.Exit(show_dead_letters(queues, id_, as_json=json))


def export(  # noqa: PLR0913 - one for each way to select
    surface: Surface = None,
    *,
    to: Annotated[Path, typer.Option(help="The file, readable by you only.", metavar="FILE")],
    reason: Reason = None,
    app_id: App = None,
    id_: Id = None,
    rule: Rule = None,
    json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    queue: Queue = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Write dead letters into a file, a JSON object a line. They stay here.

    All of them, or those you choose. What SQS itself moved is written as the
    relay would keep it, hashed. The file is there as a whole or not at all.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.dlq.actions import export_dead_letters
    from relay_cli.dlq.filter import Filter
    from relay_cli.dlq.queues import find_queues

    queues = find_queues(surface, queue, None, Location(ready_file, stack))
    filter_ = Filter(reason, app_id, id_, rule)
    raise typer.Exit(export_dead_letters(queues, filter_, to, force=force, as_json=json))


def redrive(  # noqa: PLR0913 - one for each way to select
    surface: Surface = None,
    *,
    reason: Reason = None,
    app_id: App = None,
    id_: Id = None,
    rule: Rule = None,
    rate: Annotated[
        float | None,
        typer.Option(help="At most so many a second.", min=0.1, max=10_000, show_default=False),
    ] = None,
    yes: Yes = False,
    json: Json = False,
    queue: Queue = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="URL of the queue that a --queue's events go back to.",
            metavar="URL",
            show_default=False,
        ),
    ] = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Send events back to the queues that they came from, for another try.

    All of them, or those you choose. Before it sends letters that fail again
    for the same reason, it asks. Safe to stop and to run again: a letter is
    deleted only when its event is back on its queue.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.dlq.actions import redrive_dead_letters
    from relay_cli.dlq.filter import Filter
    from relay_cli.dlq.queues import find_queues

    queues = find_queues(surface, queue, to, Location(ready_file, stack))
    filter_ = Filter(reason, app_id, id_, rule)
    raise typer.Exit(redrive_dead_letters(queues, filter_, rate, assume_yes=yes, as_json=json))


def drop(  # noqa: PLR0913 - one for each way to select
    surface: Surface = None,
    *,
    reason: Reason = None,
    app_id: App = None,
    id_: Id = None,
    rule: Rule = None,
    yes: Yes = False,
    json: Json = False,
    queue: Queue = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Delete dead letters for good.

    All of them, or those you choose; `relay dlq export` keeps a copy first.
    You are told how many there are and asked. Safe to stop and to run again.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.dlq.actions import purge_dead_letters
    from relay_cli.dlq.filter import Filter
    from relay_cli.dlq.queues import find_queues

    queues = find_queues(surface, queue, None, Location(ready_file, stack))
    filter_ = Filter(reason, app_id, id_, rule)
    raise typer.Exit(purge_dead_letters(queues, filter_, assume_yes=yes, as_json=json))
