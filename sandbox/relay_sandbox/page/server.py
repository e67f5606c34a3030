"""The page's server: files, a JSON API, and a stream of what changes.

It keeps what the sandbox's other servers promise (`http.access`): no other page may use it. Every
answer carries a strict CSP; what changes something takes JSON only.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from relay_sandbox.http.messages import Connection, Request, Response
from relay_sandbox.journal.trace import Trace
from relay_sandbox.page import apps, dead_letters, entries, identities
from relay_sandbox.page.answers import SECURITY, PageError, as_json, body_of, error, file_of
from relay_sandbox.page.check import check
from relay_sandbox.page.cures import cure_of
from relay_sandbox.page.dashboard import dashboard
from relay_sandbox.page.find import ended, find
from relay_sandbox.page.machine import Machine
from relay_sandbox.page.payments import Payments
from relay_sandbox.page.samples import samples
from relay_sandbox.page.state import state_of
from relay_sandbox.page.stream import MOST_ROWS, Stream
from relay_sandbox.page.surroundings import Surroundings
from relay_sandbox.stand_in import Fault

FILES: Final = Path(__file__).with_name("static")
_LOGGER = logging.getLogger(__name__)
_FEW_ROWS: Final = 200

_Answer = Awaitable[Any]
_Route = Callable[[Request, list[str]], _Answer]


class Page:
    """The page of one sandbox; `handle` serves it."""

    def __init__(self, surroundings: Surroundings, files: Path = FILES) -> None:
        self._surroundings = surroundings
        self._files = files
        self._stream = Stream(surroundings)
        self._machine = Machine(surroundings)
        self._told = Payments(surroundings)
        surroundings.machine_faults = self._machine.as_json
        self._routes: dict[tuple[str, str], _Route] = {
            ("GET", "state"): self._state,
            ("GET", "traces"): self._traces,
            ("GET", "traces/*"): self._trace,
            ("POST", "traces/*/again"): self._again,
            ("POST", "check"): self._check,
            ("POST", "send"): self._send,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._set_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("DELETE", "faults/*"): self._clear_fault,
            ("POST", "apps"): self._change_app,
            ("POST", "settings/forget"): self._forget_settings,
            ("POST", "find"): self._find,
            ("POST", "ended"): self._ended,
            ("GET", "dead-letters"): self._dead_letters,
            ("POST", "dead-letters/redrive"): self._redrive,
            ("POST", "dead-letters/drop"): self._drop,
            ("GET", "samples"): self._samples,
            ("GET", "identities"): self._identities,
            ("POST", "identities"): self._add_identity,
            ("GET", "dashboard"): self._dashboard,
            ("GET", "payments"): self._payments,
            ("POST", "payments/tell"): self._tell,
        }

    async def handle(self, request: Request, _connection: Connection) -> Response:
        """Serve one request."""
        if request.path == "/api/stream" and request.method in {"GET", "HEAD"}:
            return self._open_stream(request)
        if not request.path.startswith("/api/"):
            return self._file(request)
        try:
            return as_json(await self._answer(request))
        except PageError as problem:
            return error(problem.status, str(problem))

    def _file(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return error(405, "this takes GET")
        return file_of(self._files, request) or error(404, "there is no such page")

    def _open_stream(self, request: Request) -> Response:
        last_id = request.header("last-event-id") or dict(request.parameters).get("last_event_id")
        headers = (
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            *SECURITY,
        )
        return Response(200, headers, stream=self._stream.messages(last_id))

    async def _answer(self, request: Request) -> Any:
        parts = request.path.removeprefix("/api/").rstrip("/").split("/")
        methods = {
            method: route
            for (method, shape), route in self._routes.items()
            if _matches(shape, parts)
        }
        if not methods:
            raise PageError(404, "there is no such address")
        if request.method not in methods:
            raise PageError(405, f"this address takes {', '.join(methods)}")
        return await methods[request.method](request, parts)

    # What there is

    async def _state(self, _request: Request, _parts: list[str]) -> Any:
        return state_of(self._surroundings)

    async def _traces(self, request: Request, _parts: list[str]) -> Any:
        asked = dict(request.parameters)
        limit = asked.get("limit", str(_FEW_ROWS))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_ROWS):
            raise PageError(400, f"limit is a number from 1 to {MOST_ROWS}")
        found = self._surroundings.observer.journal.newest(int(limit), asked.get("before"))
        return {"traces": [trace.row() for trace in found]}

    async def _trace(self, _request: Request, parts: list[str]) -> Any:
        trace = self._found(parts[1])
        return {**trace.as_json(), "cure": cure_of(trace)}

    def _found(self, key: str) -> Trace:
        trace = self._surroundings.observer.journal.get(key)
        if trace is None:
            raise PageError(404, "there is no such event, or it is no longer kept")
        return trace

    # Events

    async def _again(self, request: Request, parts: list[str]) -> Any:
        body_of(request)
        return await entries.send_again(self._surroundings, self._found(parts[1]))

    async def _check(self, request: Request, _parts: list[str]) -> Any:
        return check(self._surroundings, body_of(request))

    async def _send(self, request: Request, _parts: list[str]) -> Any:
        return await entries.send(self._surroundings, body_of(request))

    # Faults

    async def _faults(self, _request: Request, _parts: list[str]) -> Any:
        own = self._surroundings.stand_in.faults.as_json()
        return {"faults": [*own, *self._machine.as_json()]}

    async def _set_fault(self, request: Request, parts: list[str]) -> Any:
        asked = body_of(request)
        if "machine" in asked:
            await self._machine.add(asked)
            return await self._faults(request, parts)
        try:
            fault = Fault.model_validate(asked)
        except ValidationError as problem:
            details = problem.errors(include_input=False, include_context=False, include_url=False)
            text = "; ".join(f"{'.'.join(map(str, d['loc']))} {d['msg']}" for d in details)
            raise PageError(400, text.strip()) from problem
        self._surroundings.stand_in.faults.add([fault])
        return await self._faults(request, parts)

    async def _clear_faults(self, request: Request, parts: list[str]) -> Any:
        self._surroundings.stand_in.faults.clear()
        await self._machine.clear()
        return await self._faults(request, parts)

    async def _clear_fault(self, request: Request, parts: list[str]) -> Any:
        number = parts[1]
        is_number = number.isascii() and number.isdigit()
        faults = self._surroundings.stand_in.faults
        if not is_number or not (
            faults.remove(int(number)) or await self._machine.remove(int(number))
        ):
            raise PageError(404, "this fault is not set")
        return await self._faults(request, parts)

    async def _change_app(self, request: Request, _parts: list[str]) -> Any:
        return await apps.change(self._surroundings, body_of(request))

    # For commands

    async def _forget_settings(self, request: Request, _parts: list[str]) -> Any:
        """Let every function read its settings anew, which it may have kept for five minutes."""
        body_of(request)
        for function in self._surroundings.functions.values():
            await function.retire()
        return {}

    async def _find(self, request: Request, _parts: list[str]) -> Any:
        return find(self._surroundings, body_of(request))

    async def _ended(self, request: Request, _parts: list[str]) -> Any:
        return await ended(self._surroundings, body_of(request))

    # Dead letters, samples, identities, payments

    async def _dead_letters(self, _request: Request, _parts: list[str]) -> Any:
        return dead_letters.groups(self._surroundings)

    async def _redrive(self, request: Request, _parts: list[str]) -> Any:
        return await dead_letters.act(self._surroundings, body_of(request), drops=False)

    async def _drop(self, request: Request, _parts: list[str]) -> Any:
        return await dead_letters.act(self._surroundings, body_of(request), drops=True)

    async def _samples(self, _request: Request, _parts: list[str]) -> Any:
        return samples(self._surroundings.samples)

    async def _identities(self, _request: Request, _parts: list[str]) -> Any:
        return await identities.identities(self._surroundings)

    async def _add_identity(self, request: Request, _parts: list[str]) -> Any:
        return await identities.add(self._surroundings, body_of(request))

    async def _dashboard(self, _request: Request, _parts: list[str]) -> Any:
        return await dashboard(self._surroundings)

    async def _payments(self, _request: Request, _parts: list[str]) -> Any:
        return self._told.overview()

    async def _tell(self, request: Request, _parts: list[str]) -> Any:
        return await self._told.tell(body_of(request))


def _matches(shape: str, parts: list[str]) -> bool:
    names = shape.split("/")
    return len(names) == len(parts) and all(
        name in {"*", part} for name, part in zip(names, parts, strict=True)
    )
