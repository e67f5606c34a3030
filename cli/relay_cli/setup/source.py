"""`relay setup source add`: an account at a payment provider."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from relay.config.sources import NAME, parse_sources
from relay.errors import ConfigurationError
from relay.exact_json import loads
from relay.payments.providers.registry import PROVIDERS, source_settings
from relay_cli.settings.forms import secret_doubts, secret_faults
from relay_cli.settings.judge import SOURCES, Settings
from relay_cli.settings.parameters import Parameters
from relay_cli.terminal.console import stderr_console
from relay_cli.terminal.errors import CliError

_ALL: Final = "relay setup token rotate source"


def add_source(
    parameters: Parameters, name: str, provider: str, apps: Mapping[str, Sequence[str]]
) -> None:
    """Adds the source to the parameter of all; raises `CliError`."""
    entry = {"provider": provider, "apps": {key: list(ids) for key, ids in apps.items() if ids}}

    def with_entry(sources: dict[str, Any]) -> dict[str, Any]:
        if name in sources and sources[name] != entry:
            raise CliError(
                f"there is a source named {name} with other settings. Nothing was written: take "
                "another name, or `relay setup remove source` it first"
            )
        return {**sources, name: entry}

    change_sources(parameters, with_entry, name)


def remove_source(parameters: Parameters, name: str) -> None:
    """Takes a source out; its secrets too. Raises `CliError`."""

    def without(sources: dict[str, Any]) -> dict[str, Any]:
        if name not in sources:
            raise CliError(f"there is no source named {name}")
        return {key: value for key, value in sources.items() if key != name}

    change_sources(parameters, without, None)
    parameters.remove([secrets_name(name)])


def change_sources(
    parameters: Parameters,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    name: str | None,
) -> None:
    """Writes the changed sources; `name` is that of an entry that must be right."""
    key = parameters.full_name(SOURCES)

    def write(there: str | None) -> str:
        before = there or "{}"
        try:
            parse_sources(key, before, source_settings())
        except ConfigurationError as error:
            raise CliError(f"{error}. Nothing was written: correct it first") from None
        content = change(loads(before))
        text = before if content == loads(before) and there else json.dumps(content)
        for other, entry in parse_sources(key, text, source_settings()).items():
            if not isinstance(entry, str):
                continue
            if other == name:
                raise CliError(f"{key}: {entry}. Nothing was written")
            stderr_console().print(f"{key}: {entry}. It is left as it is.")
        return text

    parameters.change(SOURCES, write, secure=False)


def check_name(name: str) -> None:
    """Raises `CliError` for a name that no URL of a webhook can have."""
    if not NAME.fullmatch(name):
        raise CliError("a source's name has a-z, 0-9 and -, at most 63, and does not begin with -")


def check_provider(provider: str) -> None:
    """Raises `CliError` for a provider that the relay does not know."""
    if provider not in PROVIDERS:
        raise CliError(f"no such provider; there are {', '.join(PROVIDERS)}")


def check_secrets(provider: str, text: str, now: datetime) -> None:
    """Raises `CliError` for secrets that verify nothing; tells what looks odd."""
    for fault in secret_faults(provider, text, now):
        raise CliError(f"the secret is of no use: {fault}. Nothing was written")
    for doubt in secret_doubts(provider, text):
        stderr_console().print(f"Take care: {doubt}.")


def apps_by_surface(settings: Settings, app_ids: Sequence[str]) -> dict[str, list[str]]:
    """The apps by the surfaces on which they are set up; raises `CliError`."""
    found: dict[str, list[str]] = {"mobile": [], "web": []}
    for app_id in app_ids:
        surfaces = settings.surfaces_of(app_id)
        if not surfaces:
            raise CliError(
                f"no app {app_id} is set up, and so nobody knows whether it is mobile or web: "
                f"`relay setup app add {app_id}` first. Nothing was written"
            )
        for surface in surfaces:
            found[surface.value].append(app_id)
    return found


def secrets_name(name: str) -> str:
    """The parameter with a source's secrets, without the prefix."""
    return f"webhook_secrets/{name}"


def put_secrets(parameters: Parameters, name: str, secrets: str) -> None:
    """Writes the secrets of a new source; raises `CliError` if it has others."""

    def write(there: str | None) -> str:
        if there is not None and there.split() != secrets.split():
            raise CliError(
                f"there are other secrets for a source named {name}. Nothing was written: `{_ALL} "
                f"{name}` takes a new one, and the old one works on meanwhile"
            )
        return secrets if there is None else there

    parameters.change(secrets_name(name), write, secure=True)
