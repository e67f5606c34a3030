"""What is missing is asked for at a terminal; a secret is never shown."""

import getpass
import sys
from typing import Final, TypeVar

from rich.prompt import Prompt

from relay_cli.terminal.console import confirm, is_interactive, stderr_console
from relay_cli.terminal.errors import CliError

Value = TypeVar("Value")

_LONGEST_SECRET: Final = 64 * 1024


def needed(value: str | None, question: str, option: str, choices: list[str] | None = None) -> str:
    """A value, or the answer to a question; raises `CliError` if nobody can be asked."""
    if value:
        return value
    if not is_interactive():
        raise CliError(f"{question.lower()} is missing: give {option}")
    return Prompt.ask(question, console=stderr_console(), choices=choices).strip()


def secret(what: str, option: str, *, from_stdin: bool) -> str:
    """A secret from standard input, or typed without being shown; raises `CliError`."""
    if from_stdin and sys.stdin is not None and not sys.stdin.isatty():
        return _piped(what)
    if not is_interactive():
        raise CliError(f"{what} is missing: give {option}, and it on standard input")
    return _checked(
        what, getpass.getpass(f"{what[0].upper()}{what[1:]} (not shown): ", stream=sys.stderr)
    )


def agreed(question: str, *, yes: bool) -> None:
    """Asks before something is lost; raises `CliError` if it shall not be."""
    if not yes and not confirm(question):
        raise CliError("nothing was changed")


def _piped(what: str) -> str:
    raw = sys.stdin.buffer.read(_LONGEST_SECRET + 1)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise CliError(f"{what} on standard input is no text (UTF-8)") from None
    if len(raw) > _LONGEST_SECRET:
        raise CliError(f"{what} on standard input is far too long")
    return _checked(what, text)


def _checked(what: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise CliError(f"{what} is empty")
    return "\n".join(lines)
