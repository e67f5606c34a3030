"""The stand-in's accounts check tokens and never show them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from relay.domain.kinds import Kind
from relay_sandbox.stand_in.accounts import Account, Accounts
from tests.support.every import every

APP = Account.model_validate({"app_id": "id123456789", "tokens": ["old-key", "new-key"]})


def test_account_has_each_of_its_tokens_and_no_other() -> None:
    assert [APP.has_token(token) for token in ("old-key", "new-key", "other", "")] == [
        True,
        True,
        False,
        False,
    ]


def test_account_never_shows_a_token() -> None:
    shown = f"{APP!r} {APP.as_json()} {APP.model_dump_json()}"

    assert "old-key" not in shown
    assert APP.as_json()["tokens"] == 2


def test_account_is_found_for_events_of_its_own_kind_only() -> None:
    accounts = Accounts([APP])

    assert accounts.find("id123456789", Kind.MOBILE_EVENT) is APP
    assert accounts.find("id123456789", Kind.WEB_EVENT) is None
    assert accounts.find("id1", Kind.MOBILE_EVENT) is None


def test_account_that_changes_keeps_the_fields_left_out() -> None:
    accounts = Accounts([APP])

    changed = accounts.with_change({"app_id": "id123456789", "state": "blocked"})

    assert changed.blocked
    assert changed.has_token("old-key")


@every(
    "wrong",
    [
        {},
        {"app_id": ""},
        {"app_id": "id1", "kind": "desktop"},
        {"app_id": "id1", "time_zone": "Mars/Olympus"},
        {"app_id": "id1", "tokens": [""]},
        {"app_id": "id1", "state": "asleep"},
        {"app_id": "id1", "currency": "usd"},
        {"app_id": "id1", "colour": "red"},
    ],
)
def test_account_that_is_invalid_is_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Accounts().with_change(wrong)
