"""The command-line interface of `relay openapi`."""

from pathlib import Path
from typing import Annotated

import typer


def openapi(
    *,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Print nothing, and say whether this file is the document.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="The base URL of your own API, for tools that send requests.",
            metavar="URL",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the HTTP API as an OpenAPI 3.1 document, made from the code.

    `docs/openapi.json` is what it prints; a change of the code changes it.
    """
    from relay_cli.openapi import run

    if check is not None:
        run.check(check)
    else:
        run.show(server)
