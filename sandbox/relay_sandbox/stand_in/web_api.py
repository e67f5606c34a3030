"""AppsFlyer's two web endpoints: 202 means recorded, 400 means an invalid event.

Where AppsFlyer's documentation is silent, the stand-in responds as follows:

- the credentials are checked first, then the account, the content type, and last the event;
- null, an unknown field and a wrong type are all 400 (W1-W13);
- a `customer_dedup_id` is unique within one app and kind: an event and a visit may share it;
- a time that is no Unix time in milliseconds before the year 9999 is 400 (W7); a time in seconds
  is read as January 1970, so the event counts as late (T8).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import ValidationError

from relay.domain.kinds import Kind
from relay.instants import recorded_web
from relay_sandbox.http.server import Response
from relay_sandbox.stand_in.accounts import Account, Accounts
from relay_sandbox.stand_in.calls import Call, Money, Verdict, is_json, printable
from relay_sandbox.stand_in.web_models import WebEvent, WebVisit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def judge(call: Call, accounts: Accounts, *, seen: bool) -> Verdict:
    """Decide what a web endpoint responds and records; `seen`: its dedup id is on record."""
    account = accounts.find(call.app_id, call.kind)
    if account is None or not account.has_token(_bearer_token(call)):
        return _refused(401, "Unauthorized", "E13: no such app, or the token is not its own")
    if account.blocked:
        return _refused(403, "Forbidden: app traffic is blocked", "E14: the app is blocked")
    if not is_json(call.request):
        text = "Unsupported media type: Content-Type must be application/json"
        return _refused(415, text, "E15: the content type is not application/json")
    try:
        event = _validated(call)
    except ValidationError as error:
        return _invalid(_problems(error))
    return _duplicate() if seen else _accepted(call, account, event)


def _bearer_token(call: Call) -> str:
    scheme, _, token = (call.request.header("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _validated(call: Call) -> WebEvent | WebVisit:
    model = WebEvent if call.kind is Kind.WEB_EVENT else WebVisit
    return model.model_validate(call.payload if call.payload is not None else {})


def _accepted(call: Call, account: Account, event: WebEvent | WebVisit) -> Verdict:
    return Verdict(
        response=_response(202, "accepted", "Event accepted", messageId=str(uuid.uuid4())),
        recorded=True,
        why="recorded",
        time=recorded_web(_instant(event.timestamp), call.arrived, account.time_zone),
        money=_money(event, account),
    )


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)


def _money(event: WebEvent | WebVisit, account: Account) -> Money:
    if isinstance(event, WebVisit):
        return Money(None, None, "a visit has no revenue")
    if event.event_revenue is None:
        return Money(None, None, "the event has no event_revenue")
    amount = format(Decimal(event.event_revenue), "f")
    if event.event_revenue_currency is None:
        return Money(amount, account.currency, "W4: the app's default currency is assumed")
    return Money(amount, event.event_revenue_currency, "as sent")


def _duplicate() -> Verdict:
    response = _response(202, "accepted", "Event accepted", messageId=str(uuid.uuid4()))
    why = "W11: dropped as duplicate of its customer_dedup_id"
    return Verdict(response, recorded=False, why=why)


def _invalid(problems: str) -> Verdict:
    return _refused(400, f"Invalid or missing fields: {problems}", f"E11: {problems}")


def _problems(error: ValidationError) -> str:
    details = error.errors(include_input=False, include_context=False, include_url=False)
    return printable(
        "; ".join(f"{'.'.join(map(str, d['loc'])) or 'body'}: {d['msg']}" for d in details)
    )


def _refused(status: int, message: str, why: str) -> Verdict:
    return Verdict(_response(status, "error", message), recorded=False, why=why)


def _response(http_status: int, status: str, message: str, **more: str) -> Response:
    return Response.json(http_status, {"status": status, "message": message, **more})
