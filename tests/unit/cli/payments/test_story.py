"""`relay payments story`: what AppsFlyer would hear of, in virtual time and with nothing sent."""

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay import telemetry
from relay.payments.errors import MappingError
from relay_cli.payments.play_story import as_line
from relay_cli.payments.player import Played, play
from relay_cli.payments.reasons import in_words
from relay_cli.payments.story import APPS, START, Story, Told, read_story
from relay_cli.payments.story_view import story_blocks
from relay_cli.terminal.console import show, stdout_console
from relay_cli.terminal.errors import CliError
from tests.support.payment_stories import STORIES, story
from tests.support.payments_harness import SECRETS
from tests.support.webhooks import ACCOUNTS

Json = dict[str, Any]
MOBILE, ANDROID, WEB = "id123456789", "com.example.shop", "website-www.example.com"
WHO = {"customer_user_id": "user-1", "appsflyer_id": "1698765432100-1", "app_id": MOBILE}


@pytest.fixture(autouse=True)
def _silence() -> None:
    """As the command does in its own process."""
    telemetry.silence()


def told(kind: str, identity: str, after_days: float = 0, **data: Any) -> Json:
    """A webhook of a company's own billing, of 10 euros unless it says otherwise."""
    money = {"amount": "10.00", "currency": "EUR"} if kind not in {"trial", "cancellation"} else {}
    fields = {"id": identity, **money, **({} if "original_id" in data else WHO), **data}
    body = {"type": f"payment.{kind}", "timestamp": "2026-03-01T12:00:00Z", "data": fields}
    return {"after_days": after_days, "body": body}


def file_of(tmp_path: Path, *webhooks: Json, **fields: Any) -> Path:
    """A story of those webhooks."""
    path = tmp_path / "story.json"
    content = {"provider": "standard_webhooks", "webhooks": webhooks, **fields}
    path.write_text(json.dumps(content))
    return path


def played(tmp_path: Path, *webhooks: Json, **fields: Any) -> Json:
    """What `--json` prints for a story of those webhooks."""
    content: Json = json.loads(as_line(play(read_story(file_of(tmp_path, *webhooks, **fields)))))
    return content


@pytest.mark.parametrize("provider", STORIES)
def test_story_of_each_provider_told_twice_in_any_order_is_its_books(provider: str) -> None:
    account = ACCOUNTS[provider](SECRETS[provider], "user-1")
    webhooks = [webhook for webhook in story(account) for _ in range(2)]
    random.Random(7).shuffle(webhooks)  # noqa: S311 - an order, and no secret
    source = {"provider": provider, "apps": APPS}

    result = play(Story(source, {}, tuple(Told(webhook.body) for webhook in webhooks)))

    heard = Counter((event.name, event.revenue) for event in result.events)
    assert heard == Counter(STORIES[provider])
    assert list(result.dead) == []


PAID = told("first_payment", "p")
REFUND = told("refund", "r", original_id="p", amount="4.00")
CASES: dict[str, tuple[list[Json], Json, list[Any], list[Any]]] = {
    "told twice": ([PAID, PAID], {}, [["af_subscribe", "10.00", "EUR"]], []),
    "told twice, a year apart": (
        [PAID, told("first_payment", "p", 365)],
        {},
        [["af_subscribe", "10.00", "EUR"]],
        [],
    ),
    "told again with another amount": (
        [PAID, told("first_payment", "p", amount="11.00")],
        {},
        [["af_subscribe", "10.00", "EUR"]],
        [["payment.first_payment", "id_conflict"]],
    ),
    "a refund before its payment": (
        [REFUND, told("first_payment", "p", 3)],
        {},
        [["af_subscribe", "-4.00", "EUR"], ["af_subscribe", "10.00", "EUR"]],
        [],
    ),
    "a refund of nothing": ([REFUND], {}, [], [["payment.refund", "original_unknown"]]),
    "of nobody": (
        [told("purchase", "p", customer_user_id=None, appsflyer_id=None, app_id=None)],
        {"install": "user-1"},
        [],
        [["payment.purchase", "identity_unknown"]],
    ),
    "of an install": (
        [told("purchase", "p", appsflyer_id=None, app_id=None)],
        {"install": "user-1", "settings": {"pick": ["latest_install"]}},
        [["af_purchase", "10.00", "EUR"]],
        [],
    ),
    "of somebody else's install": (
        [told("purchase", "p", appsflyer_id=None, app_id=None)],
        {"install": "user-2", "settings": {"pick": ["latest_install"]}},
        [],
        [["payment.purchase", "identity_unknown"]],
    ),
    "of a web app": (
        [told("purchase", "p", app_id=WEB)],
        {},
        [["af_purchase", "10.00", "EUR"]],
        [],
    ),
    "of another mobile app": (
        [told("purchase", "p", app_id=ANDROID)],
        {},
        [["af_purchase", "10.00", "EUR"]],
        [],
    ),
    "of a foreign app": (
        [told("purchase", "p", app_id="id1")],
        {},
        [],
        [["payment.purchase", "foreign_app"]],
    ),
    "a source with other apps": (
        [told("purchase", "p", app_id="id1")],
        {"settings": {"apps": {"mobile": ["id1"]}}},
        [["af_purchase", "10.00", "EUR"]],
        [],
    ),
    "names, and one that is not wanted": (
        [told("trial", "t"), PAID, told("cancellation", "c")],
        {"rules": {"names": {"trial": None, "first_payment": "FIRST"}}},
        [["FIRST", "10.00", "EUR"], ["subscription_cancelled", None, None]],
        [],
    ),
    "without revenue": ([PAID], {"rules": {"revenue": "none"}}, [["af_subscribe", None, None]], []),
    "net": (
        [told("purchase", "p", tax="1.60")],
        {"rules": {"revenue": "net_of_tax"}},
        [["af_purchase", "8.40", "EUR"]],
        [],
    ),
    "a basis that is not told": (
        [PAID],
        {"rules": {"revenue": "net_of_tax_and_fee"}},
        [],
        [["payment.first_payment", "revenue_unknown"]],
    ),
    "a test": ([PAID], {"settings": {"test": True}}, [], []),
    "a test that is wanted": (
        [PAID],
        {"settings": {"test": True}, "rules": {"test_events_to": "id999999999"}},
        [["af_subscribe", "10.00", "EUR"]],
        [],
    ),
    "of an unknown type": (
        [told("unheard_of", "p")],
        {},
        [],
        [["payment.unheard_of", "unknown_type"]],
    ),
    "without a type": ([{"body": {}}], {}, [], [["", "unreadable"]]),
    "an amount that is none": (
        [told("purchase", "p", amount="free")],
        {},
        [],
        [["payment.purchase", "unreadable"]],
    ),
    "of nothing": ([], {"rules": None, "settings": None, "install": None}, [], []),
    "settings of old": (
        [PAID],
        {"settings": {"free_plans": True}},
        [["af_subscribe", "10.00", "EUR"]],
        [],
    ),
}


def test_story_ends_as_the_mapper_and_the_forwarder_end_it(tmp_path: Path) -> None:
    results = {
        name: played(tmp_path, *webhooks, **fields)
        for name, (webhooks, fields, _, _) in CASES.items()
    }

    expected = {name: {"events": case[2], "dead": case[3]} for name, case in CASES.items()}
    assert {n: one for n, one in results.items() if one != expected[n]} == {}


def test_story_clock_starts_at_its_start_and_ends_with_the_last_hold(tmp_path: Path) -> None:
    path = file_of(tmp_path, told("refund", "r", 2.5, original_id="p"))
    read = read_story(path)

    (outcome,) = play(read).outcomes

    assert read.start == START == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert outcome.notice.first_seen == START + timedelta(days=2.5)
    assert outcome.settlement is not None
    letter = json.loads(outcome.settlement.message.body)  # type: ignore[union-attr]
    held = datetime.fromisoformat(letter["dead_since"]) - outcome.notice.first_seen
    assert timedelta(days=1) <= held < timedelta(days=1, hours=1)


def test_story_without_an_end_to_its_waits_is_left_as_it_stands(tmp_path: Path) -> None:
    result = play(read_story(file_of(tmp_path, REFUND)), settle=False)

    assert (list(result.events), list(result.dead)) == ([], [])


# What is no story

PRIVATE = "jane.roe@example.com"
FAULTY = {
    "provider": PRIVATE,
    "settings": {"tolerance_seconds": 1, PRIVATE: 1, "pick": [PRIVATE], "apps": []},
    "rules": {"revenue": PRIVATE, "names": {"trial": 1}},
    "install": "",
    "webhooks": [
        {"after_days": -1, "body": PRIVATE},
        {"after_days": PRIVATE},
        PRIVATE,
        {"after_days": 30_000, "body": {"a": "\ud800"}},
        {"after_days": 30_000, "body": {}},
    ],
}
FAULTS = (
    "provider: must be one of stripe",
    "settings.tolerance_seconds: ",
    "settings.(a field whose name cannot be shown): is no such setting",
    "settings.pick.0: ",
    "settings.apps: must be an object",
    "rules.revenue: ",
    "rules.names.trial: ",
    "install: ",
    "webhooks.0.after_days: ",
    "webhooks.0.body: must be an object",
    "webhooks.1.after_days: must be a number of days",
    "webhooks.1.body: is missing",
    "webhooks.2: must be an object",
    "webhooks.3.body: cannot be written",
    "webhooks: the days add up to more than",
)


def test_file_that_is_no_story_has_all_its_faults_told_at_once_and_no_value(
    tmp_path: Path,
) -> None:
    path = tmp_path / "story.json"
    path.write_text(json.dumps(FAULTY))

    with pytest.raises(CliError) as raised:
        read_story(path)

    said = str(raised.value)
    assert [fault for fault in FAULTS if fault not in said] == []
    assert PRIVATE not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is not JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "provider: is missing"),
        ("{}", "webhooks: is missing"),
        ('{"provider": "stripe", "webhooks": {}}', "webhooks: must be an array"),
        ('{"provider": "stripe", "webhooks": [], "rules": 1}', "rules: must be an object"),
        (
            '{"provider": "stripe", "settings": {"provider": "adyen"}, "webhooks": []}',
            "settings.provider: is another",
        ),
        ('{"provider": ["stripe"], "webhooks": []}', "provider: must be text"),
        ('{"provider": "stripe", "webhooks": [{"after_days": 1e999, "body": {}}]}', "after_days"),
    ],
)
def test_file_that_is_no_story_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "story.json"
    path.write_text(text)

    with pytest.raises(CliError, match="is no story") as raised:
        read_story(path)

    assert words in str(raised.value)


def test_faults_without_end_are_cut_off(tmp_path: Path) -> None:
    path = file_of(tmp_path, *[{}] * 500)

    with pytest.raises(CliError, match=r"\.\.\. and 400 more"):
        read_story(path)


# The table


def shown(told_story: Story, result: Played) -> str:
    console = stdout_console()
    console.width = 80
    with console.capture() as captured:
        show(console, story_blocks(told_story, result))
    return captured.get()


def test_table_has_each_webhook_its_sums_and_its_reasons_in_80_columns(tmp_path: Path) -> None:
    webhooks = [
        PAID,
        PAID,
        told("refund", "r", 3, original_id="p", amount="4.00"),
        told("purchase", "w", app_id=WEB, amount="1234567.89", tax="234567.00"),
        told("purchase", "d", currency="JPY", amount="500", app_id=ANDROID, appsflyer_id=None),
        told("refund", "x", original_id="gone"),
        told("some_type_of_a_length_that_no_column_of_a_table_has_room_for", "u"),
    ]
    read = read_story(file_of(tmp_path, *webhooks, rules={"names": {"purchase": "a" * 40}}))

    table = shown(read, play(read))

    expected = [
        "Standard Webhooks: 7 webhooks in 3 days",
        "+10.00 EUR",
        "told before",
        "-4.00 EUR",
        "+1,234,567.89 EUR",
        "+1,234,573.89 EUR",
        "+500 JPY",
        "website-www.",
        "original_unknown: takes back",
        "unknown_type: ",
        "4 events, 2 dead letters, 1 told before.",
        "Without an AppsFlyer id: 1 event.",
    ]
    assert [text for text in expected if text not in table] == []
    assert [line for line in table.splitlines() if len(line) > 80] == []


def test_reason_of_each_error_of_mapping_has_words() -> None:
    reasons = {error.reason for error in MappingError.__subclasses__()}

    assert [reason for reason in sorted(reasons) if in_words(reason) == reason] == []
    assert in_words("hold_limit: configuration") == in_words("configuration")
    assert in_words("something_new", "by its own words") == "something_new: by its own words"
