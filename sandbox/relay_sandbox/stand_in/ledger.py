"""The ledger: what came to the stand-in, in order, what it recorded of it, and why."""

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
    """One request to an endpoint of AppsFlyer's.

    `status` is what was answered; None when no HTTP answer was given. `recorded_time` is UTC,
    `recorded_local` the same moment in the app's zone; both None when it was not recorded.
    `revenue` is an exact decimal as text; when it is None, `revenue_why` says why.
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
        """The entry as the control API shows it."""
        return asdict(self)


class Ledger:
    """Entries in the order they were written, the last 100,000 of them."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._written = 0
        self._dedup_ids: set[tuple[str, Kind, str]] = set()

    def __iter__(self) -> Iterator[Entry]:
        """From the oldest to the newest."""
        return iter(self._entries)

    def __len__(self) -> int:
        """How many entries are kept."""
        return len(self._entries)

    @property
    def written(self) -> int:
        """How many entries were ever written since the last `clear`."""
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
        """Write what became of a call; `status` is what the client is really answered."""
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
        """Forget everything, dedup ids too."""
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
