"""The control API under `/_standin`: read the ledger, set faults, change accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from relay.exact_json import InvalidJsonError, dumps, loads
from relay_sandbox.http.server import Request, Response
from relay_sandbox.stand_in.accounts import Account, Accounts
from relay_sandbox.stand_in.calls import is_json, printable
from relay_sandbox.stand_in.faults import Fault, Faults
from relay_sandbox.stand_in.guide import GUIDE
from relay_sandbox.stand_in.ledger import Entry, Ledger

PREFIX = "/_standin"
_FILTERS = ("app_id", "kind", "event_name", "recorded")

_Item = TypeVar("_Item")


class _BadCommandError(Exception):
    """An invalid command; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control API of a stand-in."""

    accounts: Accounts
    faults: Faults
    ledger: Ledger

    def handle(self, request: Request) -> Response:
        """Execute a command. 400 says what is wrong with it, 404, 405 and 415 what exists."""
        methods = self._commands().get(request.path.rstrip("/"))
        if methods is None:
            return _error_response(
                404, f"there is no {PREFIX} command of that name; see GET {PREFIX}"
            )
        command = methods.get(request.method)
        if command is None:
            allowed = ", ".join(methods)
            return _error_response(405, f"this takes {allowed}", (("allow", allowed),))
        if not _may_be_json(request):
            return _error_response(415, "a body is JSON here: add Content-Type: application/json")
        try:
            return _json_response(200, command(request))
        except _BadCommandError as error:
            return _error_response(400, str(error))

    def _commands(self) -> Mapping[str, Mapping[str, Callable[[Request], dict[str, Any]]]]:
        return {
            PREFIX: {"GET": lambda _: GUIDE},
            f"{PREFIX}/events": {"GET": self._events},
            f"{PREFIX}/faults": {
                "GET": lambda _: self._faults(),
                "POST": self._add_faults,
                "DELETE": lambda _: self._clear_faults(),
            },
            f"{PREFIX}/apps": {"GET": lambda _: self._apps(), "POST": self._change_apps},
            f"{PREFIX}/reset": {"POST": lambda _: self._reset()},
        }

    def _events(self, request: Request) -> dict[str, Any]:
        wanted = _filters(request)
        events = [entry.as_json() for entry in self.ledger if _matches(entry, wanted)]
        return {"events": events, "received": self.ledger.written}

    def _faults(self) -> dict[str, Any]:
        return {"faults": self.faults.as_json()}

    def _add_faults(self, request: Request) -> dict[str, Any]:
        self.faults.add(_parse_items(request, Fault.model_validate))
        return self._faults()

    def _clear_faults(self) -> dict[str, Any]:
        self.faults.clear()
        return self._faults()

    def _apps(self) -> dict[str, Any]:
        return {"apps": self.accounts.as_json()}

    def _change_apps(self, request: Request) -> dict[str, Any]:
        self.accounts.put(_parse_items(request, self._changed_account))
        return self._apps()

    def _changed_account(self, change: object) -> Account:
        return (
            self.accounts.with_change(change)
            if isinstance(change, dict)
            else Account.model_validate(change)
        )

    def _reset(self) -> dict[str, Any]:
        self.ledger.clear()
        self.faults.clear()
        return {"events": [], "faults": []}


def _may_be_json(request: Request) -> bool:
    """Whether a request says that its body is JSON, or has no body and says nothing.

    Another page's form or script can send any other type without asking first (CORS), not this one.
    """
    is_empty = not request.body and request.header("content-type") is None
    return request.method != "POST" or is_empty or is_json(request)


def _parse_items(request: Request, parse: Callable[[object], _Item]) -> list[_Item]:
    """Parse each object in the body, all or none."""
    try:
        parsed = loads(request.body)
    except InvalidJsonError as error:
        raise _BadCommandError(str(error)) from error
    try:
        return [parse(item) for item in (parsed if isinstance(parsed, list) else [parsed])]
    except ValidationError as error:
        raise _BadCommandError(_explanation(error)) from error


def _explanation(error: ValidationError) -> str:
    details = error.errors(include_input=False, include_context=False, include_url=False)
    faults = "; ".join(
        f"{'.'.join(map(str, detail['loc'])) or 'the whole'}: {detail['msg']}" for detail in details
    )
    fields = Fault.model_fields if error.title == Fault.__name__ else Account.model_fields
    return f"{faults}. Known fields: {', '.join(fields)}. GET {PREFIX} explains them"


def _filters(request: Request) -> dict[str, str]:
    wanted = dict(request.parameters)
    if unknown := sorted(wanted.keys() - set(_FILTERS)):
        message = f"no filter {', '.join(unknown)}; there are {', '.join(_FILTERS)}"
        raise _BadCommandError(message)
    if wanted.get("recorded", "true") not in ("true", "false"):
        message = "the filter recorded takes true or false"
        raise _BadCommandError(message)
    return wanted


def _matches(entry: Entry, wanted: Mapping[str, str]) -> bool:
    values = {
        "app_id": entry.app_id,
        "kind": entry.kind,
        "event_name": entry.event_name,
        "recorded": "true" if entry.recorded else "false",
    }
    return all(values[name] == value for name, value in wanted.items())


def _json_response(
    status: int, value: object, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    return Response(status, (("content-type", "application/json"), *headers), dumps(value))


def _error_response(
    status: int, message: str, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    return _json_response(status, {"error": printable(message)}, headers)
