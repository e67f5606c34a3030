"""Identities on the page: who customers are to AppsFlyer, who waits for that, and adding one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from relay.exact_json import dumps
from relay.instants import from_milliseconds, iso_form, mobile_form
from relay_sandbox.journal.reading import payload_object, shown
from relay_sandbox.journal.trace import Fate
from relay_sandbox.page.answers import PageError
from relay_sandbox.page.entries import request
from relay_sandbox.page.surroundings import Surroundings

_MOST: Final = 1_000
_LONG_AGO: Final = timedelta(minutes=10)
"""Events wait for a minute after an install (S3): this one was before that."""


async def identities(surroundings: Surroundings) -> dict[str, Any]:
    """Who is known, and the events that wait for who is not."""
    aws = surroundings.aws
    table = surroundings.ready["identities_table"]
    response = await aws.call(aws.client("dynamodb").scan, TableName=table, Limit=_MOST)
    known = [_described(item) for item in response.get("Items", [])]
    waiting = [
        {**trace.row(), "customer_user_id": _customer(trace.event)}
        for trace in surroundings.observer.journal
        if trace.outcome is Fate.HELD and trace.reason == "identity_unknown"
    ]
    return {
        "identities": sorted(known, key=lambda one: str(one["installed_at"])),
        "waiting": waiting,
    }


def _described(item: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: next(iter(value.values())) for name, value in item.items()}
    installed = str(plain.get("installed_at", ""))
    moment = from_milliseconds(int(installed)) if installed.isdigit() else None
    return {
        "customer_user_id": shown(str(plain.get("pk", ""))),
        "app_id": shown(str(plain.get("sk", ""))),
        "appsflyer_id": shown(str(plain.get("appsflyer_id", ""))),
        "platform": plain.get("platform"),
        "installed_at": iso_form(moment) if moment else None,
    }


def _customer(event: str | None) -> str | None:
    customer = payload_object(event or "").get("customer_user_id")
    return shown(str(customer)) if customer is not None else None


async def add(surroundings: Surroundings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Tell of an install, as AppsFlyer's Push API does; raises `PageError`."""
    names = ("app_id", "customer_user_id", "appsflyer_id")
    given = {name: asked.get(name) for name in names}
    if not all(isinstance(value, str) and value for value in given.values()):
        raise PageError(400, f"{', '.join(names)} are texts, and not empty")
    installed = surroundings.observer.clock() - _LONG_AGO
    body = dumps({**given, "install_time": mobile_form(installed), "platform": "android"})
    url = (
        f"{surroundings.ready['api']}/v1/appsflyer/installs/{quote(str(given['app_id']), safe='')}"
    )
    headers = {
        "Authorization": f"Bearer {surroundings.ready['push_token']}",
        "Content-Type": "application/json",
    }
    status, answer = await surroundings.aws.call(request, url, headers, body)
    if status != 200:  # noqa: PLR2004 - OK
        detail = answer.get("detail") if isinstance(answer, dict) else None
        raise PageError(status, str(detail or "the HTTP API did not take it"))
    return {"answer": answer}
