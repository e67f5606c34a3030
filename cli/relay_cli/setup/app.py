"""`relay setup app add`: an app's settings and its S2S token."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from relay.config.apps import AppSettings, parse_app, parse_tokens
from relay.domain.kinds import Surface
from relay.errors import ConfigurationError
from relay.exact_json import InvalidJsonError, loads
from relay_cli.clients.installation import Installation
from relay_cli.settings.forms import token_faults
from relay_cli.settings.judge import app_id_findings
from relay_cli.settings.parameters import Parameters
from relay_cli.terminal.console import stderr_console
from relay_cli.terminal.errors import CliError


class AppToAdd(NamedTuple):
    """An app; what is None stays as it is, or is the default."""

    id: str
    surface: Surface
    time_zone: str | None = None
    phone_region: str | None = None

    @property
    def settings_name(self) -> str:
        """Its settings parameter, without the prefix."""
        return f"apps/{self.surface}/{self.id}"

    @property
    def token_name(self) -> str:
        """Its token parameter, without the prefix."""
        return f"tokens/{self.surface}/{self.id}"


def check_id(app: AppToAdd) -> None:
    """Raises `CliError` if AppsFlyer can have no such app."""
    for finding in app_id_findings(app.surface, app.id):
        raise CliError(f"the app id {finding.message} ({finding.rule})")


def check_tokens(text: str) -> None:
    """Raises `CliError` for a token that no header can carry."""
    for fault in token_faults(text):
        raise CliError(f"the token is of no use: {fault}")


def add_app(installation: Installation, parameters: Parameters, app: AppToAdd, tokens: str) -> None:
    """Sets up an app, or adds to the settings of one that is; raises `CliError`."""
    check_id(app)
    check_tokens(tokens)
    settings_text(parameters, app, None)  # what is wrong with it is said before anything is written
    parameters.change(app.token_name, lambda there: _first_token(there, tokens, app), secure=True)
    changed = parameters.change(
        app.settings_name, lambda there: settings_text(parameters, app, there), secure=False
    )
    if (sandbox := installation.sandbox) is not None:
        parsed = parse_settings(parameters, app, _written(parameters, app.settings_name))
        known = _written(parameters, app.token_name).splitlines()
        sandbox.put_account(app.id, account_of(app.surface, parsed, known))
        sandbox.forget_settings()
    done = "is set up" if changed else "was set up like this before: nothing is changed"
    stderr_console().print(f"{app.id} ({app.surface}) {done}, in {installation.origin}.")


def _written(parameters: Parameters, name: str) -> str:
    stored = parameters.read(name)
    return stored.value if stored else ""


def account_of(surface: Surface, settings: AppSettings, tokens: Sequence[str]) -> dict[str, Any]:
    """The app as the sandbox's AppsFlyer shall know it."""
    return {"kind": surface.value, "tokens": list(tokens), "time_zone": settings.app.time_zone}


def parse_settings(parameters: Parameters, app: AppToAdd, text: str) -> AppSettings:
    """An app's settings as the relay reads them; raises `CliError`."""
    try:
        return parse_app(parameters.full_name(app.settings_name), app.surface, app.id, text)
    except ConfigurationError as error:
        raise CliError(f"{error}. Nothing was written") from None


def settings_text(parameters: Parameters, app: AppToAdd, there: str | None) -> str:
    """The settings with what is given; what else is there stays. Raises `CliError`."""
    given = {"time_zone": app.time_zone, "phone_region": app.phone_region}
    before: Any = {}
    if there is not None:
        parse_settings(parameters, app, there)
        before = _object(there)
    content = before | {name: value for name, value in given.items() if value is not None}
    if content == before and there is not None:
        return there
    text = json.dumps(content)
    parse_settings(parameters, app, text)
    return text


def _object(text: str) -> Any:
    try:
        return loads(text or "{}")
    except InvalidJsonError as error:
        raise CliError(f"the app's settings are {error}. Nothing was written") from None


def _first_token(there: str | None, tokens: str, app: AppToAdd) -> str:
    if there is None or not there.strip():
        return tokens
    known = {one.reveal() for one in parse_tokens(there)}
    if known.issuperset(tokens.splitlines()):
        return there
    raise CliError(
        f"{app.id} is set up with another token. Nothing was written: `relay setup token rotate "
        f"app {app.id} --surface {app.surface}` takes the new one, and the old one works on"
    )
