from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.kinds import Surface
from relay.domain.movements import CustomerHints
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.payments.app_selection import AppMatch, select_app
from relay.payments.errors import ForeignAppError
from relay.stores.identities import Identity
from tests.support.every import every

IOS, ANDROID, WEB = "id1", "com.example.shop", "website-www.example.com"


def settings(**fields: Any) -> SourceSettings:
    apps = SourceApps(mobile=(IOS, ANDROID), web=(WEB,))
    return SourceSettings(provider="stripe", apps=apps).model_copy(update=fields)


def install(app_id: str, appsflyer_id: str = "9-9") -> Identity:
    return Identity(app_id, "user-1", appsflyer_id, datetime(2026, 1, 1, tzinfo=UTC))


def selected(
    hints: CustomerHints, *installs: Identity, **fields: Any
) -> tuple[Surface, str, str | None] | None:
    app_match = select_app(settings(**fields), hints, installs)
    return (
        None if app_match is None else (app_match.surface, app_match.app_id, app_match.appsflyer_id)
    )


# Metadata


def test_app_in_the_metadata_is_selected() -> None:
    hints = CustomerHints("user-1", "1-2", IOS)

    assert selected(hints, install(ANDROID)) == (Surface.MOBILE, IOS, "1-2")


def test_app_in_the_metadata_has_the_id_of_its_install() -> None:
    found = select_app(
        settings(), CustomerHints("user-1", app_id=IOS), [install(ANDROID), install(IOS, "3-4")]
    )

    assert found == AppMatch(Surface.MOBILE, IOS, "3-4", install(IOS, "3-4"))


def test_app_in_the_metadata_without_an_install_is_looked_up_later() -> None:
    assert selected(CustomerHints("user-1", app_id=IOS)) == (Surface.MOBILE, IOS, None)


def test_app_in_the_metadata_of_nobody_is_no_match() -> None:
    assert selected(CustomerHints(app_id=IOS)) is None


@every(
    "hints, appsflyer_id",
    [(CustomerHints("user-1", app_id=WEB), None), (CustomerHints(None, "1-2", WEB), "1-2")],
)
def test_web_app_in_the_metadata_is_selected_for_either_id(
    hints: CustomerHints, appsflyer_id: str | None
) -> None:
    assert selected(hints) == (Surface.WEB, WEB, appsflyer_id)


def test_web_app_in_the_metadata_of_nobody_is_no_match() -> None:
    assert selected(CustomerHints(app_id=WEB)) is None


def test_app_that_the_source_may_not_feed_is_refused() -> None:
    with pytest.raises(ForeignAppError):
        selected(CustomerHints("user-1", "1-2", "id666"))


@every(
    "platform, expected",
    [
        ("ios", (Surface.MOBILE, IOS, None)),
        ("android", (Surface.MOBILE, ANDROID, None)),
        ("web", (Surface.WEB, WEB, None)),
    ],
)
def test_platform_selects_its_only_app(platform: str, expected: tuple[Surface, str, None]) -> None:
    assert selected(CustomerHints("user-1", platform=platform)) == expected


def test_platform_with_two_apps_leaves_it_to_the_latest_install_there() -> None:
    apps = SourceApps(mobile=("id1", "id2", ANDROID))

    found = selected(
        CustomerHints("user-1", platform="ios"), install(ANDROID), install("id2", "5-6"), apps=apps
    )

    assert found == (Surface.MOBILE, "id2", "5-6")


def test_platform_without_an_app_leaves_it_to_the_other_rules() -> None:
    assert selected(CustomerHints("user-1", platform="ios"), apps=SourceApps(web=(WEB,))) == (
        Surface.WEB,
        WEB,
        None,
    )


def test_appsflyer_id_alone_is_that_of_the_install_that_has_it() -> None:
    found = selected(CustomerHints("user-1", "3-4"), install(ANDROID, "7-8"), install(IOS, "3-4"))

    assert found == (Surface.MOBILE, IOS, "3-4")


def test_appsflyer_id_alone_is_that_of_the_only_mobile_app() -> None:
    apps = SourceApps(mobile=(IOS,), web=(WEB,))

    assert selected(CustomerHints(None, "1-2"), apps=apps) == (Surface.MOBILE, IOS, "1-2")


def test_appsflyer_id_alone_among_several_apps_is_no_match() -> None:
    assert selected(CustomerHints(None, "1-2")) is None


# The latest install, and the web


def test_customer_without_metadata_is_in_the_app_installed_last() -> None:
    found = select_app(settings(), CustomerHints("user-1"), [install(ANDROID, "7-8"), install(IOS)])

    assert found == AppMatch(Surface.MOBILE, ANDROID, "7-8", install(ANDROID, "7-8"))


def test_install_of_an_app_that_the_source_may_not_feed_is_passed_over() -> None:
    found = selected(CustomerHints("user-1"), install("id666"), install(IOS, "3-4"))

    assert found == (Surface.MOBILE, IOS, "3-4")


def test_customer_without_installs_is_on_the_web() -> None:
    assert selected(CustomerHints("user-1")) == (Surface.WEB, WEB, None)


def test_customer_without_installs_and_a_source_without_web_apps_is_no_match() -> None:
    assert selected(CustomerHints("user-1"), apps=SourceApps(mobile=(IOS, ANDROID))) is None


def test_payment_of_which_nothing_is_known_is_no_match() -> None:
    assert selected(CustomerHints()) is None


# The order of the rules


@every(
    "app_selection, expected",
    [
        (("web", "metadata"), (Surface.WEB, WEB, None)),
        (("latest_install", "metadata"), (Surface.MOBILE, ANDROID, "7-8")),
        (("metadata", "web"), (Surface.MOBILE, IOS, "1-2")),
        ((), None),
    ],
)
def test_rules_are_asked_in_the_order_of_the_settings(app_selection: Any, expected: Any) -> None:
    assert (
        selected(
            CustomerHints("user-1", "1-2", IOS),
            install(ANDROID, "7-8"),
            app_selection=app_selection,
        )
        == expected
    )
