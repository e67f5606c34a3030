"""What the checks of one event give, and the writing of its body: the same on both surfaces."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from relay.domain.findings import Findings
from relay.exact_json import UnwritableError, dumps_with_room


class CheckedEvent(NamedTuple):
    """A checked event. What is rejected has one too, for the sake of its findings and hashes."""

    body: bytes
    hashes: Mapping[str, str]
    event_time: datetime | None
    has_revenue: bool


def write(body: Mapping[str, Any], rules: Mapping[str, str], findings: Findings) -> bytes:
    """The body as it goes over the wire (E5).

    A field without a JSON form is rejected under its own rule: `rules` tells which.
    """
    try:
        return dumps_with_room(body)
    except UnwritableError:
        _reject_unwritable(body, rules, findings)
        return b""


def _reject_unwritable(
    body: Mapping[str, Any], rules: Mapping[str, str], findings: Findings
) -> None:
    for field, value in body.items():
        try:
            dumps_with_room({field: value})
        except UnwritableError as error:
            findings.reject(rules.get(field, "E3"), field, str(error))
