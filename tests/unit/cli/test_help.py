"""The help of every command, and the page that is made of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from relay_cli.examples import EXAMPLES
from relay_cli.help import Help, as_text, help_of, metavar
from relay_cli.main import app
from scripts.docs import CLI_PAGE, cli_page

WIDTH = 78
_METAVAR = re.compile(r"[A-Z]+(\.\.\.)?|\[[A-Z]+\]")


def commands(command: Any = None, context: Any = None) -> Iterator[tuple[Any, Any]]:
    """Every command and group, with its context."""
    command = command or typer.main.get_command(app)
    name = None if context else "relay"
    here = context or command.context_class(command, info_name=name)
    yield command, here
    for sub_name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, sub.context_class(sub, info_name=sub_name, parent=here))


ALL = [(command, help_of(command, context), context) for command, context in commands()]
HELPS: dict[str, Help] = {told.path: told for _, told, _ in ALL}


def test_every_command_has_an_example_and_every_example_a_command() -> None:
    assert len(HELPS) > 20
    assert EXAMPLES.keys() == HELPS.keys()


def test_example_is_one_of_its_command() -> None:
    wrong = [
        line
        for path, told in HELPS.items()
        for line in told.examples
        if not line.startswith(f"{path} ") or len(line) > WIDTH
    ]

    assert wrong == []


def test_help_fits_into_a_terminal() -> None:
    texts = {path: as_text(told, WIDTH) for path, told in HELPS.items()}

    wide = [path for path, text in texts.items() if max(map(len, text.splitlines())) > WIDTH + 2]
    assert wide == []


def test_help_tells_the_exit_codes_once() -> None:
    """Also not in other words, in the text of a command or an option."""
    found = {path: as_text(told, 10_000).lower() for path, told in HELPS.items()}

    wrong = {path: text.count("exit code") for path, text in found.items()}
    assert wrong == dict.fromkeys(HELPS, 1)


def test_values_have_one_form_of_name() -> None:
    """`FILE`, `FILE...`; `[SECONDS]` for what may be left out."""
    wrong = [
        (told.path, parameter.name, metavar(parameter))
        for command, told, context in ALL
        for parameter in command.get_params(context)
        if not getattr(parameter, "is_flag", False) and not _METAVAR.fullmatch(metavar(parameter))
    ]

    assert wrong == []


def test_everything_is_explained_in_sentences() -> None:
    wrong = [
        (told.path, row.names)
        for told in HELPS.values()
        for row in (*told.arguments, *told.options, *told.commands)
        if not re.fullmatch(r"[A-Z`].*[.\])]", row.text)
    ]

    assert wrong == []


def test_page_is_what_the_commands_say() -> None:
    """Otherwise: make docs."""
    assert Path(CLI_PAGE).read_text(encoding="utf-8") == cli_page()


@pytest.mark.parametrize("path", ["relay check", "relay dlq list"])
def test_page_has_every_option_of_a_command(path: str) -> None:
    page = cli_page()

    assert f"`{path}" in page
    assert [row.names for row in HELPS[path].options if f"`{row.names}`" not in page] == []
