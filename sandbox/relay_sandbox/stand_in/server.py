"""The stand-in: one handler for both of AppsFlyer's hosts and for the control API."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from relay.domain.kinds import Kind
from relay_sandbox.http.access import Access
from relay_sandbox.http.server import Connection, Request, Response, Server, utc_now
from relay_sandbox.stand_in import mobile_api, web_api
from relay_sandbox.stand_in.accounts import Account, Accounts
from relay_sandbox.stand_in.calls import Call, Verdict, parse_body, parse_path
from relay_sandbox.stand_in.control import PREFIX, Control
from relay_sandbox.stand_in.effects import apply, client_status
from relay_sandbox.stand_in.faults import Fault, Faults
from relay_sandbox.stand_in.ledger import Entry, Ledger

if TYPE_CHECKING:
    import ssl


class CallObserver(Protocol):
    """Is told of each request to AppsFlyer's endpoints, as it happens."""

    def began(self, call: Call) -> None:
        """AppsFlyer has read the request."""

    def judged(self, call: Call, entry: Entry) -> None:
        """AppsFlyer has recorded the event or not, and answers as `entry.status` says."""


class StandIn:
    """A local AppsFlyer. `clock` returns the current time (aware, UTC): events arrive then.

    `observer` is told of each request. Tests in the same process may use `accounts`, `faults` and
    `ledger` directly; the control API does the same over HTTP.
    """

    def __init__(
        self, accounts: Iterable[Account], *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.accounts = Accounts(accounts)
        self.faults = Faults()
        self.ledger = Ledger()
        self.observer: CallObserver | None = None
        self._clock = clock
        self._control = Control(self.accounts, self.faults, self.ledger)

    def server(
        self,
        *,
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        access: Access | None = None,
    ) -> Server:
        """Make a server for this stand-in; it listens inside its `async with` block."""
        return Server(
            self.handle, port=port, ssl_context=ssl_context, clock=self._clock, access=access
        )

    async def handle(self, request: Request, connection: Connection) -> Response | None:
        """Serve any request: AppsFlyer's three endpoints, the control API, 404 and 405."""
        if request.path == PREFIX or request.path.startswith(f"{PREFIX}/"):
            return self._control.handle(request)
        target = parse_path(request.path)
        if target is None:
            return Response.text(404, f"Not found; GET {PREFIX} tells what there is")
        if request.method != "POST":
            return Response.text(405, "Method not allowed; use POST", (("allow", "POST"),))
        call = Call(request, *target, arrived=self._clock(), payload=parse_body(request.body))
        return await self._serve(call, connection)

    async def _serve(self, call: Call, connection: Connection) -> Response | None:
        if self.observer:
            self.observer.began(call)
        fault = self.faults.trigger(call)
        if fault is None:
            return self._write_to_ledger(call, self._judge(call), None)
        if fault.recorded == "before":
            return await self._fail_before_recording(call, fault, connection)
        response = self._write_to_ledger(call, self._judge(call), fault)
        await asyncio.sleep(fault.latency_seconds)
        return await apply(fault, response, connection)

    async def _fail_before_recording(
        self, call: Call, fault: Fault, connection: Connection
    ) -> Response | None:
        """Apply a fault before the event is recorded, which may then never happen."""
        await asyncio.sleep(fault.latency_seconds)
        call = replace(call, arrived=self._clock())
        verdict = self._judge(call)
        if fault.replaces_response:
            self._write_to_ledger(call, _not_recorded(verdict, fault), fault)
            return await apply(fault, verdict.response, connection)
        try:
            response = await apply(fault, verdict.response, connection)
        except ConnectionError:
            self._write_to_ledger(call, _not_recorded(verdict, fault), fault)
            raise
        self._write_to_ledger(call, verdict, fault)
        return response

    def _judge(self, call: Call) -> Verdict:
        if call.kind is Kind.MOBILE_EVENT:
            return mobile_api.judge(call, self.accounts)
        return web_api.judge(call, self.accounts, seen=self.ledger.has_recorded(call))

    def _write_to_ledger(self, call: Call, verdict: Verdict, fault: Fault | None) -> Response:
        """Write a call to the ledger; return the usual response with its request id."""
        entry = self.ledger.write(
            call,
            verdict,
            self.accounts.zone(call.app_id),
            request_id := str(uuid.uuid4()),
            status=client_status(fault, verdict.response),
            fault=fault.name if fault else None,
        )
        if self.observer:
            self.observer.judged(call, entry)
        headers = (*verdict.response.headers, ("x-request-id", request_id))
        return replace(verdict.response, headers=headers)


def _not_recorded(verdict: Verdict, fault: Fault) -> Verdict:
    return Verdict(verdict.response, recorded=False, why=f"fault: {fault.name}")
