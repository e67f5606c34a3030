"""What the commands of `relay setup` do, one function each. All raise `CliError`."""

import json
from collections.abc import Sequence
from typing import Final

from rich.text import Text

from relay.domain.kinds import Surface
from relay.instants import utc_now
from relay_cli.clients.installation import Installation
from relay_cli.settings.judge import PRODUCERS, PUSH_SENDERS, Settings
from relay_cli.settings.parameters import Parameters
from relay_cli.setup import app as apps
from relay_cli.setup import listing, preview, source
from relay_cli.setup.app import AppToAdd
from relay_cli.setup.lines import finish_lines, rotate_lines
from relay_cli.setup.senders import Senders, unknown_apps
from relay_cli.terminal.console import stderr_console, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode

_ANY_APP: Final = "*"


class Setup:
    """The settings of one installation, and its API."""

    def __init__(self, installation: Installation, *, advanced: bool = False) -> None:
        self._installation = installation
        self._parameters = Parameters(installation, advanced=advanced)

    def settings(self) -> Settings:
        """All that is set up."""
        return Settings(self._installation.prefix, self._parameters.read_all())

    # Apps

    def add_app(self, app: AppToAdd, tokens: str) -> ExitCode:
        """Sets up an app, and says how it goes on."""
        apps.add_app(self._installation, self._parameters, app, tokens)
        option = self._installation.option
        _tell(f"Next: relay setup producer add NAME --app {app.id}{option}")
        return ExitCode.OK

    # Senders

    def add_producer(self, name: str, app_ids: Sequence[str], *, as_json: bool) -> ExitCode:
        """Adds a producer, and prints what it must be given."""
        settings = self.settings()
        _tell_unknown(settings, app_ids)
        token = Senders(self._parameters, PRODUCERS).add(name, app_ids)
        self._hand_over(settings, name, app_ids, token, as_json=as_json)
        return ExitCode.OK

    def allow(self, name: str, app_ids: Sequence[str]) -> ExitCode:
        """Lets a producer send for more apps."""
        _tell_unknown(self.settings(), app_ids)
        Senders(self._parameters, PRODUCERS).allow(name, app_ids)
        self._changed(f"{name} may send for {', '.join(app_ids)} too", "within 10 minutes")
        return ExitCode.OK

    def rotate_sender(self, parameter: str, name: str, *, finish: bool, as_json: bool) -> ExitCode:
        """Gives a sender a new token, or ends the use of its old ones."""
        senders = Senders(self._parameters, parameter)
        if finish:
            senders.finish(name)
            self._changed(
                f"{name} has its newest token only", "an old one works for 5 minutes more"
            )
            return ExitCode.OK
        token = senders.rotate(name)
        settings = self.settings()
        (entry, *_) = [one for one in settings.senders(parameter).producers if one.name == name]
        if parameter == PRODUCERS:
            self._hand_over(settings, name, entry.apps, token, as_json=as_json)
        else:
            print(json.dumps({"token": token}) if as_json else token)  # noqa: T201 - the result
        kind = parameter.removesuffix("s").replace("_", "-")
        option = self._installation.option
        _tell("The old token works too, until nobody uses it and you say:")
        _tell(f"relay setup token rotate {kind} {name} --finish{option}")
        return ExitCode.OK

    def add_push_sender(self, name: str, app_ids: Sequence[str], *, as_json: bool) -> ExitCode:
        """Adds a sender of installs (AppsFlyer's Push API), and prints what it must be given."""
        _tell_unknown(self.settings(), app_ids)
        token = Senders(self._parameters, PUSH_SENDERS).add(name, app_ids)
        app_id, _ = _first_app(self.settings(), app_ids)
        endpoint = f"{self._installation.api}/v1/appsflyer/installs/{app_id}?token={token}"
        if as_json:
            print(json.dumps({"token": token, "endpoint": endpoint}))  # noqa: T201 - the result
        else:
            _show("Push API endpoint (has the token in it: shown once)", endpoint)
        return ExitCode.OK

    # Sources

    def add_source(
        self, name: str, provider: str, app_ids: Sequence[str], secrets: str, *, as_json: bool
    ) -> ExitCode:
        """Adds a payment source, and prints what the provider must be given."""
        now = utc_now()
        source.check_name(name)
        source.check_provider(provider)
        source.check_secrets(provider, secrets, now)
        by_surface = source.apps_by_surface(self.settings(), app_ids)
        source.put_secrets(self._parameters, name, secrets)
        source.add_source(self._parameters, name, provider, by_surface)
        endpoint = preview.webhook_url(self._installation, provider, name)
        if as_json:
            print(json.dumps({"endpoint": endpoint}))  # noqa: T201 - the result
        else:
            _show(f"Endpoint for the webhooks of {provider}", endpoint)
        self._preview_source(provider, name, secrets)
        return ExitCode.OK

    def _preview_source(self, provider: str, name: str, secrets: str) -> None:
        secret = secrets.splitlines()[0]
        installation = self._installation
        try:
            _tell(preview.preview_webhook(installation, provider, name, secret, utc_now()))
        except CliError as error:
            _tell(f"Take care: {error}")

    # Lines: tokens of apps, secrets of sources

    def rotate_app(self, app: AppToAdd, tokens: str | None) -> ExitCode:
        """Puts a new S2S token first, or (None) drops all others."""
        if tokens is not None:
            apps.check_tokens(tokens)
        lines = self._rotate(app.token_name, tokens)
        if (sandbox := self._installation.sandbox) is not None:
            sandbox.put_account(app.id, {"tokens": lines})
        when = "revoke the old one in AppsFlyer, then"
        self._tell_rotated(f"app {app.id} --surface {app.surface}", when, tokens)
        return ExitCode.OK

    def rotate_source(self, name: str, secrets: str | None) -> ExitCode:
        """Puts a new secret first, or (None) drops all others."""
        if secrets is not None:
            entry = self.settings().sources().get(name)
            if entry is None or isinstance(entry, str):
                raise CliError(f"there is no source named {name} whose settings are right")
            source.check_secrets(entry.provider, secrets, utc_now())
        self._rotate(source.secrets_name(name), secrets)
        self._tell_rotated(f"source {name}", "once the provider signs by the new one", secrets)
        return ExitCode.OK

    def _rotate(self, name: str, new: str | None) -> list[str]:
        if new is None:
            return finish_lines(self._parameters, name)
        return rotate_lines(self._parameters, name, new)

    def _tell_rotated(self, what: str, when: str, new: str | None) -> None:
        if new is None:
            self._changed("The newest alone is kept", "the old one is used for 5 minutes more")
            return
        self._changed("Old and new are both used")
        _tell(f"Next: {when}: relay setup token rotate {what} --finish{self._installation.option}")

    # All of them

    def show(self, *, as_json: bool) -> ExitCode:
        """Prints what is set up."""
        return listing.show(self.settings(), utc_now(), as_json=as_json)

    def remove_app(self, app: AppToAdd) -> ExitCode:
        """Takes an app out, with its token."""
        if not self._parameters.remove([app.settings_name, app.token_name]):
            raise CliError(
                f"no {app.surface} app {app.id} is set up in {self._installation.origin}"
            )
        what = f"{app.id} ({app.surface}) is taken out"
        self._changed(what, "it is used for 10 minutes at most")
        for fault in self._naming(app.id):
            _tell(f"Take care: {fault}")
        return ExitCode.OK

    def _naming(self, app_id: str) -> list[str]:
        settings = self.settings()
        faults = [*settings.sender_faults(PRODUCERS), *settings.source_faults(utc_now())]
        return [f"{one.parameter}: {one.problem}" for one in faults if app_id in one.problem]

    def remove_sender(self, parameter: str, name: str) -> ExitCode:
        """Takes a sender out."""
        Senders(self._parameters, parameter).remove(name)
        self._changed(f"{name} is taken out", "its token works for 5 minutes more at most")
        return ExitCode.OK

    def remove_source(self, name: str) -> ExitCode:
        """Takes a payment source out, with its secrets."""
        source.remove_source(self._parameters, name)
        self._changed(f"{name} is taken out", "its webhooks are taken for 10 minutes at most")
        return ExitCode.OK

    # What is told

    def _changed(self, text: str, later: str = "") -> None:
        """Says what was changed; `later`: for how long a stack goes on as before."""
        if (sandbox := self._installation.sandbox) is not None:
            sandbox.forget_settings()
        _tell(f"{text}; {later}." if later and sandbox is None else f"{text}.")

    def _hand_over(
        self, settings: Settings, name: str, app_ids: Sequence[str], token: str, *, as_json: bool
    ) -> None:
        """Prints the token, once, with the endpoint; and what the API says to an event."""
        app_id, surface = _first_app(settings, app_ids)
        endpoint = preview.endpoint_of(self._installation, surface, app_id)
        if as_json:
            print(json.dumps({"token": token, "endpoint": endpoint}))  # noqa: T201 - the result
        else:
            _show(f"Token of {name} (shown once; kept is its SHA-256)", token)
            _show("Endpoint", endpoint)
            _show("To try it", preview.curl_of(endpoint, surface, token))
        if not settings.surfaces_of(app_id):
            return
        try:
            _tell(preview.preview_event(self._installation, surface, app_id, token))
        except CliError as error:
            _tell(f"Take care: {error}")


def _first_app(settings: Settings, app_ids: Sequence[str]) -> tuple[str, Surface]:
    """The app to show an endpoint of; of `*` the first that is set up."""
    known = [one for one in app_ids if settings.surfaces_of(one)]
    if _ANY_APP in app_ids and settings.apps:
        known.append(settings.apps[0][1])
    app_id = (known or [*app_ids])[0].replace(_ANY_APP, "APP_ID")
    return app_id, next(iter(settings.surfaces_of(app_id)), Surface.MOBILE)


def _tell_unknown(settings: Settings, app_ids: Sequence[str]) -> None:
    for app_id in unknown_apps(settings, app_ids):
        _tell(f"Take care: no app {app_id} is set up yet: relay setup app add {app_id}")


def _show(what: str, value: str) -> None:
    console = stdout_console()
    console.print(Text(f"{what}:", "heading"))
    console.print(Text(f"  {value}"), soft_wrap=True)


def _tell(text: str) -> None:
    stderr_console().print(Text(text), soft_wrap=True)
