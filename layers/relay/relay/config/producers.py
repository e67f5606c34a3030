"""Who may call the HTTP API: producers, and in the same form those who tell of installs.

SecureStrings `producers` and `push_senders`: a JSON list of
{"name", "token_sha256": [...], "apps": [...]}.
"""

import hashlib
import hmac
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from relay.aws.parameter_store import ParameterStore
from relay.errors import ConfigurationError
from relay.validation import first_fault


class Producer(BaseModel):
    """Somebody who may send events, known by the hash of a bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    token_sha256: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(max_length=5)
    ]
    """Several at once while a token is rotated."""
    apps: tuple[str, ...]
    """App ids, or `*` for every app that is set up."""

    def may_send_for(self, app_id: str) -> bool:
        """Whether this producer may send for an app."""
        return app_id in self.apps or "*" in self.apps


_PRODUCERS: Final = TypeAdapter(tuple[Producer, ...])


class Producers:
    """Who may call the HTTP API, by the parameter of that name."""

    def __init__(self, store: ParameterStore, parameter: str = "producers") -> None:
        self._store = store
        self._parameter = parameter
        self._parsed: tuple[str, tuple[Producer, ...]] = ("", ())

    def by_token(self, token: str) -> Producer | None:
        """The producer of a bearer token; None when nobody has it.

        Every hash is compared, in constant time. A stranger's token makes us read the parameter
        again, at most every `REREAD_SECONDS`. Raises `ConfigurationError` and
        `ParametersUnavailableError`.
        """
        digest = token_digest(token)
        self._store.read([self._parameter])
        found = self._find(digest)
        if found is None:
            self._store.reread(self._parameter)
            found = self._find(digest)
        return found

    def _find(self, digest: str) -> Producer | None:
        found = None
        for producer in self._all():
            for known in producer.token_sha256:
                if hmac.compare_digest(known, digest):
                    found = producer
        return found

    def _all(self) -> tuple[Producer, ...]:
        text = self._store.value(self._parameter) or "[]"
        if self._parsed[0] != text:
            try:
                self._parsed = (text, _PRODUCERS.validate_json(text))
            except ValidationError as error:
                key = self._store.full_name(self._parameter)
                raise ConfigurationError(key, first_fault(error)) from None
        return self._parsed[1]


def token_digest(token: str) -> str:
    """How a producer's token is kept: SHA-256, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
