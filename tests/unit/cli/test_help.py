"""The help of every command, and the page that is made of it."""

import re

import pytest

from relay_cli.examples import EXAMPLES
from relay_cli.help import Help, as_text
from scripts.docs import BEGIN, CLI_PAGE, COST_PAGE, END, cli_page, cost_block, helps

WIDTH = 78
_METAVAR = re.compile(r"[A-Z]+(\.\.\.)?|\[[A-Z]+\]")


HELPS: dict[str, Help] = {told.path: told for told in helps()}


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
    found = {path: as_text(told, 10_000).count("Exit codes:") for path, told in HELPS.items()}

    assert found == dict.fromkeys(HELPS, 1)


def test_values_have_one_form_of_name() -> None:
    """`FILE`, `FILE...`; `[SECONDS]` for what may be left out."""
    names = [(told.path, row.names) for told in HELPS.values() for row in told.arguments]
    names += [
        (told.path, row.names.rpartition(" ")[2])
        for told in HELPS.values()
        for row in told.options
        if not row.names.rpartition(" ")[2].startswith("-")
    ]

    assert len(names) > 50
    assert [one for one in names if not _METAVAR.fullmatch(one[1])] == []


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
    assert CLI_PAGE.read_text(encoding="utf-8") == cli_page()


def test_page_of_costs_has_the_table_that_capacity_makes() -> None:
    """Otherwise: make docs."""
    page = COST_PAGE.read_text(encoding="utf-8")

    assert f"{BEGIN}\n{cost_block()}\n{END}" in page


@pytest.mark.parametrize("path", ["relay check", "relay dlq list"])
def test_page_has_every_option_of_a_command(path: str) -> None:
    page = cli_page()

    assert f"`{path}" in page
    assert [row.names for row in HELPS[path].options if f"`{row.names}`" not in page] == []
