"""Faults of the machine: a function that dies, AppsFlyer out of reach, Parameter Store down."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay_sandbox.journal.trace import Trace
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.surroundings import Surroundings

_FIRST_NUMBER: Final = 1_001  # the stand-in counts its own faults from 1
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_WORDS: Final[Mapping[str, str]] = {
    "kill_function": "the function is killed as soon as AppsFlyer has got a request of it",
    "appsflyer_unreachable": "nobody listens at AppsFlyer's address",
    "parameter_store_down": "Parameter Store answers every call with an error",
}


@dataclass(slots=True)
class _Fault:
    number: int
    machine: str
    function: str | None = None
    times: int | None = None
    applied: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "machine": self.machine,
            "text": _WORDS[self.machine],
            "function": self.function,
            "times": self.times,
            "applied": self.applied,
        }


class Machine:
    """The faults of one sandbox's machine."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._faults: list[_Fault] = []
        self._numbers = _FIRST_NUMBER
        surroundings.observer.on_sent = self._sent

    def as_json(self) -> list[dict[str, Any]]:
        """The faults that are set."""
        return [fault.as_json() for fault in self._faults]

    async def add(self, asked: Mapping[str, Any]) -> None:
        """Set `{"machine", "function", "times"}`; raises `PageError`."""
        kind, function, times = asked.get("machine"), asked.get("function"), asked.get("times", 1)
        if kind not in _WORDS:
            raise PageError(400, f"machine is one of {', '.join(_WORDS)}")
        if not isinstance(times, int) or isinstance(times, bool) or times < 1:
            raise PageError(400, "times is a whole number from 1")
        is_kill = kind == "kill_function"
        if is_kill and function not in {"forward_mobile", "forward_web"}:
            raise PageError(400, "function is forward_mobile or forward_web")
        if not is_kill and any(fault.machine == kind for fault in self._faults):
            raise PageError(409, "this fault is set already")
        fault = _Fault(
            self._numbers, str(kind), str(function) if is_kill else None, times if is_kill else None
        )
        self._numbers += 1
        await self._switch(fault, is_on=True)
        self._faults.append(fault)
        self._surroundings.observer.journal.changed()

    async def remove(self, number: int) -> bool:
        """End a fault; False if it is not set."""
        fault = next((one for one in self._faults if one.number == number), None)
        if fault is None:
            return False
        self._faults.remove(fault)
        await self._switch(fault, is_on=False)
        self._surroundings.observer.journal.changed()
        return True

    async def clear(self) -> None:
        """End all faults."""
        for fault in list(self._faults):
            await self.remove(fault.number)

    async def _switch(self, fault: _Fault, *, is_on: bool) -> None:
        if fault.machine == "appsflyer_unreachable":
            server = self._surroundings.stand_in_server
            await (server.pause() if is_on else server.resume())
        elif fault.machine == "parameter_store_down":
            await self._surroundings.aws.call(self._tell_moto, is_on)

    def _tell_moto(self, is_on: bool) -> None:  # noqa: FBT001 - handed on by position
        url = f"{self._surroundings.aws.url}/_sandbox/ssm/{'down' if is_on else 'up'}"
        _NO_PROXY.open(urllib.request.Request(url, b"", method="POST")).close()

    def _sent(self, trace: Trace) -> None:
        """AppsFlyer has got a request: perhaps its function dies now."""
        function = "forward_web" if trace.surface == "web" else "forward_mobile"
        fault = next((one for one in self._faults if one.function == function), None)
        if fault is None:
            return
        fault.applied += 1
        if fault.times is not None and fault.applied >= fault.times:
            self._faults.remove(fault)
        self._surroundings.functions[function].kill_busy()
        self._surroundings.observer.journal.changed()
