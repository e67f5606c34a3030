"""Who may call the HTTP API: producers, and push senders, who report installs.

Both are SecureStrings (`producers`, `push_senders`) with the same form: a JSON list of
{"name", "token_sha256": [...], "apps": [...]}. An entry with a mistake stops only its own caller.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay import telemetry
from relay.aws.parameter_store import ParameterStore
from relay.errors import ConfigurationError, EntryUnreadableError
from relay.exact_json import InvalidJsonError, loads
from relay.validation import first_fault

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


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


class Broken(NamedTuple):
    """An entry that cannot be used."""

    problem: str
    """The place in the list, and what is wrong there; never the value."""
    digests: tuple[str, ...]
    """Its tokens, as far as they can be read."""
    has_others: bool
    """Whether it may have more tokens than these."""


class Entries(NamedTuple):
    """The entries of a parameter."""

    producers: tuple[Producer, ...] = ()
    broken: tuple[Broken, ...] = ()


class _Parsed(NamedTuple):
    text: str
    entries: Entries = Entries()


class Producers:
    """The producers in a parameter."""

    def __init__(self, store: ParameterStore, parameter: str = "producers") -> None:
        self._store = store
        self._parameter = parameter
        self._parsed = _Parsed("")

    def by_token(self, token: str) -> Producer | None:
        """The producer of a bearer token; None for an unknown token.

        Every hash is compared, in constant time. What is known of a token must not be old; for an
        unknown one the parameter is read at leisure, or, by a few processes, at most every
        `REREAD_SECONDS`. Blocking. Raises `ConfigurationError` and
        `ParametersUnavailableError`; `EntryUnreadableError` if the token may be that of an entry
        with a mistake.
        """
        digest = token_digest(token)
        self._store.read([self._parameter], vouched=True, at_leisure=True)
        producer = self._find(digest)
        if producer is not None:
            producer = self._confirm(digest, producer)
        if producer is None:
            self._store.reread(self._parameter, for_stranger=True)
            producer = self._find(digest)
        if producer is None:
            self._check_broken(digest)
        return producer

    @property
    def parameter(self) -> str:
        """The parameter's full name."""
        return self._store.full_name(self._parameter)

    def entries(self) -> Entries:
        """All of them, at leisure: anybody may ask. Blocking.

        Raises `ConfigurationError` and `ParametersUnavailableError`.
        """
        self._store.read([self._parameter], vouched=True, at_leisure=True)
        return self._all().entries

    def _confirm(self, digest: str, producer: Producer) -> Producer | None:
        """A producer is no stranger: what is known of him may not be old."""
        parsed = self._parsed
        self._store.read([self._parameter], vouched=True)
        return producer if self._all() is parsed else self._find(digest)

    def _find(self, digest: str) -> Producer | None:
        match = None
        for producer in self._all().entries.producers:
            if _is_among(digest, producer.token_sha256):
                match = producer
        return match

    def _check_broken(self, digest: str) -> None:
        """Raises `EntryUnreadableError` if the token may be that of a broken entry.

        If an entry has a hash that cannot be read, every unknown token may be its.
        """
        may_be = [
            _is_among(digest, one.digests) or one.has_others for one in self._parsed.entries.broken
        ]
        if any(may_be):
            raise EntryUnreadableError(self.parameter, "an entry cannot be read")

    def _all(self) -> _Parsed:
        text = self._store.value(self._parameter) or "[]"
        if self._parsed.text != text:
            entries = parse_producers(self.parameter, text)
            for one in entries.broken:
                telemetry.wrong_setting(ConfigurationError(self.parameter, one.problem))
            self._parsed = _Parsed(text, entries)
        return self._parsed


def parse_producers(key: str, text: str) -> Entries:
    """The entries in the text of a parameter; raises `ConfigurationError` if it is no list."""
    entries = [_entry(place, value) for place, value in enumerate(_list(key, text))]
    return Entries(
        tuple(entry for entry in entries if isinstance(entry, Producer)),
        tuple(entry for entry in entries if isinstance(entry, Broken)),
    )


def _list(key: str, text: str) -> list[object]:
    try:
        content = loads(text)
    except InvalidJsonError as error:
        raise ConfigurationError(key, str(error)) from None
    if not isinstance(content, list):
        raise ConfigurationError(key, "must be a JSON list")
    return content


def _entry(place: int, value: object) -> Producer | Broken:
    if not isinstance(value, dict):
        return Broken(f"{place}: must be a JSON object", (), has_others=True)
    try:
        return Producer.model_validate(value)
    except ValidationError as error:
        given = value.get("token_sha256")
        digests = [one for one in given if _is_digest(one)] if isinstance(given, list) else []
        has_others = not isinstance(given, list) or len(digests) < len(given)
        return Broken(f"{place}.{first_fault(error)}", tuple(digests), has_others)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _is_among(digest: str, known: Iterable[str]) -> bool:
    """Compares with each, so that the duration does not tell which one matches."""
    matches = False
    for one in known:
        matches |= hmac.compare_digest(one, digest)
    return matches


def token_digest(token: str) -> str:
    """The stored form of a producer's token: SHA-256, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
