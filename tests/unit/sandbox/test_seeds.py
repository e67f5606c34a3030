"""What the sandbox starts with fits together, and shows none of its secrets."""

from __future__ import annotations

from relay_sandbox.seeds import SeededApp, Seeds


def test_good_apps_are_those_whose_events_can_be_delivered() -> None:
    apps = (
        SeededApp("id123456789", "mobile"),
        SeededApp("com.example.blocked", "mobile", blocked=True),
        SeededApp("website-www.example.com", "web"),
        SeededApp("website-stale.example.com", "web", stale_token=True),
    )

    assert Seeds(apps).good_apps() == {
        "mobile": ["id123456789"],
        "web": ["website-www.example.com"],
    }


def test_account_of_an_app_knows_the_token_that_the_relay_has() -> None:
    app = SeededApp("id123456789", "mobile")

    assert app.account().knows(app.token)


def test_account_of_an_app_with_a_stale_token_does_not_know_it() -> None:
    app = SeededApp("id123456789", "mobile", stale_token=True)

    assert not app.account().knows(app.token)


def test_account_of_a_blocked_app_is_blocked() -> None:
    assert SeededApp("id123456789", "mobile", blocked=True).account().blocked


def test_tokens_of_apps_are_new_at_each_start() -> None:
    assert Seeds().apps[0].token != Seeds().apps[0].token


def test_seeds_do_not_show_their_secrets() -> None:
    seeds = Seeds()

    shown = repr(seeds)
    assert all(app.token not in shown for app in seeds.apps)
