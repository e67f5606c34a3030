"""Reads a file of exported dead letters, one a line, or whatever a JSON tool made of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from relay.exact_json import InvalidJsonError, loads_once
from relay_cli.dlq.correction import Correction, read_correction, twice
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import BYTE_ORDER_MARK, MIB, read_bytes

_MOST_BYTES: Final = 512 * MIB
_MOST_NAMED: Final = 5
_BLANK: Final = re.compile(r"[ \t\r\n]*")


def read_corrections(path: Path) -> list[Correction]:
    """Every letter of a file (`-`: standard input).

    Raises `CliError`, before anything is sent, if one of them cannot be read.
    """
    text = _text(read_bytes(path, _MOST_BYTES).removeprefix(BYTE_ORDER_MARK), path)
    values = list(_values(text))
    found = [(place, read_correction(content, place)) for place, content in values]
    if bad := [place for place, one in found if one is None]:
        raise CliError(f"{path} {_NO_LETTERS}: {_listed(bad)}. Nothing is sent.")
    corrections = [one for _, one in found if one is not None]
    if not corrections:
        raise CliError(f"{path} holds no dead letter.")
    if pair := twice(corrections):
        places = f"{pair[0].place} and {pair[1].place}"
        raise CliError(f"{path}: {places} are of the same letter: leave one. Nothing is sent.")
    return corrections


def _text(raw: bytes, path: Path) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CliError(f"{path} is not UTF-8 at byte {error.start}.") from error


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """Every JSON value and where it stands; None for what cannot be read.

    Objects over several lines and an array are read too: editors and jq write them.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    values = [(f"line {number}", _parsed(line)) for number, line in lines]
    if all(isinstance(content, dict) for _, content in values):
        yield from values
        return
    whole = _spread(text)
    yield from values if whole is None else whole


def _spread(text: str) -> list[tuple[str, Any]] | None:
    """The objects of a text that does not hold one a line; None if it is no JSON."""
    decoder, position, found = json.JSONDecoder(), 0, list[tuple[str, Any]]()
    while (start := _after_blank(text, position)) < len(text):
        try:
            _, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            return None
        content = _parsed(text[start:position])
        for one in content if isinstance(content, list) else [content]:
            found.append((f"letter {len(found) + 1}", one))
    return found


def _after_blank(text: str, position: int) -> int:
    return found.end() if (found := _BLANK.match(text, position)) else position


def _parsed(text: str) -> Any:
    try:
        return loads_once(text)
    except InvalidJsonError:
        return None


def _listed(places: list[str]) -> str:
    more = len(places) - _MOST_NAMED
    return ", ".join(places[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


_NO_LETTERS: Final = (
    "does not hold what `relay dlq export` writes (other events go by `relay send`), or no JSON"
)
