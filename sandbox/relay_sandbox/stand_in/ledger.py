"""The ledger: all calls to the stand-in, in order, what it recorded, and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from relay.domain.kinds import Kind
from relay.instants import Recorded, iso_form
from relay_sandbox.stand_in.calls import Call, Verdict, parse_for_ledger

MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A request to one of AppsFlyer's endpoints.

    `status` is the status that the client got; None if it got no HTTP response. `recorded_time` is
    UTC, `recorded_local` the same moment in the app's zone; both are None if the event was not
    recorded. `revenue` is an exact decimal as text; if it is None, `revenue_why` says why.
    """

    sequence: int
    request_id: str
    arrived: str
    kind: Kind
    app_id: str
    status: int | None
    recorded: bool
    why: str
    recorded_time: str | None
    recorded_local: str | None
    recorded_source: str | None
    recorded_rule: str | None
    event_name: str | None
    revenue: str | None
    revenue_why: str | None
    currency: str | None
    customer_dedup_id: str | None
    payload: object
    fault: str | None

    def as_json(self) -> dict[str, Any]:
        """The entry for the control API."""
        return asdict(self)


class Ledger:
    """The last 100,000 entries, in the order they were written."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._written = 0
        self._dedup_ids: set[tuple[str, Kind, str]] = set()

    def __iter__(self) -> Iterator[Entry]:
        """The entries, from the oldest to the newest."""
        return iter(self._entries)

    def __len__(self) -> int:
        """The number of entries kept."""
        return len(self._entries)

    @property
    def written(self) -> int:
        """The number of entries written since the last `clear`, kept or not."""
        return self._written

    def has_recorded(self, call: Call) -> bool:
        """Whether a call with this dedup id has been recorded for this app and kind (W11)."""
        return _dedup_key(call) in self._dedup_ids

    def write(
        self,
        call: Call,
        verdict: Verdict,
        zone: str,
        request_id: str,
        *,
        status: int | None,
        fault: str | None = None,
    ) -> Entry:
        """Write an entry for a call; `status` is the status that the client really gets."""
        self._written += 1
        entry = Entry(
            sequence=self._written,
            request_id=request_id,
            arrived=iso_form(call.arrived),
            kind=call.kind,
            app_id=call.app_id,
            status=status,
            recorded=verdict.recorded,
            why=verdict.why,
            **_times(verdict.time, zone),
            event_name=call.event_name,
            revenue=verdict.money.amount if verdict.money else None,
            revenue_why=verdict.money.why if verdict.money else None,
            currency=verdict.money.currency if verdict.money else None,
            customer_dedup_id=call.dedup_id,
            payload=parse_for_ledger(call.request.body),
            fault=fault,
        )
        self._entries.append(entry)
        if verdict.recorded and (key := _dedup_key(call)):
            self._dedup_ids.add(key)
        return entry

    def clear(self) -> None:
        """Delete everything, including dedup ids."""
        self._entries.clear()
        self._dedup_ids.clear()
        self._written = 0


def _dedup_key(call: Call) -> tuple[str, Kind, str] | None:
    return (call.app_id, call.kind, call.dedup_id) if call.dedup_id else None


def _times(recorded: Recorded | None, zone: str) -> dict[str, Any]:
    names = ("recorded_time", "recorded_local", "recorded_source", "recorded_rule")
    if recorded is None:
        return dict.fromkeys(names)
    local = recorded.time.astimezone(ZoneInfo(zone)).isoformat(timespec="milliseconds")
    return dict(
        zip(names, (iso_form(recorded.time), local, recorded.source, recorded.rule), strict=True)
    )
