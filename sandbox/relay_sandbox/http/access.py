"""Who may use the sandbox's servers: programs on this machine, and no web page of anybody else.

A page in a browser on this machine reaches these servers too. The browser tells by which name it
did (`Host`; a foreign name can be made to mean this machine, which is called DNS rebinding) and
whose page sends the request (`Origin`, `Sec-Fetch-Site`). Programs send neither of the latter two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from relay_sandbox.errors import SandboxError
from relay_sandbox.http.messages import Headers, Listener

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_OWN_SITES: Final = frozenset({"same-origin", "none"})  # none: typed into the address bar
# Nothing else that may stand there: no user before an @, no other way to write an address.
_AUTHORITY = re.compile(
    r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::(?P<port>[0-9]{1,5}))?"
)


class Authority(NamedTuple):
    """A host's name, in lower case and without a dot at its end, and a port."""

    name: str
    port: int | None

    def with_port_for(self, scheme: str) -> Authority:
        """Return it with the port that this scheme means where none is written."""
        return self if self.port is not None else Authority(self.name, _DEFAULT_PORTS[scheme])

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


def parse_authority(text: str) -> Authority | None:
    """Parse `localhost:8700`, `[::1]:8700` or `localhost`; None if it is anything else."""
    parts = _AUTHORITY.fullmatch(text.lower()) if text.isascii() else None
    if parts is None:
        return None
    return Authority(parts["name"], int(parts["port"]) if parts["port"] else None)


@dataclass(frozen=True, slots=True)
class Access:
    """The rule for one sandbox: `allowed` hosts may be asked for as well as the loopback names.

    An allowed host without a port is allowed with any: whoever forwards to the sandbox may listen
    on another one.
    """

    allowed: frozenset[Authority] = frozenset()

    @classmethod
    def allowing(cls, hosts: Iterable[str]) -> Self:
        """Make the rule for what `--allow-host` names; raises SandboxError for what is no host."""
        return cls(frozenset(_host(text) for text in hosts))

    def refusal(self, headers: Headers, listener: Listener) -> str | None:
        """Return why a request is refused, in a sentence for its sender; None if it is not."""
        hosts = [parse_authority(text) for text in _values(headers, "host")]
        host = hosts[0] if len(hosts) == 1 else None
        if host is None or not self._answers_to(host, listener):
            return (
                f"This sandbox answers to localhost and 127.0.0.1 with port {listener.port} only: "
                "start it with --allow-host NAME to have it answer to another name."
            )
        if not _is_own_page(headers, host, listener):
            return (
                "This sandbox takes no requests from pages of other sites: send it from a "
                "program, such as curl, or type its address into the browser."
            )
        return None

    def _answers_to(self, host: Authority, listener: Listener) -> bool:
        exact = host.with_port_for(listener.scheme)
        return _is_loopback(exact, listener) or not self.allowed.isdisjoint(
            (exact, Authority(host.name, None))
        )


def _host(text: str) -> Authority:
    host = parse_authority(text)
    if host is None:
        raise SandboxError(
            f"--allow-host {text} is no host: give a name or an address, with or without a port, "
            "as in host.docker.internal"
        )
    return host


def _is_loopback(exact: Authority, listener: Listener) -> bool:
    return exact.name in LOOPBACK and exact.port == listener.port


def _is_own_page(headers: Headers, host: Authority, listener: Listener) -> bool:
    """Whether a request comes from a page of this server, or from no page at all."""
    sites, origins = _values(headers, "sec-fetch-site"), _values(headers, "origin")
    return all(site in _OWN_SITES for site in sites) and all(
        _is_own_origin(origin, host, listener) for origin in origins
    )


def _is_own_origin(origin: str, host: Authority, listener: Listener) -> bool:
    scheme, _, rest = origin.partition("://")
    page = parse_authority(rest)
    if page is None or scheme not in _DEFAULT_PORTS:
        return False
    exact = page.with_port_for(scheme)
    if _is_loopback(exact, listener):
        return scheme == listener.scheme
    return exact == host.with_port_for(scheme)  # of an allowed host, with or without TLS before us


def _values(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key == name]
