"""One item of a file, and where it stands."""

from dataclasses import dataclass

from relay_cli.input.event import InputEvent, InvalidInput


@dataclass(frozen=True, slots=True)
class InputItem:
    """One item of a file, and its position in the file ("record 2")."""

    label: str
    content: InputEvent | InvalidInput
