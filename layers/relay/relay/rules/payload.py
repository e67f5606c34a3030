"""The result of checking one event, and how its body is written: the same on both surfaces."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from relay.domain.findings import Findings
from relay.exact_json import UnwritableError, dumps_with_room


class CheckedEvent(NamedTuple):
    """A checked event. Rejected events have one too, because their hashes are needed."""

    body: bytes
    hashes: Mapping[str, str]
    event_time: datetime | None
    has_revenue: bool


def write(body: Mapping[str, Any], rules: Mapping[str, str], findings: Findings) -> bytes:
    """The body as it is sent (E5).

    A field without a JSON form is rejected under its own rule, which is in `rules`.
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
