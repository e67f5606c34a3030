"""AppsFlyer's accounts, changed from the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from relay_sandbox.page.answers import PageError
from relay_sandbox.page.surroundings import Surroundings


async def change(surroundings: Surroundings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Change `{"app_id", "state", "time_zone", "key"}`; raises `PageError`.

    `key` "put_back" gives AppsFlyer the S2S key that the relay has of the app, "revoked" takes
    every key from it.
    """
    accounts = surroundings.stand_in.accounts
    wanted = {name: asked[name] for name in ("app_id", "state", "time_zone") if name in asked}
    known = {str(one["app_id"]): str(one["kind"]) for one in accounts.as_json()}
    app_id = str(asked.get("app_id"))
    if app_id not in known:
        raise PageError(404, "AppsFlyer has no app of this id")
    if asked.get("key") == "put_back":
        wanted["tokens"] = (await _key_of(surroundings, known[app_id], app_id),)
    elif asked.get("key") == "revoked":
        wanted["tokens"] = ()
    try:
        accounts.put([accounts.with_change(wanted)])
    except ValidationError as error:
        raise PageError(
            400, "state is open or blocked, time_zone a name of the tz database"
        ) from error
    surroundings.observer.journal.changed()
    return {"apps": accounts.as_json()}


async def _key_of(surroundings: Surroundings, kind: str, app_id: str) -> str:
    aws = surroundings.aws
    name = f"{surroundings.parameter_prefix}/tokens/{kind}/{app_id}"
    try:
        response = await aws.call(aws.ssm.get_parameter, Name=name, WithDecryption=True)
    except ClientError as error:
        raise PageError(409, "the relay has no S2S key of this app") from error
    return response["Parameter"]["Value"]
