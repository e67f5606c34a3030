"""`relay openapi`: prints the document, or compares a file with it."""

import sys
from pathlib import Path
from typing import Final

from relay_cli.openapi.document import document_of, written
from relay_cli.terminal.errors import CliError, ExitCode
from relay_sandbox.options import PROJECT

_HOW: Final = "Run: make openapi"


def show(server: str | None) -> None:
    """Prints the document, with the given server if there is one."""
    document = document_of(PROJECT)
    if server is not None:
        document["servers"] = [{"url": server}]
    sys.stdout.write(written(document))


def check(file: Path) -> None:
    """Raises `CliError` unless the file equals the document to the byte."""
    try:
        found = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}. {_HOW}") from error
    if found != written(document_of(PROJECT)):
        raise CliError(f"{file} does not say what the code says. {_HOW}", code=ExitCode.FAILED)
