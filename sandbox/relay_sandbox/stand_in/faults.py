"""Faults on command: what they are, which calls they strike, and how often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from relay.domain.kinds import Kind
from relay_sandbox.stand_in.calls import Call

Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]

_ENDINGS = ("status", "reset", "time_out", "slow_drip_seconds", "garbage")


class Fault(BaseModel):
    """One way to fail.

    At most one of status, reset, time_out, slow_drip_seconds and garbage says how the call ends;
    `latency_seconds` comes before that, or alone delays the usual answer.

    `recorded` "before": the fault strikes before the event was recorded, so that it is not (after
    a mere delay, or a drip that the client had the patience to read whole, it still is);
    "after": the event was recorded, and the client does not learn it as it should.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: str | None = None
    retry_after: Annotated[int, Field(ge=0)] | str | None = None
    location: str | None = None
    reset: Literal[True] | None = None
    time_out: Literal[True] | None = None
    slow_drip_seconds: Seconds | None = None
    garbage: Literal[True] | None = None
    latency_seconds: Seconds = 0.0
    recorded: Literal["before", "after"] = "before"
    app_id: str | None = None
    kind: Kind | None = None
    event_name: str | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    every: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _one_ending(self) -> Self:
        endings = [name for name in _ENDINGS if getattr(self, name) is not None]
        if len(endings) > 1:
            message = f"only one of these at a time: {', '.join(endings)}"
            raise ValueError(message)
        if not endings and not self.latency_seconds:
            message = f"says no fault; give one of {', '.join(_ENDINGS)}, latency_seconds"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _status_extras(self) -> Self:
        extras = [
            name
            for name in ("body", "retry_after", "location")
            if getattr(self, name) is not None and self.status is None
        ]
        if extras:
            message = f"{', '.join(extras)} needs a status"
            raise ValueError(message)
        for text in (self.retry_after, self.location):
            if isinstance(text, str) and not (text.isascii() and text.isprintable()):
                message = "retry_after and location must be printable ASCII: they become headers"
                raise ValueError(message)
        return self

    @property
    def name(self) -> str:
        """What the ledger calls it: "status 503, before it was recorded"."""
        ending = next((name for name in _ENDINGS if getattr(self, name) is not None), "latency")
        what = f"status {self.status}" if ending == "status" else ending.removesuffix("_seconds")
        return f"{what}, {self.recorded} it was recorded"

    @property
    def replaces_response(self) -> bool:
        """Whether the client gets something else than the usual answer."""
        return bool(self.status or self.reset or self.time_out or self.garbage)

    def matches(self, call: Call) -> bool:
        """Whether a call is one that this fault is meant for."""
        return (
            self.app_id in (None, call.app_id)
            and self.kind in (None, call.kind)
            and self.event_name in (None, call.event_name)
        )


@dataclass(slots=True)
class _ActiveFault:
    number: int
    fault: Fault
    matched: int = 0
    applied: int = 0

    @property
    def exhausted(self) -> bool:
        return self.fault.times is not None and self.applied >= self.fault.times

    def is_due(self, call: Call) -> bool:
        if not self.fault.matches(call):
            return False
        self.matched += 1
        return self.matched % self.fault.every == 0

    def as_json(self) -> dict[str, Any]:
        definition = self.fault.model_dump(mode="json", exclude_unset=True)
        return {"number": self.number, **definition, "applied": self.applied}


class Faults:
    """The faults that are set, in the order they were set; the first one that is due strikes."""

    def __init__(self) -> None:
        self._active: list[_ActiveFault] = []
        self._next_number = 1

    def __iter__(self) -> Iterator[Fault]:
        """Give the faults that are still set."""
        return (item.fault for item in self._active)

    def add(self, faults: Iterable[Fault]) -> None:
        """Set further faults."""
        for fault in faults:
            self._active.append(_ActiveFault(self._next_number, fault))
            self._next_number += 1

    def clear(self) -> None:
        """Take all faults away; calls that one has already struck are not released."""
        self._active.clear()

    def trigger(self, call: Call) -> Fault | None:
        """Give the fault that strikes this call, and count it; None for a call that goes well."""
        for item in self._active:
            if item.is_due(call):
                item.applied += 1
                if item.exhausted:
                    self._active.remove(item)
                return item.fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """Show the faults that are set, and how often each was applied."""
        return [item.as_json() for item in self._active]
