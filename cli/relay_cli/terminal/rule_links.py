"""Numbers of rules as links, on terminals that take them, to the rule's row in the documents."""

import functools
from collections.abc import Sequence
from typing import Final

from rich.style import Style
from rich.text import Text

from relay_cli.resources import resource

RULES_FILE: Final = resource("docs/appsflyer.md")


def linked_rules(rules: Sequence[str], style: str = "rule") -> Text:
    """The numbers, with spaces between them."""
    text = Text()
    for number, rule in enumerate(rules):
        text.append(" " if number else "")
        start = len(text)
        text.append(rule, style)
        if (address := _address()) is not None:
            text.stylize(Style(link=address), start)
    return text


@functools.cache
def _address() -> str | None:
    return RULES_FILE.as_uri() if RULES_FILE.exists() else None
