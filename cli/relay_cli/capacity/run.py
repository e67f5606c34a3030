"""Prints what a load takes and costs."""

import json

from relay_cli.capacity.data import list_prices, measured
from relay_cli.capacity.model import Load
from relay_cli.capacity.report import blocks, document
from relay_cli.terminal import console


def show(load: Load, backlog: float, *, as_json: bool) -> None:
    """Prints the document of a load; `backlog` in events."""
    told = document(load, backlog, measured(), list_prices())
    if as_json:
        print(json.dumps(told, indent=2, ensure_ascii=False))  # noqa: T201 - exactly this
        return
    console.show(console.stdout_console(), blocks(told))
