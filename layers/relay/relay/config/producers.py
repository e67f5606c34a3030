"""Who may call the HTTP API: producers, and push senders, who report installs.

Both are SecureStrings (`producers`, `push_senders`) with the same form: a JSON list of
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
    """A client that may send events, identified by the hash of a bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    token_sha256: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(max_length=5)
    ]
    """Several during a rotation."""
    apps: tuple[str, ...]
    """App ids, or `*` for every configured app."""

    def may_send_for(self, app_id: str) -> bool:
        """Whether this producer may send for an app."""
        return app_id in self.apps or "*" in self.apps


_PRODUCERS: Final = TypeAdapter(tuple[Producer, ...])


class Producers:
    """The producers in a parameter."""

    def __init__(self, store: ParameterStore, parameter: str = "producers") -> None:
        self._store = store
        self._parameter = parameter
        self._parsed: tuple[str, tuple[Producer, ...]] = ("", ())

    def by_token(self, token: str) -> Producer | None:
        """The producer of a bearer token; None for an unknown token.

        Every hash is compared, in constant time. For an unknown token the parameter is read again,
        at most every `REREAD_SECONDS`; blocking. Raises `ConfigurationError` and
        `ParametersUnavailableError`.
        """
        digest = token_digest(token)
        self._store.read([self._parameter])
        producer = self._find(digest)
        if producer is None:
            self._store.reread(self._parameter)
            producer = self._find(digest)
        return producer

    def _find(self, digest: str) -> Producer | None:
        match = None
        for producer in self._all():
            for known in producer.token_sha256:
                if hmac.compare_digest(known, digest):
                    match = producer
        return match

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
    """The stored form of a producer's token: SHA-256, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
