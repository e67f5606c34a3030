"""`relay openapi`: prints the document, or compares a file with it."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from relay_cli.resources import CHECKOUT, is_checkout, resource
from relay_cli.terminal.errors import CliError, ExitCode

_HOW: Final = "Run: make openapi"


def show(server: str | None) -> None:
    """Prints the document, with the given server if there is one."""
    text = _document()
    if server is not None:
        document: dict[str, Any] = json.loads(text)
        document["servers"] = [{"url": server}]
        text = written(document)
    sys.stdout.write(text)


def check(file: Path) -> None:
    """Raises `CliError` unless the file equals the document to the byte."""
    try:
        found = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}. {_HOW}") from error
    if found != _document():
        raise CliError(f"{file} does not say what the code says. {_HOW}", code=ExitCode.FAILED)


def written(document: dict[str, Any]) -> str:
    """The document as text, in the form of its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _document() -> str:
    """Made from the code in a checkout; a wheel brings what was made there."""
    if not is_checkout():
        return resource("docs/openapi.json").read_text(encoding="utf-8")
    from relay_cli.openapi.document import document_of

    return written(document_of(CHECKOUT))
