"""Payment sources, from Parameter Store: settings and secrets.

sources                    JSON {name: settings}: all in one parameter, so that unknown names
                           in requests cost no reads
webhook_secrets/<source>   SecureString: one secret a line; several during a rotation. Adyen's may
                           also hold `basic_auth_sha256=<digest>`
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import ValidationError

from relay import telemetry
from relay.aws.parameter_store import ParameterStore
from relay.domain.payment_rules import SourceSettings
from relay.errors import ConfigurationError
from relay.exact_json import InvalidJsonError, loads
from relay.secrets import Secret
from relay.validation import first_fault

_SOURCES: Final = "sources"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


class _Parsed(NamedTuple):
    """The parsed parameter. An entry with a mistake is a text: what is wrong with it."""

    text: str
    entries: dict[str, SourceSettings | str]


class Sources:
    """The accounts at payment providers. Every method blocks.

    Every method raises `ParametersUnavailableError`, and `ConfigurationError` for a mistake in a
    parameter. A mistake in one entry stops only that source.
    """

    def __init__(self, store: ParameterStore, shape: type[SourceSettings]) -> None:
        """`shape`: an entry's, with the settings of all providers (`registry.source_settings`)."""
        self._store = store
        self._shape = shape
        self._parsed = _Parsed("", {})

    def expect_secrets(self, name: str) -> None:
        """Lets a call that is made anyway read the secrets of a source along."""
        if NAME.fullmatch(name):
            self._store.expect([_secrets_of(name)])

    def settings(self, name: str, *, at_leisure: bool = False) -> SourceSettings | None:
        """A source's settings; None if there is no such source.

        `at_leisure`: who asks may be a stranger (see `ParameterStore.read`). For an unknown name a
        few processes read the parameter again, at most every `REREAD_SECONDS`.
        """
        if not NAME.fullmatch(name):
            return None
        self._store.read([_SOURCES], vouched=True, at_leisure=at_leisure)
        if name not in self._entries():
            self._store.reread(_SOURCES, for_stranger=True)
        entry = self._entries().get(name)
        if isinstance(entry, str):
            raise ConfigurationError(self._store.full_name(_SOURCES), entry)
        return entry

    def secrets(self, name: str, *, at_leisure: bool = False) -> tuple[Secret, ...]:
        """The currently valid secrets of a source; at least one. `at_leisure` as above."""
        parameter = _secrets_of(name)
        self._store.read([parameter], vouched=True, at_leisure=at_leisure)
        if not self._store.value(parameter):
            self._store.reread(parameter, for_stranger=True)
        lines = (self._store.value(parameter) or "").splitlines()
        secrets = tuple(Secret(line.strip()) for line in lines if line.strip())
        if not secrets:
            raise ConfigurationError(self._store.full_name(parameter), "holds no secret")
        return secrets

    def reread_secrets(self, name: str) -> None:
        """For a signature that none of the cached secrets made, which a stranger may have sent.

        A few processes read the secrets again, at most every `REREAD_SECONDS`.
        """
        self._store.reread(_secrets_of(name), for_stranger=True)

    def _entries(self) -> dict[str, SourceSettings | str]:
        text = self._store.value(_SOURCES) or "{}"
        parsed = self._parsed
        if parsed.text != text:
            entries = parse_sources(self._store.full_name(_SOURCES), text, self._shape)
            self._parsed = parsed = _Parsed(text, entries)
            self._warn_of_outdated(entries)
        return parsed.entries

    def _warn_of_outdated(self, entries: Mapping[str, SourceSettings | str]) -> None:
        for name, entry in entries.items():
            if isinstance(entry, SourceSettings):
                for setting, (advice, place) in entry.outdated():
                    parameter = _SOURCES if place == _SOURCES else _secrets_of(name)
                    telemetry.logger().warning(
                        f"{setting} {advice}",
                        extra={"key": self._store.full_name(parameter), "source": name},
                    )


def parse_sources(
    key: str, text: str, shape: type[SourceSettings]
) -> dict[str, SourceSettings | str]:
    """The entries of the parameter by name; of one with a mistake, what is wrong with it.

    Raises `ConfigurationError` if the text is no object.
    """
    try:
        content = loads(text)
    except InvalidJsonError as error:
        raise ConfigurationError(key, str(error)) from None
    if not isinstance(content, dict):
        raise ConfigurationError(key, "must be a JSON object of sources by their names")
    return {name: _entry(name, value, shape) for name, value in content.items()}


def _entry(name: str, value: object, shape: type[SourceSettings]) -> SourceSettings | str:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        return f"{name}.{first_fault(error)}"


def _secrets_of(name: str) -> str:
    return f"webhook_secrets/{name}"
