"""Finds the tables of a stack or a sandbox."""

import logging
from typing import TYPE_CHECKING, Any

from relay import telemetry
from relay.aws.table import DynamoTable
from relay_cli.clients import aws
from relay_cli.clients.targets import DEFAULT_READY_FILE, Location, read_ready_file, ready_text
from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from relay.aws.table import Table

_OUTPUTS = {"identities_table": "IdentitiesTableName", "trail_table": "PaymentTrailTableName"}


class Tables:
    """The tables of a stack or a sandbox; raises `CliError` if neither is given."""

    def __init__(
        self, location: Location, table_name: str | None = None, threads: int = 10
    ) -> None:
        # The layer logs failed calls for CloudWatch. A user gets a message instead.
        telemetry.logger().setLevel(logging.CRITICAL)
        self._table_name = table_name
        self._threads = threads
        self._endpoint: str | None = None
        self.origin, self._names = self._find(location)

    def table(self, name: str) -> "Table":
        """A table by its name in a ready file: `identities_table`, `trail_table`."""
        name_in_aws = self._name_in_aws(name)
        return DynamoTable(aws.dynamodb_client(self._endpoint, self._threads), name_in_aws)

    def description(self, name: str) -> str:
        """The endpoint and name of a table, to tell it from others."""
        return f"{self._endpoint or 'AWS'} {self._name_in_aws(name)}"

    def _name_in_aws(self, name: str) -> str:
        name_in_aws = self._table_name or self._names.get(name)
        if not name_in_aws:
            raise CliError(
                f"which {name.replace('_', ' ')} is meant? Give --stack NAME, --ready-file PATH "
                "or --table NAME"
            )
        return name_in_aws

    def _find(self, location: Location) -> tuple[str, dict[str, str]]:
        if location.stack and location.ready_file:
            raise CliError("give --stack or --ready-file, not both")
        if location.stack:
            outputs = aws.stack_outputs(location.stack)
            names = {name: outputs.get(output, "") for name, output in _OUTPUTS.items()}
            return f"the stack {location.stack}", names
        path = location.ready_file or DEFAULT_READY_FILE
        if not location.ready_file and (self._table_name or not path.exists()):
            return f"the table {self._table_name}", {}
        ready: dict[str, Any] = read_ready_file(path)
        self._endpoint = ready_text(ready, "aws", path)
        names = {name: ready[name] for name in _OUTPUTS if isinstance(ready.get(name), str)}
        return f"the sandbox of {path}", names
