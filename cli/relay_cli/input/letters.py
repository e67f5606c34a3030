"""Lines of `relay dlq export` among the events that are checked or sent. Pure."""

from typing import Any, Final

from relay.messages.items import SENDERS_FIELDS

_KEPT: Final = (*SENDERS_FIELDS, "first_seen")
"""Of a dead letter: not its attempts, nor why it is one."""


def is_letter(content: object) -> bool:
    """Whether it is an exported dead letter."""
    return isinstance(content, dict) and content.keys() >= {"queue", "letter_id"}


def envelope_of(content: Any) -> Any:
    """The envelope in an exported dead letter; anything else as it is."""
    if not is_letter(content):
        return content
    return {name: value for name, value in content.items() if name in _KEPT}
