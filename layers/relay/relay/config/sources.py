"""Payment sources, from Parameter Store: settings and secrets.

sources                    JSON {name: SourceSettings}: all of them in one, so that names that
                           strangers make up cost no reads
webhook_secrets/<source>   SecureString: one secret a line; several while one is rotated
"""

import re
from typing import Final, NamedTuple

from pydantic import ValidationError

from relay.aws.parameter_store import ParameterStore
from relay.domain.payment_rules import SourceSettings
from relay.errors import ConfigurationError
from relay.exact_json import InvalidJsonError, loads
from relay.secrets import Secret
from relay.validation import first_fault

_SOURCES: Final = "sources"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


class _Parsed(NamedTuple):
    """The parameter, parsed. For an entry with a mistake stands what is wrong with it."""

    text: str
    entries: dict[str, SourceSettings | str]


class Sources:
    """The accounts at payment providers. Its methods block.

    Each raises `ParametersUnavailableError`, and `ConfigurationError` where a person made a
    mistake: one in an entry stops that source only.
    """

    def __init__(self, store: ParameterStore) -> None:
        self._store = store
        self._parsed = _Parsed("", {})

    def settings(self, name: str) -> SourceSettings | None:
        """A source's settings; None when there is no such source.

        A name that is not there makes us read the parameter again, at most every ten seconds.
        """
        if not NAME.fullmatch(name):
            return None
        self._store.read([_SOURCES])
        if name not in self._entries():
            self._store.reread(_SOURCES)
        entry = self._entries().get(name)
        if isinstance(entry, str):
            raise ConfigurationError(self._store.full_name(_SOURCES), entry)
        return entry

    def secrets(self, name: str) -> tuple[Secret, ...]:
        """The secrets of a source that are valid at present; at least one."""
        parameter = _secrets_of(name)
        self._store.read([parameter])
        if not self._store.value(parameter):
            self._store.reread(parameter)
        lines = (self._store.value(parameter) or "").splitlines()
        found = tuple(Secret(line.strip()) for line in lines if line.strip())
        if not found:
            raise ConfigurationError(self._store.full_name(parameter), "holds no secret")
        return found

    def latest_secrets(self, name: str) -> tuple[Secret, ...]:
        """The same, read again at most every ten seconds: for a signature by none that is known."""
        self._store.reread(_secrets_of(name))
        return self.secrets(name)

    def _entries(self) -> dict[str, SourceSettings | str]:
        text = self._store.value(_SOURCES) or "{}"
        parsed = self._parsed
        if parsed.text != text:
            entries = {name: _entry(name, given) for name, given in self._read(text).items()}
            self._parsed = parsed = _Parsed(text, entries)
        return parsed.entries

    def _read(self, text: str) -> dict[str, object]:
        try:
            content = loads(text)
        except InvalidJsonError as error:
            raise ConfigurationError(self._store.full_name(_SOURCES), str(error)) from None
        if not isinstance(content, dict):
            problem = "must be a JSON object of sources by their names"
            raise ConfigurationError(self._store.full_name(_SOURCES), problem)
        return content


def _secrets_of(name: str) -> str:
    return f"webhook_secrets/{name}"


def _entry(name: str, given: object) -> SourceSettings | str:
    try:
        return SourceSettings.model_validate(given)
    except ValidationError as error:
        return f"{name}.{first_fault(error)}"
