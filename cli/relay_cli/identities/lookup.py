"""`relay identities get USER`: the AppsFlyer ids of a customer."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from relay.errors import TableUnavailableError
from relay.instants import iso_form
from relay.stores.identities import Identities, Identity
from relay_cli.clients.tables import Tables
from relay_cli.clients.targets import Location
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import printable, stdout_console, write_line
from relay_cli.terminal.errors import CliError, ExitCode


def show_identities(
    customer_user_id: str, location: Location, table_name: str | None, *, as_json: bool
) -> ExitCode:
    """Shows a customer's identities; raises `CliError`, also if there is none."""
    if not customer_user_id.strip():
        raise CliError("which customer is meant? An empty id is nobody's")
    tables = Tables(location, table_name)
    try:
        found = Identities(tables.table("identities_table")).of_customer(customer_user_id)
    except TableUnavailableError as error:
        raise CliError(
            f"the table does not answer ({error}): run the same command again"
        ) from error
    if not found:
        raise CliError(
            "no AppsFlyer id is known of this customer: neither the Push API nor an import told of "
            "an install",
            code=ExitCode.FAILED,
        )
    if as_json:
        for one in found:
            write_line(encode(_facts(one)))
    else:
        stdout_console().print(_table(found))
    return ExitCode.OK


def _facts(identity: Identity) -> dict[str, str | None]:
    return {
        "app_id": identity.app_id,
        "customer_user_id": identity.customer_user_id,
        "appsflyer_id": identity.appsflyer_id,
        "installed_at": iso_form(identity.installed_at),
        "platform": identity.platform,
    }


def _table(identities: Sequence[Identity]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("app and AppsFlyer id", overflow="fold")
    table.add_column("installed (UTC)", no_wrap=True)
    table.add_column("platform", overflow="fold")
    for one in identities:
        moment = f"{one.installed_at:%Y-%m-%d %H:%M:%S}"
        ids = f"{printable(one.app_id)}\n{printable(one.appsflyer_id)}"
        table.add_row(ids, moment, printable(one.platform or ""))
    return table
