"""The end of a set-up: what the HTTP API says to it. Nothing is queued, and no money moves."""

import json
import shlex
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from importlib import import_module
from typing import Any, Final

from relay.domain.kinds import Surface
from relay.domain.movements import Treatment
from relay.payments.providers.registry import PROVIDERS
from relay_cli.clients.http import Response, call
from relay_cli.clients.installation import Installation
from relay_cli.payments.signing import sign
from relay_cli.settings.forms import sample_body, settings_of
from relay_cli.terminal.errors import CliError

_TRIES: Final = 8
_PAUSE_SECONDS: Final = 2.0
"""The API reads what it does not know again every 10 seconds, where few processes run."""
_NOT_KNOWN_YET: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE}
)
_STALE: Final = timedelta(days=2)

SAMPLES: Final[Mapping[Surface, Mapping[str, Any]]] = {
    Surface.MOBILE: {"appsflyer_id": "1624875600000-2718281", "eventName": "af_login"},
    Surface.WEB: {"user_id": {"customer_user_id": "user-1"}, "event_name": "af_login"},
}
"""An event for each surface that is right by every rule."""


def endpoint_of(installation: Installation, surface: Surface, app_id: str) -> str:
    """Where a producer posts its events."""
    return f"{installation.api}/v1/{surface}/{app_id}/events"


def webhook_url(installation: Installation, provider: str, source: str) -> str:
    """Where a provider posts its webhooks."""
    return f"{installation.api}/v1/payments/{provider}/{source}"


def curl_of(endpoint: str, surface: Surface, token: str) -> str:
    """A command that hands one event in."""
    body = shlex.quote(json.dumps(SAMPLES[surface]))
    return (
        f"curl -sS {shlex.quote(endpoint)} -H {shlex.quote(f'Authorization: Bearer {token}')} \\\n"
        f"  -H 'Content-Type: application/json' -d {body}"
    )


def preview_event(installation: Installation, surface: Surface, app_id: str, token: str) -> str:
    """What the API says to an event of a producer, in a sentence; raises `CliError`."""
    url = f"{endpoint_of(installation, surface, app_id)}?preview=true"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(SAMPLES[surface]).encode()
    response = _patiently(installation, lambda: call("POST", url, headers, body))
    if response.status == HTTPStatus.OK:
        return f"Preview: the API takes its events for {app_id} ({surface}). Nothing was sent."
    raise CliError(_refusal(installation, response))


def preview_webhook(
    installation: Installation, provider: str, source: str, secret: str, now: datetime
) -> str:
    """What the API says to a webhook signed by the secret, in a sentence; raises `CliError`.

    It is of a type that does not count. Where a provider has none, it was signed long ago, which
    the API tells only to who has the secret.
    """
    body = ignored(provider, sample_body(provider, now))
    expected = HTTPStatus.OK if body else HTTPStatus.BAD_REQUEST
    signed_at = now if body else now - _STALE
    signed = sign(provider, body or sample_body(provider, now), secret, signed_at)
    url = webhook_url(installation, provider, source)
    response = _patiently(installation, lambda: call("POST", url, signed.headers, signed.body))
    if response.status == expected:
        return "Preview: the API takes a webhook that this secret signs. Nothing was queued."
    raise CliError(_refusal(installation, response))


def _patiently(installation: Installation, ask: Callable[[], Response]) -> Response:
    """Asks until what was just set up is known, or for about a quarter of a minute."""
    response = ask()
    for _ in range(_TRIES):
        if response.status not in _NOT_KNOWN_YET:
            return response
        if installation.sandbox is not None:
            installation.sandbox.forget_settings()
            return ask()
        time.sleep(_PAUSE_SECONDS)
        response = ask()
    return response


def _refusal(installation: Installation, response: Response) -> str:
    detail = response.json().get("detail") or response.json().get("message") or ""
    later = (
        " It may not know the new settings yet: with many processes that takes up to ten minutes "
        "(docs/operations.md, Set up an app)."
        if response.status in _NOT_KNOWN_YET and installation.sandbox is None
        else ""
    )
    return f"it is written, but the API answers a preview {response.status}: {detail}.{later}"


def ignored(provider: str, body: bytes) -> bytes | None:
    """The webhook as one of a type that is only acknowledged, if the provider has any."""
    settings = settings_of(provider)
    (parsed, *_) = PROVIDERS[provider].parse(body, settings)
    for name in _ignored_types(provider):
        changed = json.dumps(_replaced(json.loads(body), parsed.type, name)).encode()
        treatments = {one.treatment for one in PROVIDERS[provider].parse(changed, settings)}
        if treatments == {Treatment.IGNORED}:
            return changed
    return None


def _ignored_types(provider: str) -> list[str]:
    try:
        kinds = import_module(f"{PROVIDERS[provider].__name__}.kinds")  # type: ignore[attr-defined]  # a provider is a module
    except ModuleNotFoundError:
        return []
    return list(getattr(kinds, "IGNORED", {}))


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, old, new) for inner in value]
    return new if value == old else value
