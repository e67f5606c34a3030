"""The report on one event."""

import shlex
from datetime import UTC, datetime, timedelta

import pytest

from relay.domain.kinds import App, Kind
from relay.rules.prepare import prepare
from relay_cli.check.report import curl
from relay_cli.terminal.durations import format_duration
from tests.support.every import every

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@every(
    "seconds, expected",
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_660, "1 h 1 min"),
        (3_601, "1 h"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
    ],
)
def test_format_duration_gives_its_two_largest_units(seconds: float, expected: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize("kind", [Kind.WEB_EVENT, Kind.WEB_VISIT])
def test_curl_of_a_web_event_carries_the_token_as_bearer(kind: Kind) -> None:
    event = {
        "user_id": {"customer_user_id": "it's $HOME `id`"},
        "event_url": "https://www.example.com/",
        **({"event_name": "af_login"} if kind is Kind.WEB_EVENT else {}),
    }
    prepared = prepare(kind, App("website www"), event, NOW)

    words = shlex.split(curl(prepared).replace("\\\n", " "))

    assert words[1].endswith("/app/web/website%20www")
    assert "Authorization: Bearer $APPSFLYER_TOKEN" in words
    assert words[-1].encode() == prepared.body
