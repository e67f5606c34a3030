"""The command-line interface of `relay rule`."""

from typing import Annotated

import typer


def rule(
    number: Annotated[str, typer.Argument(help="A rule's number, as findings cite it: M22.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show a rule: what it says, where AppsFlyer says so, and an event that breaks it."""
    from relay_cli.rules.run import show_rule

    raise typer.Exit(show_rule(number, as_json=json))
