"""Reads the attributes of an item that a person may have edited."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, NoReturn

from relay.aws.table import StoredItem
from relay.errors import UnreadableItemError
from relay.instants import from_milliseconds

_AMOUNT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


class Attributes(NamedTuple):
    """The attributes of an item of one sort. Every method raises `UnreadableItemError`."""

    sort: str
    """What the error calls the item."""
    item: StoredItem

    def text(self, name: str) -> str:
        """A text, perhaps an empty one."""
        value = self.item.get(name)
        if not isinstance(value, str):
            self.refuse(name, "must be text")
        return value

    def filled(self, name: str) -> str:
        """A text that is not blank."""
        value = self.text(name)
        if not value.strip():
            self.refuse(name, "must not be blank")
        return value

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self.item.get(name)
        if not isinstance(value, int):
            self.refuse(name, "must be a whole number")
        return value

    def moment(self, name: str) -> datetime:
        """A moment in Unix milliseconds."""
        try:
            return from_milliseconds(self.whole(name))
        except (ValueError, OverflowError, OSError):
            self.refuse(name, "must be a moment in Unix milliseconds")

    def amount(self, name: str) -> Decimal:
        """An amount, written as text."""
        value = self.text(name)
        if not _AMOUNT.fullmatch(value):
            self.refuse(name, "must be an amount as text")
        return Decimal(value)

    def refuse(self, name: str, problem: str) -> NoReturn:
        """Names the attribute at fault, never its value."""
        raise UnreadableItemError(f"{self.sort}.{name}: {problem}")
