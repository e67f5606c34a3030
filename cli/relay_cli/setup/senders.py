"""`relay setup producer`, and the like for who pushes installs: who may call the HTTP API."""

import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from relay.config.producers import Broken, parse_producers, token_digest
from relay.errors import ConfigurationError
from relay.exact_json import loads
from relay_cli.settings.judge import Settings
from relay_cli.settings.parameters import Parameters
from relay_cli.terminal.console import stderr_console
from relay_cli.terminal.errors import CliError

MOST_TOKENS: Final = 5
"""The hashes of one entry (`relay.config.producers`)."""

Entry = dict[str, Any]


class Senders(NamedTuple):
    """The entries of one parameter. What is wrong in entries of others stays as it is."""

    parameters: Parameters
    parameter: str

    def add(self, name: str, apps: Sequence[str]) -> str:
        """Adds an entry; returns its token, which is kept nowhere. Raises `CliError`."""
        token = new_token()
        entry = {"name": name, "token_sha256": [token_digest(token)], "apps": list(apps)}

        def with_entry(entries: list[Entry]) -> list[Entry]:
            if _find(entries, name):
                raise CliError(
                    f"there is a sender named {name}. Nothing was written: `relay setup producer "
                    f"allow {name} --app ID` lets it send for more apps, and `relay setup token "
                    "rotate` gives it a new token"
                )
            return [*entries, entry]

        self._change(with_entry, name)
        return token

    def allow(self, name: str, apps: Sequence[str]) -> None:
        """Lets a sender send for more apps; raises `CliError`."""

        def with_apps(entry: Entry) -> Entry:
            return {**entry, "apps": list(dict.fromkeys([*entry.get("apps", []), *apps]))}

        self._change_one(name, with_apps)

    def rotate(self, name: str) -> str:
        """Gives a sender one more token, the first of its list; raises `CliError`."""
        token = new_token()

        def with_token(entry: Entry) -> Entry:
            digests = [token_digest(token), *entry.get("token_sha256", [])]
            if len(digests) > MOST_TOKENS:
                raise CliError(
                    f"{name} has {MOST_TOKENS} tokens, and may not have more. Nothing was written: "
                    "--finish takes all but the newest from it"
                )
            return {**entry, "token_sha256": digests}

        self._change_one(name, with_token)
        return token

    def finish(self, name: str) -> None:
        """Takes all tokens but the newest from a sender; raises `CliError`."""
        self._change_one(
            name, lambda entry: {**entry, "token_sha256": entry.get("token_sha256", [])[:1]}
        )

    def remove(self, name: str) -> None:
        """Takes a sender out; raises `CliError`."""

        def without(entries: list[Entry]) -> list[Entry]:
            self._must_have(entries, name)
            return [entry for entry in entries if not _is_named(entry, name)]

        self._change(without, None)

    def _change_one(self, name: str, change: Callable[[Entry], Entry]) -> None:
        def changed(entries: list[Entry]) -> list[Entry]:
            self._must_have(entries, name)
            return [change(one) if _is_named(one, name) else one for one in entries]

        self._change(changed, name)

    def _must_have(self, entries: Sequence[Entry], name: str) -> None:
        if not _find(entries, name):
            raise CliError(f"there is no sender named {name} in {self._key}")

    @property
    def _key(self) -> str:
        return self.parameters.full_name(self.parameter)

    def _change(self, change: Callable[[list[Entry]], list[Entry]], name: str | None) -> None:
        """Writes the changed list; `name` is that of an entry that must be right in it."""

        def write(there: str | None) -> str:
            entries = self._entries(there or "[]")
            text = json.dumps(change(entries), separators=(",", ":"))
            self._check(text, name)
            return text

        self.parameters.change(self.parameter, write, secure=True)

    def _entries(self, text: str) -> list[Entry]:
        try:
            parse_producers(self._key, text)
        except ConfigurationError as error:
            raise CliError(f"{error}. Nothing was written: correct it first") from None
        content: list[Entry] = loads(text)
        return content

    def _check(self, text: str, name: str | None) -> None:
        """Raises `CliError` if our entry is wrong; tells of others."""
        broken = parse_producers(self._key, text).broken
        places = [number for number, one in enumerate(loads(text)) if _is_named(one, name)]
        for one in broken:
            if _place(one) in places:
                raise CliError(f"{self._key}: {one.problem}. Nothing was written")
            stderr_console().print(f"{self._key}: entry {one.problem}. It is left as it is.")


def new_token() -> str:
    """A bearer token: 256 random bits, 43 letters."""
    return secrets.token_urlsafe(32)


def unknown_apps(settings: Settings, apps: Sequence[str]) -> list[str]:
    """Those that are not set up."""
    return [one for one in apps if one != "*" and not settings.surfaces_of(one)]


def _find(entries: Sequence[Entry], name: str) -> bool:
    return any(_is_named(entry, name) for entry in entries)


def _is_named(entry: object, name: str | None) -> bool:
    return isinstance(entry, dict) and entry.get("name") == name


def _place(broken: Broken) -> int:
    return int(broken.problem.partition(":")[0].partition(".")[0])
