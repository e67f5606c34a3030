"""What the sandbox starts with: apps, payment sources and senders.

The apps get new random tokens at each start.
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

# These only work in a sandbox. The samples in events/ contain them, so they are fixed.
PRODUCER_TOKEN = "sandbox-producer-token"  # noqa: S105
PUSH_TOKEN = "sandbox-push-token"  # noqa: S105


def _token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class SeededApp:
    """An app that both the relay and the stand-in know.

    `blocked`: AppsFlyer accepts no traffic for it (E14). `stale_token`: the relay's token differs
    from AppsFlyer's, so the app's events are held (E12, E13).
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
        """Return the stand-in's account for this app."""
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
    """The apps, and the payment sources that feed those apps whose events can be delivered.

    The producer with `producer_token` may send events for all apps; the sender with `push_token`
    may report their installs.
    """

    apps: tuple[SeededApp, ...] = field(default_factory=_apps)
    sources: tuple[SeededSource, ...] = field(default_factory=seeded_sources)
    producer_token: str = PRODUCER_TOKEN
    push_token: str = PUSH_TOKEN

    def good_apps(self) -> dict[str, list[str]]:
        """Return the ids of apps whose events can be delivered: `{"mobile": [], "web": []}`."""
        good = [app for app in self.apps if app.good]
        return {kind: [a.app_id for a in good if a.kind == kind] for kind in ("mobile", "web")}

    def payment_sources(self) -> dict[str, dict[str, str]]:
        """Return each provider's source: `{provider: {"source": name, "secret": secret}}`."""
        return {one.provider: {"source": one.name, "secret": one.secret} for one in self.sources}

    def accounts(self) -> list[Account]:
        """Return the stand-in's accounts."""
        return [app.account() for app in self.apps]

    def put(self, aws: LocalAws, prefix: str) -> None:
        """Write the seeds to Parameter Store under the prefix. Blocking: run it in a thread."""
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
        apps = [app.app_id for app in self.apps]  # not "*", so that a sample can show a 403
        return {"name": name, "token_sha256": [digest], "apps": apps}
