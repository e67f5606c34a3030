"""The command-line interface of `relay identities` and `relay forget`."""

from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options

Table = Annotated[
    str | None, typer.Option(help="The table of identities, by name.", show_default=False)
]


def import_(  # noqa: PLR0913 - one for each option
    file: Annotated[
        Path, typer.Argument(help="A raw-data report of installs: CSV, plain or gzip.")
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check all of it, and write nothing.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(help="A file for all bad lines, without their values.", show_default=False),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Where it is kept how far the import has come. Default: beside the report.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The counts as one JSON object.")] = False,
    chunk_rows: Annotated[
        int, typer.Option(help="Rows after which it is written down how far it has come.", min=1)
    ] = 5_000,
    threads: Annotated[int, typer.Option(help="Writes at the same time.", min=1, max=64)] = 16,
    table: Table = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Take AppsFlyer's report of installs into the identities.

    Bad lines, and ids that are none, are counted, listed and skipped. A newer
    install that is known stays. Run it again when it was stopped: it goes on
    where it was.
    """
    from relay.stores.identities import Identities
    from relay_cli.clients.tables import Tables
    from relay_cli.clients.targets import Location
    from relay_cli.identities.run import import_report

    location = Location(ready_file, stack)
    identities, into = None, ""
    if not dry_run:
        tables = Tables(location, table, threads)
        identities = Identities(tables.table("identities_table"))
        into = tables.description("identities_table")
    raise typer.Exit(
        import_report(
            file, identities, into=into, state=state, rejects=rejects, threads=threads,
            chunk_rows=chunk_rows, as_json=json,
        )
    )  # fmt: skip


def get(
    customer_user_id: Annotated[
        str, typer.Argument(help="The customer, as your own systems name him.", metavar="USER")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    table: Table = None,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Show a customer's AppsFlyer id in each app, the latest install first.

    Exit code 1 if none is known.
    """
    from relay_cli.clients.targets import Location
    from relay_cli.identities.lookup import show_identities

    location = Location(ready_file, stack)
    raise typer.Exit(show_identities(customer_user_id, location, table, as_json=json))


def forget(
    customer_user_id: Annotated[
        str, typer.Argument(help="The customer, as your own systems name him.", metavar="ID")
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The counts as one JSON object.")] = False,
    ready_file: options.ReadyFile = None,
    stack: options.Stack = None,
) -> None:
    """Erase a customer: identities, money trail and dead letters."""
    from relay_cli.clients.targets import Location
    from relay_cli.identities.erasure import erase_customer

    raise typer.Exit(
        erase_customer(customer_user_id, Location(ready_file, stack), assume_yes=yes, as_json=json)
    )
