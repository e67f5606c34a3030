"""What became of an event, as one JSON object. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

Row = Mapping[str, Any]
OUTCOMES: Final = (
    "delivered",
    "duplicate",
    "rejected",
    "refused",
    "dead_letter",
    "waiting",
    "held",
)
"""What `--wait` and `status` say of an event."""
_GOOD: Final = frozenset({"delivered", "duplicate"})
_NAMES: Final = {"queued": "waiting", "dropped": "dead_letter"}


def result_of(row: Row) -> dict[str, Any]:
    """`{"event_id", "app_id", "outcome", "reason", "rules", "recorded"}`."""
    return {
        "event_id": row["event_id"],
        "app_id": row["app_id"],
        "outcome": outcome_of(row),
        "reason": row["reason"],
        "rules": row["rules"],
        "recorded": row["recorded"],
    }


def outcome_of(row: Row) -> str:
    """Its outcome, one of `OUTCOMES`: an event that is on its queue waits."""
    outcome = str(row["outcome"])
    return _NAMES.get(outcome, outcome)


def is_good(row: Row) -> bool:
    """Whether AppsFlyer has it."""
    return outcome_of(row) in _GOOD


_AnyRow = TypeVar("_AnyRow", bound=Row)


def most_telling(rows: Sequence[_AnyRow]) -> _AnyRow:
    """Of several with one event id: what was delivered, else what is under way, else the last."""
    delivered = [row for row in rows if row["outcome"] == "delivered"]
    under_way = [row for row in rows if row["ended"] is None]
    return (delivered or under_way or rows)[-1]
