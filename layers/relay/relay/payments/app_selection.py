"""App selection: which app a source's event is for, and who the customer is in it. Pure."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from relay.domain.kinds import Surface
from relay.domain.movements import CustomerHints
from relay.domain.payment_rules import SourceSettings
from relay.payments.errors import ForeignAppError
from relay.stores.identities import Identity

_IOS: Final = re.compile(r"id\d+", re.ASCII)  # E9


class AppMatch(NamedTuple):
    """An app, and the customer's AppsFlyer id in it if that is known."""

    surface: Surface
    app_id: str
    appsflyer_id: str | None = None
    identity: Identity | None = None
    """The customer's install of the app, if one is known."""


def select_app(
    settings: SourceSettings, hints: CustomerHints, installs: Sequence[Identity]
) -> AppMatch | None:
    """The app found by the first of the source's rules that finds one; None if none does yet.

    `installs`: the customer's installs, latest first. Raises `ForeignAppError`.
    """
    eligible = [
        install for install in installs if install.app_id in _mobile_apps(settings, hints.platform)
    ]
    for rule in settings.app_selection:
        if rule == "metadata":
            app_match = _by_metadata(settings, hints, eligible)
        elif rule == "latest_install":
            app_match = _by_install(eligible)
        else:
            app_match = _by_web(settings, hints)
        if app_match is not None:
            return app_match
    return None


def _mobile_apps(settings: SourceSettings, platform: str | None) -> list[str]:
    """The source's mobile apps of a platform; all of them if it is unknown or `web`."""
    apps = settings.apps.mobile
    if platform in {"ios", "android"}:
        return [app for app in apps if bool(_IOS.fullmatch(app)) == (platform == "ios")]
    return list(apps)


# By what the provider sends


def _by_metadata(
    settings: SourceSettings, hints: CustomerHints, installs: Sequence[Identity]
) -> AppMatch | None:
    app_id = (
        hints.app_id or _app_of_appsflyer_id(hints, installs) or _app_of_platform(settings, hints)
    )
    if app_id is None:
        return None
    if app_id in settings.apps.web:
        return _web_match(app_id, hints.customer_user_id, hints.appsflyer_id)
    if app_id not in settings.apps.mobile:
        raise ForeignAppError
    identity = next((install for install in installs if install.app_id == app_id), None)
    known_id = hints.appsflyer_id or (identity.appsflyer_id if identity else None)
    if known_id is None and hints.customer_user_id is None:
        return None  # there is no id to look up
    return AppMatch(Surface.MOBILE, app_id, known_id, identity)


def _app_of_appsflyer_id(hints: CustomerHints, installs: Sequence[Identity]) -> str | None:
    """The app of the customer's install with the AppsFlyer id that the hints give."""
    app_ids = (install.app_id for install in installs if install.appsflyer_id == hints.appsflyer_id)
    return next(app_ids, None)


def _app_of_platform(settings: SourceSettings, hints: CustomerHints) -> str | None:
    """The source's only app of the platform; with only an AppsFlyer id, its only mobile app."""
    if hints.platform == "web":
        apps = list(settings.apps.web)
    elif hints.platform or hints.appsflyer_id:
        apps = _mobile_apps(settings, hints.platform)
    else:
        return None
    return apps[0] if len(apps) == 1 else None


# By what else is known


def _by_install(installs: Sequence[Identity]) -> AppMatch | None:
    if not installs:
        return None
    latest = installs[0]
    return AppMatch(Surface.MOBILE, latest.app_id, latest.appsflyer_id, latest)


def _by_web(settings: SourceSettings, hints: CustomerHints) -> AppMatch | None:
    """The first web app, by customer user id only: an AppsFlyer id may be a mobile app's."""
    if not settings.apps.web:
        return None
    return _web_match(settings.apps.web[0], hints.customer_user_id, None)


def _web_match(
    app_id: str, customer_user_id: str | None, appsflyer_id: str | None
) -> AppMatch | None:
    """A web app; None without an id of the customer, since a web event needs one (W1)."""
    if customer_user_id is None and appsflyer_id is None:
        return None
    return AppMatch(Surface.WEB, app_id, appsflyer_id)
