"""What the sandbox starts with: apps, payment sources, and who may send.

The tokens of apps are made up at each start.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from relay_sandbox.local_aws.aws import LocalAws
from relay_sandbox.payment_sources import SeededSource, seeded_sources
from relay_sandbox.stand_in import Account

# They open nothing but a sandbox, and the samples of events/ carry them.
PRODUCER_TOKEN = "sandbox-producer-token"  # noqa: S105
PUSH_TOKEN = "sandbox-push-token"  # noqa: S105


def _token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class SeededApp:
    """An app, known to the relay and to the stand-in.

    `blocked`: AppsFlyer takes no traffic for it (E14). `stale_token`: the relay's token is not the
    one that AppsFlyer has, so its events are held (E12, E13).
    """

    app_id: str
    kind: Literal["mobile", "web"]
    blocked: bool = False
    stale_token: bool = False
    token: str = field(default_factory=_token, repr=False)

    @property
    def good(self) -> bool:
        """Whether its events can be delivered."""
        return not (self.blocked or self.stale_token)

    def account(self) -> Account:
        """Give the stand-in's side of it."""
        token = _token() if self.stale_token else self.token
        state: Literal["open", "blocked"] = "blocked" if self.blocked else "open"
        return Account.model_validate(
            {"app_id": self.app_id, "kind": self.kind, "tokens": (token,), "state": state}
        )


def _apps() -> tuple[SeededApp, ...]:
    return (
        SeededApp("id123456789", "mobile"),
        SeededApp("com.example.shop", "mobile"),
        SeededApp("website-www.example.com", "web"),
        SeededApp("com.example.blocked", "mobile", blocked=True),
        SeededApp("com.example.stale", "mobile", stale_token=True),
    )


@dataclass(frozen=True)
class Seeds:
    """The apps, and the payment sources that feed those whose events can be delivered.

    A producer with `producer_token` may send for all apps, and who has `push_token` may tell of
    their installs.
    """

    apps: tuple[SeededApp, ...] = field(default_factory=_apps)
    sources: tuple[SeededSource, ...] = field(default_factory=seeded_sources)
    producer_token: str = PRODUCER_TOKEN
    push_token: str = PUSH_TOKEN

    def good_apps(self) -> dict[str, list[str]]:
        """Give the ids of the apps whose events can be delivered: `{"mobile": [], "web": []}`."""
        good = [app for app in self.apps if app.good]
        return {kind: [a.app_id for a in good if a.kind == kind] for kind in ("mobile", "web")}

    def payment_sources(self) -> dict[str, dict[str, str]]:
        """Give each provider's source: `{provider: {"source": name, "secret": secret}}`."""
        return {one.provider: {"source": one.name, "secret": one.secret} for one in self.sources}

    def accounts(self) -> list[Account]:
        """Give the stand-in's accounts."""
        return [app.account() for app in self.apps]

    def put(self, aws: LocalAws, prefix: str) -> None:
        """Write them to Parameter Store under the prefix. It blocks: run it in a thread."""
        for name, value in self._settings():
            aws.ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="String")
        for name, value in self._secrets():
            aws.ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="SecureString")

    def _settings(self) -> Iterator[tuple[str, str]]:
        for app in self.apps:
            yield f"apps/{app.kind}/{app.app_id}", json.dumps({"time_zone": "UTC"})
        apps = self.good_apps()
        yield "sources", json.dumps({one.name: one.settings(apps) for one in self.sources})

    def _secrets(self) -> Iterator[tuple[str, str]]:
        for app in self.apps:
            yield f"tokens/{app.kind}/{app.app_id}", app.token
        for source in self.sources:
            yield f"webhook_secrets/{source.name}", source.secret
        yield "producers", json.dumps([self._sender("sandbox", self.producer_token)])
        yield "push_senders", json.dumps([self._sender("appsflyer", self.push_token)])

    def _sender(self, name: str, token: str) -> dict[str, object]:
        digest = hashlib.sha256(token.encode()).hexdigest()
        apps = [app.app_id for app in self.apps]  # not "*": then a sample could not show a 403
        return {"name": name, "token_sha256": [digest], "apps": apps}
