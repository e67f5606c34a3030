"""Faults on command: what they do, which calls they apply to, and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from relay.domain.kinds import Kind
from relay_sandbox.stand_in.calls import Call

Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]

_ENDINGS = ("status", "reset", "time_out", "slow_drip_seconds", "garbage")


class Fault(BaseModel):
    """One way to fail.

    At most one of status, reset, time_out, slow_drip_seconds and garbage says how the call ends.
    `latency_seconds` comes before that; alone, it delays the usual response.

    `recorded` "before": the fault applies before the event is recorded, so the event is lost
    (except after a mere delay, or a slow drip that the client reads to its end).
    "after": the event is recorded first, and the client does not get the usual response.
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
        """Its name in the ledger: "status 503, before it was recorded"."""
        ending = next((name for name in _ENDINGS if getattr(self, name) is not None), "latency")
        what = f"status {self.status}" if ending == "status" else ending.removesuffix("_seconds")
        return f"{what}, {self.recorded} it was recorded"

    @property
    def replaces_response(self) -> bool:
        """Whether the client gets something else than the usual response."""
        return bool(self.status or self.reset or self.time_out or self.garbage)

    def matches(self, call: Call) -> bool:
        """Whether the fault is meant for this call."""
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
    """The active faults, in the order they were set; the first one that is due applies.

    `on_change` is called when one is set, applied or removed.
    """

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._active: list[_ActiveFault] = []
        self._next_number = 1

    def __iter__(self) -> Iterator[Fault]:
        """The faults that are still active."""
        return (item.fault for item in self._active)

    def add(self, faults: Iterable[Fault]) -> None:
        """Add faults."""
        for fault in faults:
            self._active.append(_ActiveFault(self._next_number, fault))
            self._next_number += 1
        self.on_change()

    def clear(self) -> None:
        """Remove all faults; calls that are already affected stay affected."""
        self._active.clear()
        self.on_change()

    def remove(self, number: int) -> bool:
        """Remove one fault; False if it is not active."""
        kept = [item for item in self._active if item.number != number]
        found = len(kept) < len(self._active)
        self._active[:] = kept
        self.on_change()
        return found

    def trigger(self, call: Call) -> Fault | None:
        """Return the fault that applies to this call, and count it; None if none does."""
        for item in self._active:
            if item.is_due(call):
                item.applied += 1
                if item.exhausted:
                    self._active.remove(item)
                self.on_change()
                return item.fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """The active faults for the control API, with how often each was applied."""
        return [item.as_json() for item in self._active]
