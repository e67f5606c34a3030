"""What is wrong with the parameters of an installation. Pure.

A parameter is parsed by the very code of the layer that will read it. No text holds a value.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, NamedTuple

from relay.config.apps import APP_ID, parse_app, parse_tokens
from relay.config.producers import Entries, parse_producers
from relay.config.sources import NAME, parse_sources
from relay.domain.findings import Finding, Findings, Severity
from relay.domain.kinds import Surface
from relay.domain.payment_rules import SourceSettings
from relay.errors import ConfigurationError
from relay.payments.providers.registry import source_settings
from relay.rules.app_ids import check_app_id
from relay_cli.settings.forms import secret_faults, token_faults
from relay_cli.settings.parameters import Stored

OLD: Final = timedelta(days=180)
"""A token or secret that is older should be renewed."""
PRODUCERS: Final = "producers"
PUSH_SENDERS: Final = "push_senders"
SOURCES: Final = "sources"
_FOLDERS: Final = ("apps", "tokens", "webhook_secrets")


class Fault(NamedTuple):
    """A mistake in a parameter, or the lack of one: its full name, what, and what to do."""

    parameter: str
    problem: str
    do: str


@dataclass(frozen=True)
class Settings:
    """All parameters of an installation, by their names without its `prefix`."""

    prefix: str
    stored: Mapping[str, Stored]

    @cached_property
    def apps(self) -> list[tuple[Surface, str]]:
        """The apps that are set up."""
        found = (name.split("/", 2) for name in sorted(self.stored) if name.startswith("apps/"))
        surfaces = {surface.value: surface for surface in Surface}
        return [(surfaces[one[1]], one[2]) for one in found if len(one) == 3 and one[1] in surfaces]  # noqa: PLR2004 - apps, surface, id

    def surfaces_of(self, app_id: str) -> list[Surface]:
        """The surfaces on which an app is set up."""
        return [surface for surface, known in self.apps if known == app_id]

    def text(self, name: str) -> str:
        """The value of a parameter; empty if it is not there."""
        return self.stored[name].value if name in self.stored else ""

    def key(self, name: str) -> str:
        """The full name of a parameter."""
        return f"{self.prefix}/{name}"

    def senders(self, name: str) -> Entries:
        """The entries of `producers` or `push_senders`; raises `ConfigurationError`."""
        return parse_producers(self.key(name), self.text(name) or "[]")

    def sources(self) -> dict[str, SourceSettings | str]:
        """The payment sources, or what is wrong with each; raises `ConfigurationError`."""
        return parse_sources(self.key(SOURCES), self.text(SOURCES) or "{}", source_settings())

    # Faults

    def app_faults(self) -> Iterator[Fault]:
        """Of the settings of apps, and of what has settings or a token and not the other."""
        if not self.apps:
            yield Fault(self.key("apps/"), "no app is set up", "relay setup app add")
        for surface, app_id in self.apps:
            name = f"apps/{surface}/{app_id}"
            yield from self._faults_of_app(name, surface, app_id)
            if f"tokens/{surface}/{app_id}" not in self.stored:
                missing = self.key(f"tokens/{surface}/{app_id}")
                yield Fault(missing, "is missing: its events are held", _add_app(surface, app_id))
        yield from self._strays()

    def sender_faults(self, name: str) -> Iterator[Fault]:
        """Of `producers` or `push_senders`, and of the apps that they name."""
        key = self.key(name)
        try:
            entries = self.senders(name)
        except ConfigurationError as error:
            yield Fault(key, _problem(error), f"correct {key}: it is a JSON list")
            return
        for one in entries.broken:
            yield Fault(key, f"entry {one.problem}", f"correct this entry of {key}")
        yield from (Fault(key, problem, f"correct {key}") for problem in _clashes(entries))
        for unknown in self._unknown_apps(entries):
            problem = f"names an app that is not set up, {unknown}"
            yield Fault(key, problem, f"relay setup app add {unknown}, or take it out")
        if name == PRODUCERS and not any(one.token_sha256 for one in entries.producers):
            yield Fault(key, "nobody may send over HTTP", "relay setup producer add")

    def source_faults(self, now: datetime) -> Iterator[Fault]:
        """Of the payment sources and their secrets."""
        key = self.key(SOURCES)
        try:
            sources = self.sources()
        except ConfigurationError as error:
            yield Fault(key, _problem(error), f"correct {key}: it is a JSON object")
            return
        for name, source in sources.items():
            yield from self._faults_of_source(name, source, now)
        for name in sorted(self.stored):
            folder, _, source_name = name.partition("/")
            if folder == "webhook_secrets" and source_name not in sources:
                problem = "belongs to no source"
                yield Fault(self.key(name), problem, f"relay setup source add {source_name}")

    def token_faults(self, now: datetime) -> Iterator[Fault]:
        """Of the S2S tokens, and the age of all tokens and secrets."""
        for name, one in sorted(self.stored.items()):
            folder, _, rest = name.partition("/")
            if folder not in {"tokens", "webhook_secrets"}:
                continue
            renew = _rotate(folder, rest)
            faults = token_faults(one.value) if folder == "tokens" else iter(())
            yield from (Fault(self.key(name), fault, renew) for fault in faults)
            if not one.is_secure:
                secure = f"write {self.key(name)} as a SecureString"
                yield Fault(self.key(name), "is no SecureString: it is kept in clear", secure)
            if one.modified is not None and now - one.modified > OLD:
                problem = f"is {(now - one.modified).days} days old, more than {OLD.days}"
                yield Fault(self.key(name), problem, renew)

    def _faults_of_app(self, name: str, surface: Surface, app_id: str) -> Iterator[Fault]:
        key = self.key(name)
        for finding in app_id_findings(surface, app_id):
            yield Fault(key, f"the app id {finding.message}", _add_app(surface, "ID"))
        try:
            parse_app(key, surface, app_id, self.text(name))
        except ConfigurationError as error:
            yield Fault(key, _problem(error), f"correct {key}")

    def _faults_of_source(
        self, name: str, source: SourceSettings | str, now: datetime
    ) -> Iterator[Fault]:
        key = self.key(SOURCES)
        if isinstance(source, str):
            yield Fault(key, source, f"correct this entry of {key}")
            return
        if not NAME.fullmatch(name):
            problem = "has a source with a name that no URL can have"
            yield Fault(key, problem, "take a-z, 0-9 and -, at most 63")
        secrets = f"webhook_secrets/{name}"
        rotate = _rotate("webhook_secrets", name)
        for fault in secret_faults(source.provider, self.text(secrets), now):
            yield Fault(self.key(secrets), fault, rotate)
        named = [(Surface.MOBILE, one) for one in source.apps.mobile]
        named += [(Surface.WEB, one) for one in source.apps.web]
        for surface, app_id in named:
            if (surface, app_id) not in self.apps:
                problem = f"{name}: feeds an app that is not set up, {app_id} ({surface})"
                yield Fault(key, problem, _add_app(surface, app_id))

    def _strays(self) -> Iterator[Fault]:
        """What nothing will ever read: a name with a slip in it."""
        known = {f"apps/{surface}/{app_id}" for surface, app_id in self.apps}
        for name in sorted(self.stored):
            folder = name.partition("/")[0]
            app = name.replace("tokens/", "apps/", 1)
            if name in {PRODUCERS, PUSH_SENDERS, SOURCES} or folder == "webhook_secrets":
                continue
            if folder == "tokens" and app not in known:
                yield Fault(
                    self.key(name), "belongs to no app that is set up", "relay setup app add"
                )
            elif folder not in _FOLDERS or app not in known:
                yield Fault(self.key(name), "is read by nothing", f"delete {self.key(name)}")

    def _unknown_apps(self, entries: Entries) -> Sequence[str]:
        known = {app_id for _, app_id in self.apps} | {"*"}
        named = dict.fromkeys(app_id for one in entries.producers for app_id in one.apps)
        return [app_id for app_id in named if app_id not in known]


def app_id_findings(surface: Surface, app_id: str) -> list[Finding]:
    """Why AppsFlyer can have no app of this id on this surface (E8)."""
    findings = Findings()
    check_app_id(surface, app_id, findings)
    found = [one for one in findings.as_tuple() if one.severity is Severity.REJECT]
    if not found and not APP_ID.fullmatch(app_id):
        message = "may have letters, digits and ._- only"
        return [Finding("E8", Severity.REJECT, "app_id", message)]
    return found


def token_count(text: str) -> int:
    """How many tokens or secrets a parameter holds."""
    return len(parse_tokens(text))


def _clashes(entries: Entries) -> Iterator[str]:
    names = Counter(one.name for one in entries.producers)
    yield from (
        f"has {count} entries of the name {name}" for name, count in names.items() if count > 1
    )
    digests = Counter(digest for one in entries.producers for digest in set(one.token_sha256))
    if any(count > 1 for count in digests.values()):
        yield "gives one token to several producers: the last one is taken for all"


def _rotate(folder: str, name: str) -> str:
    if folder != "tokens":
        return f"relay setup token rotate source {name}"
    surface, _, app_id = name.partition("/")
    return f"relay setup token rotate app {app_id} --surface {surface}"


def _add_app(surface: Surface, app_id: str) -> str:
    return f"relay setup app add {app_id} --surface {surface}"


def _problem(error: ConfigurationError) -> str:
    return str(error).removeprefix(f"{error.key}: ")
