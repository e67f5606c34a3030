"""AppsFlyer's accounts, changed from the page."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from relay_sandbox.page.answers import PageError
from relay_sandbox.page.surroundings import Surroundings


async def change(surroundings: Surroundings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Change `{"app_id", "state", "time_zone", "key"}`; raises `PageError`.

    `key` "renew" makes a new S2S key, and gives it to AppsFlyer and to the relay, whose processes
    begin anew: one that was refused is remembered for a minute. "revoked" takes every key from
    AppsFlyer.
    """
    accounts = surroundings.stand_in.accounts
    wanted = {name: asked[name] for name in ("app_id", "state", "time_zone") if name in asked}
    known = {str(one["app_id"]): str(one["kind"]) for one in accounts.as_json()}
    app_id = str(asked.get("app_id"))
    if app_id not in known:
        raise PageError(404, "AppsFlyer has no app of this id")
    if asked.get("key") == "renew":
        wanted["tokens"] = (await _new_key(surroundings, known[app_id], app_id),)
    elif asked.get("key") == "revoked":
        wanted["tokens"] = ()
    try:
        accounts.put([accounts.with_change(wanted)])
    except ValidationError as error:
        raise PageError(
            400, "state is open or blocked, time_zone a name of the tz database"
        ) from error
    if asked.get("key") == "renew":
        await surroundings.functions[f"forward_{known[app_id]}"].retire()
    surroundings.observer.journal.changed()
    return {"apps": accounts.as_json()}


async def _new_key(surroundings: Surroundings, kind: str, app_id: str) -> str:
    aws, key = surroundings.aws, secrets.token_urlsafe(24)
    name = f"{surroundings.parameter_prefix}/tokens/{kind}/{app_id}"
    await aws.call(aws.ssm.put_parameter, Name=name, Value=key, Type="SecureString", Overwrite=True)
    return key
